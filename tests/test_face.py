"""The package's face: fast, and heavy only when something heavy is asked for."""

import importlib
import pathlib
import pkgutil
import subprocess
import sys
import types

import pytest

import segkit

ROOT = pathlib.Path(__file__).parents[1]
HEAVY = ("tensorflow", "keras", "jax", "cv2", "matplotlib", "scipy", "skimage")


def loaded_after(code):
    program = f"import sys; {code}; print(*sorted(set(sys.modules) & {set(HEAVY)!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "import segkit",
        "import segkit.cli",
        "import segkit; segkit.open_volume",
        "import segkit; segkit.InputError",
        "import recipes.segET",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code):
    assert loaded_after(code) == []


def test_every_name_of_the_face_leads_somewhere():
    for name in segkit.__all__:
        assert getattr(segkit, name) is not None
    assert {name for name in dir(segkit) if not name.startswith("__")} == set(segkit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = segkit.nothing


def test_the_module_of_the_command_is_the_command():
    done = subprocess.run([sys.executable, "-m", "segkit.cli", "info", "nothing.mrc"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "nothing.mrc" in done.stderr


def test_builders_and_layers_are_called_by_their_public_names():
    model = segkit.models.seget(filters=(2, 4), encoder_block=segkit.layers.EncoderBlock)
    assert model.name == "seget"


def test_callbacks_are_found_in_their_room_again_and_again():
    for _ in range(2):
        for name in segkit.training.__all__:
            assert getattr(segkit.training, name).__name__ == name


@pytest.mark.parametrize("room", [module.name for module in pkgutil.iter_modules(segkit.__path__) if module.ispkg])
def test_every_name_of_a_room_leads_somewhere_and_is_not_that_of_a_module(room):
    package = importlib.import_module(f"segkit.{room}")
    modules = [module.name for module in pkgutil.iter_modules(package.__path__)]
    for name in modules:  # once one is imported, Python sets it in the place of what the package loads when asked
        importlib.import_module(f"{package.__name__}.{name}")
    assert package.__all__
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert not isinstance(getattr(package, name), types.ModuleType)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match=f"module 'segkit.{room}' has no attribute 'nothing'"):
        _ = package.nothing
