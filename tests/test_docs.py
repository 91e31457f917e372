"""The examples in docstrings and pages run, and the API page says what stands in the docstrings."""

import ast
import configparser
import doctest
import importlib
import importlib.util
import pkgutil
import re
import shlex
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_encoder import TINY_ENCODER

import segkit
from segkit import cli
from segkit.experiments import folder
from segkit.experiments.recipe import parse_args
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import NeighbourStack

ROOT = Path(__file__).parents[1]
MODULES = sorted(module.name for module in pkgutil.walk_packages(segkit.__path__, "segkit."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    assert module.__doc__, "every module says what it is for"
    assert doctest.testmod(module).failed == 0


@pytest.fixture(scope="module")
def sections(tmp_path_factory):
    """The page as ``make_api`` writes it: the text of every module by its name."""
    spec = importlib.util.spec_from_file_location("make_api", ROOT / "docs" / "make_api.py")
    make_api = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_api)
    path = tmp_path_factory.mktemp("docs") / "api.md"
    make_api.main(path)
    _, *parts = path.read_text().split("\n## `")
    return dict(part.split("`\n", 1) for part in parts)


BLOCKS = [
    (page.name, code)
    for page in sorted((ROOT / "docs").glob("*.md"))
    for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
]


@pytest.fixture
def a_users_folder(tmp_path, monkeypatch):
    """A folder with the files that the pages name, and a stand-in for OpenVINO, which runs the exported network."""
    monkeypatch.chdir(tmp_path)
    stack = np.random.default_rng(0).integers(0, 255, (3, 32, 32)).astype(np.uint8)
    segkit.save_volume("stack.tif", segkit.Volume(array=stack))
    (tmp_path / "runs" / "nuclei").mkdir(parents=True)
    network = segkit.models.efficient_cell_seg(size=16, decoder_filters=(4, 3), encoder=TINY_ENCODER)
    card = segkit.ModelCard(name="nuclei", structure="nuclei", preprocessing=ColorSlices(coloring=NeighbourStack()))
    segkit.save_model(network, "runs/nuclei/model.keras", card)
    exported = {}

    def export(model, path, *, format):
        assert format == "openvino"
        exported[path] = model

    def compile_model(path, device, settings):
        return lambda inputs: list(exported[path](inputs[0]).values())

    monkeypatch.setattr(keras.Model, "export", export)
    runtime = types.SimpleNamespace(Core=lambda: types.SimpleNamespace(compile_model=compile_model))
    monkeypatch.setitem(sys.modules, "openvino", runtime)


@pytest.mark.parametrize("code", [code for _, code in BLOCKS], ids=[name for name, _ in BLOCKS])
def test_code_of_a_page_runs(code, a_users_folder):
    names = {}
    exec(code, names)
    if "logits" in names:
        assert names["logits"].shape == (1, 32, 32, 1)
    if "written" in names:
        assert names["written"].shape == (4, 32, 32)
        assert names["written"].voxel_size_nm == pytest.approx((30, 4, 5), rel=1e-5)


COMMANDS = [
    (page.name, line)
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for block in re.findall(r"```(?:bash|text)?\n(.*?)```", page.read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith(("segkit ", "python -m recipes."))
]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_options_of_commands_on_pages_exist(page, line):
    words = shlex.split(line)
    if words[0] == "segkit" and words[1] != "train":
        assert callable(cli.parse_args(words[1:]).command)
        return
    name = words[2] if words[0] == "segkit" else words[2].removeprefix("recipes.")
    assert parse_args(importlib.import_module(f"recipes.{name}").RECIPE, words[3:]).resume is False


def test_the_layers_of_the_page_are_those_that_are_checked():
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = [re.findall(r"`(\w+)`", line) for line in page.splitlines() if re.match(r"\| \d+ \| `", line)]
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    layers = settings["importlinter:contract:floors"]["layers"].split("\n")
    checked = [[name.strip() for name in layer.split("|")] for layer in layers if layer]
    above = checked.index(["ops"]) + 1  # below stand single modules
    assert [sorted(row) for row in rows[:-1]] == [sorted(layer) for layer in checked[1:above]]  # __main__ is cli
    assert set(rows[-1]) <= {name for layer in checked[above:] for name in layer}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_files_and_modules_that_a_page_names_are_there(page):
    text = page.read_text()
    for name in re.findall(r"`((?:segkit|recipes|tests|benchmarks)/[\w/]+\.py)`", text):
        assert (ROOT / name).is_file(), name
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (page.parent / target).exists(), target
    for name in re.findall(r"`(segkit(?:\.\w+)+)", text.replace("`segkit.json`", "")):
        assert pkgutil.resolve_name(name) is not None, name


def test_every_variable_of_the_environment_that_is_read_stands_on_a_page():
    code = "".join(path.read_text() for name in ("segkit", "recipes") for path in (ROOT / name).rglob("*.py"))
    pages = "".join(page.read_text() for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    names = set(re.findall(r"""["'](SEGKIT_\w+)["']""", code))
    assert names
    assert names <= set(re.findall(r"SEGKIT_\w+", pages))


def test_the_files_that_runs_leave_stand_in_the_table_of_them():
    page = (ROOT / "docs" / "training.md").read_text()
    table = page[page.index("## Files of a run") : page.index("The best epoch")]
    of_several = ("comparison.", "ablation.", "folds.", "cross_validation.")
    names = [name for name in (*folder._OF_A_RUN, *folder._RESULTS) if not name.startswith(of_several)]
    assert not [name for name in (*names, "labels.legend.json") if not re.search(rf"`{re.escape(name)}/?`", table)]


def public(body, *kinds):
    return [node for node in body if isinstance(node, kinds) and not node.name.startswith("_")]


@pytest.mark.parametrize("path", sorted((ROOT / "segkit").rglob("*.py")), ids=lambda path: path.name)
def test_the_api_page_has_every_public_class_function_and_method(path, sections):
    names = path.relative_to(ROOT).with_suffix("").parts
    tree = ast.parse(path.read_text())
    functions = public(tree.body, ast.FunctionDef)
    classes = public(tree.body, ast.ClassDef)
    if any(name.startswith("_") for name in names) or not functions + classes:
        return
    section = sections[".".join(names)]
    for node in functions + classes:
        kind = "class" if node in classes else "def"
        assert f"### `{kind} {node.name}`" in section
        assert first_line(node) in section, "every public class and function has a docstring"
    for owner in classes:
        for node in public(owner.body, ast.FunctionDef):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if ast.get_docstring(node) and "keras_tuner.synchronized" not in decorators:  # which loses the docstring
                assert f"#### `{owner.name}.{node.name}`" in section
                assert first_line(node) in section


def first_line(node):
    """Return the first line of the docstring; what no page has where there is none."""
    return (ast.get_docstring(node) or "no docstring").splitlines()[0]


def test_the_api_page_has_no_private_name(sections):
    lines = [line for text in sections.values() for line in text.splitlines() if line.startswith("###")]
    assert len(lines) > 200
    names = {line.split()[-1].strip("`").split(".")[-1] for line in lines}
    assert {name for name in names if name.startswith("_")} == {"__call__"}


def test_the_api_page_tells_nothing_of_the_machine_that_made_it(sections):
    text = "".join(sections.values())
    assert " at 0x" not in text
    assert "' from '/" not in text
