"""A SavedModel gives what the Keras model gives, without Keras, without segkit and in C++."""

from __future__ import annotations

import dataclasses
import io
import os
import pathlib
import subprocess
import sys
import textwrap
from collections.abc import Callable

import cv2
import keras
import numpy as np
import pytest
from PIL import Image
from through_cpp_loader import through_cpp_loader

from segkit.errors import InputError
from segkit.export import saved_model
from segkit.export.saved_model import existing_versions, export_saved_model, read_exported_card
from segkit.export.signatures import serving_signatures
from segkit.models.card import ModelCard
from segkit.models.seget import seget
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.foreground import ForegroundTask

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports run on TensorFlow")

CARD = ModelCard(
    name="segET-test",
    structure="centriole",
    task=ForegroundTask(threshold=0.4),
    preprocessing=Standardize(mean=90.0, std=40.0),
    multiple_px=4,
    voxel_size_nm=(2.0, 1.0, 1.0),
    provenance={"data": "noise"},
)
TOLERANCE = 2e-6  # of a probability: float32 sums of other orders, of logits of about 3

Results = dict[str, np.ndarray]


def grey_values(dtype: str, *shape: int) -> np.ndarray:
    """Slices of blurred noise over most of the range where the network's normalisation makes sense."""
    rng = np.random.default_rng(len(shape) + shape[-1])
    noise = rng.normal(90.0, 40.0, shape)
    limits = (-100, 120) if dtype == "int8" else (0, 250)
    scaled = np.clip(noise, *limits) * (1.5 if dtype in ("uint16", "float32") else 1.0)
    return scaled.astype(dtype)


def spread_network(channels: int = 1, size: tuple[int | None, int | None] = (None, None)) -> keras.Model:
    """An untrained network whose probabilities go from near 0 to near 1."""
    keras.utils.set_random_seed(7)
    model = seget(input_shape=(*size, channels), filters=(2, 4), dilation_rates=(1, 2))
    noise = np.random.default_rng(0).normal(size=(2, size[0] or 32, size[1] or 32, channels))
    low, high = np.quantile(model.predict(noise, verbose=0)["logits"], [0.05, 0.95])
    layer = model.get_layer("logits")
    factor = 6.0 / (high - low)  # now from -3 to 3
    layer.kernel.assign(layer.kernel * factor)
    layer.bias.assign(np.full((1,), -factor * (low + high) / 2, "float32"))
    return model


def keras_probability(model: keras.Model, slices: np.ndarray) -> np.ndarray:
    """The other route: NumPy pads, Keras computes, NumPy crops; ``(b, y, x[, c])`` -> ``(b, y, x)``."""
    voxels = CARD.preprocessing.finish(slices)[..., 0]
    voxels = voxels[..., np.newaxis] if voxels.ndim == 3 else voxels
    height, width = voxels.shape[1:3]
    padded = np.pad(voxels, ((0, 0), (0, -height % 4), (0, -width % 4), (0, 0)), mode="edge")
    logits = model.predict(padded, verbose=0)["logits"][:, :height, :width, 0].astype("float64")
    return 1.0 / (1.0 + np.exp(-logits))


def encoded(images: np.ndarray) -> list[bytes]:
    return [cv2.imencode(".png", image)[1].tobytes() for image in images]


BATCHES = {
    "raw_uint8": grey_values("uint8", 2, 21, 30),
    "raw_int8": grey_values("int8", 3, 17, 19),
    "raw_uint16": grey_values("uint16", 1, 33, 18),
    "raw_float32": grey_values("float32", 2, 1, 2),  # smaller than what is padded
}
PNG_8_BIT = grey_values("uint8", 2, 23, 14)
PNG_16_BIT = grey_values("uint16", 2, 9, 26)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return spread_network()


@pytest.fixture(scope="module")
def exported(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return export_saved_model(model, CARD, tmp_path_factory.mktemp("saved_models"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The batches as a file for other processes; encoded images as arrays of their bytes."""
    arrays = dict(BATCHES)
    arrays["serving_default"] = (CARD.preprocessing.finish(BATCHES["raw_uint8"])[..., 0])[..., np.newaxis]
    for i, data in enumerate(encoded(PNG_8_BIT)):
        arrays[f"png@{i}"] = np.frombuffer(data, np.uint8)
    path = tmp_path_factory.mktemp("inputs") / "inputs.npz"
    np.savez(path, **arrays)
    return path


def run_python(*arguments: str, cwd: pathlib.Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python that does not find this project by itself."""
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=variables | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def cpp_results(exported: pathlib.Path, inputs: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    outputs = tmp_path_factory.mktemp("cpp") / "outputs.npz"
    return through_cpp_loader(exported, inputs, outputs)


@pytest.fixture(scope="module")
def bare_results(exported: pathlib.Path, inputs: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results of a Python in which neither segkit nor Keras can be imported."""
    program = textwrap.dedent("""
        import sys

        class Without:
            def __init__(self, finder):
                self.finder = finder

            def find_spec(self, name, path=None, target=None):
                hidden = name.partition(".")[0] in ("keras", "segkit", "tf_keras")
                return None if hidden else self.finder.find_spec(name, path, target)

        sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
        for name in ("keras", "segkit"):
            try:
                __import__(name)
            except ModuleNotFoundError:
                continue
            raise SystemExit(f"{name} could be imported")
        import numpy as np
        import tensorflow as tf

        model = tf.saved_model.load(sys.argv[1])
        inputs = np.load(sys.argv[2])
        batches = {name: tf.constant(inputs[name]) for name in inputs if not name.startswith("png")}
        batches["png"] = tf.constant([inputs[name].tobytes() for name in inputs if name.startswith("png")])
        results = {}
        for name, batch in batches.items():
            signature = model.signatures[name]
            (argument,) = signature.structured_input_signature[1]
            for output, value in signature(**{argument: batch}).items():
                results[f"{name}/{output}"] = value.numpy()
        assert not [m for m in sys.modules if m.partition(".")[0] in ("keras", "segkit")]
        np.savez(sys.argv[3], **results)
    """)
    outputs = tmp_path_factory.mktemp("bare") / "outputs.npz"
    done = run_python("-c", program, str(exported), str(inputs), str(outputs), cwd=outputs.parent)
    assert done.returncode == 0, done.stderr
    with np.load(outputs) as arrays:
        return dict(arrays)


@pytest.fixture(params=["cpp_results", "bare_results"])
def results(request: pytest.FixtureRequest) -> Results:
    """Each test below asks the C++ session and the bare Python process."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("signature", sorted(BATCHES))
def test_raw_signature_equals_keras(model: keras.Model, results: Results, signature: str) -> None:
    expected = keras_probability(model, BATCHES[signature])
    probability, mask = results[f"{signature}/probability"], results[f"{signature}/mask"]
    assert (probability.dtype, mask.dtype) == (np.float32, np.uint8)
    np.testing.assert_allclose(probability, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(mask, probability > np.float32(CARD.task.threshold))
    if expected.size > 100:  # neither 0.5 everywhere nor a mask of one value
        assert np.ptp(expected) > 0.8 and 0 < mask.mean() < 1


def test_png_equals_keras(model: keras.Model, results: Results) -> None:
    expected = keras_probability(model, PNG_8_BIT)
    np.testing.assert_allclose(results["png/probability"], expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(results["png/mask"], results["png/probability"] > np.float32(CARD.task.threshold))


def test_serving_default_takes_normalised_voxels(model: keras.Model, results: Results) -> None:
    expected = keras_probability(model, BATCHES["raw_uint8"])[..., np.newaxis]
    assert set(name for name in results if name.startswith("serving_default")) == {"serving_default/probability"}
    np.testing.assert_allclose(results["serving_default/probability"], expected, rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="module")
def loaded(exported: pathlib.Path) -> Callable:
    import tensorflow as tf

    return tf.saved_model.load(exported)


def test_signature_names_and_arguments_are_the_file_format(loaded: Callable) -> None:
    arguments = {name: next(iter(f.structured_input_signature[1])) for name, f in loaded.signatures.items()}
    assert arguments == {
        "serving_default": "voxels", "raw_uint8": "slices", "raw_int8": "slices", "raw_uint16": "slices",
        "raw_float32": "slices", "png": "png",
    }  # fmt: skip


def test_16_bit_png_gives_its_16_bit_grey_values(model: keras.Model, loaded: Callable) -> None:
    assert PNG_16_BIT.max() > 255
    probability = loaded.signatures["png"](png=encoded(PNG_16_BIT))["probability"]
    np.testing.assert_allclose(probability, keras_probability(model, PNG_16_BIT), rtol=0, atol=TOLERANCE)


def test_png_of_a_signed_tomogram_is_read_128_lower(model: keras.Model) -> None:
    signed = dataclasses.replace(CARD, dtype="int8")
    served = serving_signatures(model, signed)["png"]
    import tensorflow as tf

    probability = served.function(tf.constant(encoded(PNG_8_BIT)))["probability"]
    expected = keras_probability(model, PNG_8_BIT.astype(np.float32) - 128)
    np.testing.assert_allclose(probability, expected, rtol=0, atol=TOLERANCE)


def test_bytes_of_the_other_sign_are_served_as_sent_and_converted_as_the_page_says(model: keras.Model) -> None:
    import tensorflow as tf

    served = serving_signatures(model, dataclasses.replace(CARD, dtype="int8"))
    as_sent = served["raw_uint8"].function(tf.constant(PNG_8_BIT))["probability"]
    np.testing.assert_allclose(as_sent, keras_probability(model, PNG_8_BIT), rtol=0, atol=TOLERANCE)
    assert '`(bytes ^ 128).view("int8")`' in (pathlib.Path(__file__).parents[2] / "docs/serving.md").read_text()
    converted = served["raw_int8"].function(tf.constant((PNG_8_BIT ^ 128).view("int8")))["probability"]
    signed = PNG_8_BIT.astype(np.float32) - 128
    np.testing.assert_allclose(converted, keras_probability(model, signed), rtol=0, atol=TOLERANCE)


def test_what_would_empty_a_mask_or_end_the_server_is_refused(loaded: Callable) -> None:
    import tensorflow as tf

    refused, slices = tf.errors.InvalidArgumentError, np.full((1, 9, 10), 90.0, np.float32)
    slices[0, 3, 4] = np.nan
    with pytest.raises(refused, match="slices hold NaN or infinite values"):
        loaded.signatures["raw_float32"](slices=tf.constant(slices))
    with pytest.raises(refused, match="voxels hold NaN or infinite values"):
        loaded.signatures["serving_default"](voxels=tf.constant(slices[..., np.newaxis]))
    png = bytearray(encoded(PNG_8_BIT)[0])
    png[16:24] = (16_000).to_bytes(4, "big") * 2  # width and height in its header
    with pytest.raises(refused, match="an image of more than 67108864 pixels"):
        loaded.signatures["png"](png=tf.constant([bytes(png)]))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("raw_uint8", (48, 40)),
        ("raw_int8", (1, 48, 40, 1)),
        ("raw_float32", (40,)),
        ("serving_default", (1, 1, 48, 40, 1)),
        ("serving_default", (48, 40, 1)),
        ("serving_default", (1, 48, 40, 3)),
        ("png", ()),
        ("png", (1, 1)),
    ],
)
def test_a_request_of_another_shape_is_refused_and_the_process_lives(
    loaded: Callable, name: str, shape: tuple[int, ...]
) -> None:
    import tensorflow as tf

    signature = loaded.signatures[name]
    ((argument, spec),) = signature.structured_input_signature[1].items()
    request = tf.fill(shape, encoded(PNG_8_BIT)[0]) if name == "png" else tf.zeros(shape, spec.dtype)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"not compatible with expected shape \["):
        signature(**{argument: request})


@pytest.mark.parametrize("extension", [".jpg", ".bmp"])
def test_an_image_of_another_format_is_no_png(loaded: Callable, extension: str) -> None:
    import tensorflow as tf

    data = cv2.imencode(extension, PNG_8_BIT[0])[1].tobytes()
    with pytest.raises(tf.errors.InvalidArgumentError, match="png: not a PNG image"):
        loaded.signatures["png"](png=tf.constant([data]))


@pytest.mark.parametrize("length", [0, 3, 8, 20])
def test_what_is_too_short_for_a_png_is_none(loaded: Callable, length: int) -> None:
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match="png: not a PNG image"):
        loaded.signatures["png"](png=tf.constant([encoded(PNG_8_BIT)[0][:length]]))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("raw_uint8", (0, 64, 64)),
        ("raw_int8", (1, 0, 64)),
        ("raw_float32", (2, 5, 0)),
        ("serving_default", (0, 64, 64, 1)),
        ("png", (0,)),
    ],
)
def test_an_empty_request_is_refused_with_what_is_missing(loaded: Callable, name: str, shape: tuple[int, ...]) -> None:
    import tensorflow as tf

    signature = loaded.signatures[name]
    ((argument, spec),) = signature.structured_input_signature[1].items()
    request = tf.constant([], tf.string) if name == "png" else tf.zeros(shape, spec.dtype)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{argument}: nothing to predict; send at least one"):
        signature(**{argument: request})


def test_images_of_different_sizes_are_refused(loaded: Callable) -> None:
    import tensorflow as tf

    images = [*encoded(PNG_8_BIT), *encoded(PNG_8_BIT[:, :, :-1])]
    with pytest.raises(tf.errors.InvalidArgumentError, match="png: images of different sizes"):
        loaded.signatures["png"](png=tf.constant(images))


def in_palette(image: np.ndarray, *, coloured: bool) -> bytes:
    palette = Image.fromarray(image).convert("P")
    palette.putpalette([value for k in range(256) for value in ((k, 255 - k, 7) if coloured else (k, k, k))])
    file = io.BytesIO()
    palette.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("images", [PNG_8_BIT, PNG_16_BIT])
def test_a_coloured_image_is_refused_and_three_equal_channels_are_grey(loaded: Callable, images: np.ndarray) -> None:
    import tensorflow as tf

    grey = loaded.signatures["png"](png=tf.constant(encoded(images)))["probability"]
    triple = np.stack([images] * 3, axis=-1)
    as_colour = loaded.signatures["png"](png=tf.constant(encoded(triple)))["probability"]
    np.testing.assert_array_equal(as_colour, grey)
    triple[1, 3, 4, 2] += 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="png: a coloured image; convert it to grey"):
        loaded.signatures["png"](png=tf.constant(encoded(triple)))


def test_a_palette_of_greys_is_grey(loaded: Callable) -> None:
    import tensorflow as tf

    png, image = loaded.signatures["png"], PNG_8_BIT[0]
    grey = png(png=tf.constant(encoded(image[np.newaxis])))["probability"]
    found = png(png=tf.constant([in_palette(image, coloured=False)]))["probability"]
    np.testing.assert_array_equal(found, grey)
    with pytest.raises(tf.errors.InvalidArgumentError, match="png: a coloured image"):
        png(png=tf.constant([in_palette(image, coloured=True)]))


def test_a_network_of_a_fixed_size_says_which_images_it_takes() -> None:
    import tensorflow as tf

    served = serving_signatures(spread_network(size=(16, 24)), CARD)["png"]
    images = grey_values("uint8", 1, 16, 24)
    assert served.function(tf.constant(encoded(images)))["mask"].shape == (1, 16, 24)
    with pytest.raises(tf.errors.InvalidArgumentError, match="takes images of a width of 24 pixels only"):
        served.function(tf.constant(encoded(images[:, :, :-1])))


def test_a_batch_equals_its_slices(loaded: Callable) -> None:
    import tensorflow as tf

    raw = loaded.signatures["raw_int8"]
    batch = raw(slices=tf.constant(BATCHES["raw_int8"]))["probability"]
    for i, single in enumerate(BATCHES["raw_int8"]):
        alone = raw(slices=tf.constant(single[np.newaxis]))["probability"][0]
        np.testing.assert_allclose(batch[i], alone, rtol=0, atol=TOLERANCE)


def test_card_travels(exported: pathlib.Path) -> None:
    assert read_exported_card(exported) == CARD
    with pytest.raises(InputError, match=r"no assets\.extra/segkit\.json in it; give the folder of one version"):
        read_exported_card(exported.parent)


def test_a_mixed_precision_network_is_served_in_float32(model: keras.Model, tmp_path: pathlib.Path) -> None:
    import tensorflow as tf

    from segkit.models.precision import with_precision

    served = tf.saved_model.load(export_saved_model(with_precision(model, "mixed_bfloat16"), CARD, tmp_path))
    probability = served.signatures["raw_uint8"](slices=tf.constant(BATCHES["raw_uint8"]))["probability"]
    expected = keras_probability(model, BATCHES["raw_uint8"])
    np.testing.assert_allclose(probability, expected, rtol=0, atol=TOLERANCE)


def test_several_channels_of_a_fixed_size(tmp_path: pathlib.Path) -> None:
    import tensorflow as tf

    model = spread_network(channels=2, size=(16, 24))
    served = tf.saved_model.load(export_saved_model(model, CARD, tmp_path))
    assert "png" not in served.signatures
    slices = grey_values("uint8", 2, 16, 24, 2)
    probability = served.signatures["raw_uint8"](slices=tf.constant(slices))["probability"]
    np.testing.assert_allclose(probability, keras_probability(model, slices), rtol=0, atol=TOLERANCE)


# Versions and folders: the writing itself is replaced by a quick one.


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every export write one file with the text of the list's only entry."""
    content = ["first"]
    monkeypatch.setattr(saved_model, "_write", lambda model, card, folder: (folder / "file").write_text(content[0]))
    return content


def tree(folder: pathlib.Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_versions_count_up(quick: list[str], tmp_path: pathlib.Path) -> None:
    assert export_saved_model(None, CARD, tmp_path) == tmp_path / "segET-test" / "1"
    assert export_saved_model(None, CARD, tmp_path) == tmp_path / "segET-test" / "2"
    (tmp_path / "segET-test" / "10").mkdir()
    (tmp_path / "segET-test" / "notes").mkdir()
    assert export_saved_model(None, CARD, tmp_path) == tmp_path / "segET-test" / "11"
    assert existing_versions(tmp_path / "segET-test") == [1, 2, 10, 11]
    assert existing_versions(tmp_path / "nothing") == []


def test_a_version_taken_meanwhile_is_left_alone(
    quick: list[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_saved_model(None, CARD, tmp_path)
    monkeypatch.setattr(saved_model, "existing_versions", lambda folder: [])
    quick[0] = "second"
    assert export_saved_model(None, CARD, tmp_path).name == "2"
    assert (tmp_path / "segET-test" / "1" / "file").read_text() == "first"


def test_overwrite_replaces_the_highest_version(quick: list[str], tmp_path: pathlib.Path) -> None:
    export_saved_model(None, CARD, tmp_path)
    export_saved_model(None, CARD, tmp_path)
    quick[0] = "second"
    assert export_saved_model(None, CARD, tmp_path, overwrite=True).name == "2"
    assert (tmp_path / "segET-test" / "2" / "file").read_text() == "second"
    assert tree(tmp_path / "segET-test") == {"1", "1/file", "2", "2/file"}


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_export_leaves_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    def interrupted(model: keras.Model, card: ModelCard, folder: pathlib.Path) -> None:
        (folder / "half").write_text("half")
        raise fault

    monkeypatch.setattr(saved_model, "_write", interrupted)
    with pytest.raises(fault):
        export_saved_model(None, CARD, tmp_path)
    assert tree(tmp_path) == {"segET-test"}


def test_a_killed_export_leaves_no_version(quick: list[str], tmp_path: pathlib.Path, warm_python) -> None:
    program = textwrap.dedent("""
        import os, signal, sys
        from segkit.export import saved_model
        from segkit.models.card import ModelCard

        def killed(model, card, folder):
            (folder / "half").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

        saved_model._write = killed
        saved_model.export_saved_model(None, ModelCard(name="m", structure="s"), sys.argv[1])
    """)
    done = warm_python.run(["-c", program, tmp_path], tmp_path)
    assert done.returncode == -9, done.stderr
    assert existing_versions(tmp_path / "m") == []
    (left,) = (tmp_path / "m").iterdir()
    assert left.name.startswith(".unfinished-")
    # The next export clears it away, and leaves one alone whose process is still writing.
    written = tmp_path / "m" / f".unfinished-{saved_model._HOST}-{os.getppid()}-0"
    written.mkdir()
    export_saved_model(None, ModelCard(name="m", structure="s"), tmp_path)
    assert {path.name for path in (tmp_path / "m").iterdir()} == {"1", written.name}


def test_a_place_that_can_not_be_written(quick: list[str], tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"segET-test: the model cannot be written \(.*\); free some space there or"):
        export_saved_model(None, CARD, tmp_path / "file")


def test_other_backends_are_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="found jax; set KERAS_BACKEND=tensorflow, or save the model and use"):
        export_saved_model(None, CARD, tmp_path)
    assert tree(tmp_path) == set()


def test_a_network_of_another_kind_is_refused(tmp_path: pathlib.Path) -> None:
    inputs = keras.Input((None, None, 1))
    bare = keras.Model(inputs, keras.layers.Conv2D(1, 1)(inputs))
    message = "segET-test: the model gives conv2d.*, expected logits for a task of the kind 'foreground'"
    with pytest.raises(InputError, match=message):
        export_saved_model(bare, CARD, tmp_path)
    classes = keras.Model(inputs, {"logits": keras.layers.Conv2D(3, 1)(inputs)})
    with pytest.raises(InputError, match=r"the model gives 3 channels in logits, its task .* has 1"):
        export_saved_model(classes, CARD, tmp_path)
    assert tree(tmp_path) == {"segET-test"}
