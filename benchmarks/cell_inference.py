"""How fast EfficientCellSeg predicts on a CPU, through which runtime, and what pseudocolouring adds.

    pip install onnx tf2onnx onnxruntime openvino
    python -m benchmarks.cell_inference --out benchmarks/results/cell_inference.md

Slices of 384 x 384, batches of 1 and 8, random weights: Keras as segkit uses it (float32 and bfloat16), the SavedModel
that ``segkit export`` writes, ONNX Runtime and OpenVINO (float32 and bfloat16) with files exported by Keras, and a
U-Net of 31 million parameters in Keras. In turn, in one process. Runtimes that are not installed, or
do not accept the network, are listed below the table.
"""

from __future__ import annotations

import argparse
import functools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

import keras
import numpy as np

from benchmarks.table import show_table
from segkit.experiments.tables import Table
from segkit.export.saved_model import export_saved_model
from segkit.inference.compiled import batch_function, probability_model
from segkit.layers import ConvBNReLU
from segkit.models import efficient_cell_seg
from segkit.models.card import ModelCard
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import GreyTriple
from segkit.preprocessing.pseudocolor import Pseudocoloring

SIDE_PX = 384
STACK = (30, 512, 512)
Function = Callable[[np.ndarray], object]


def unet(filters: int = 64, levels: int = 5) -> keras.Model:
    """Build the U-Net of Ronneberger et al. (2015) with normalisation and transposed convolutions."""
    inputs = keras.Input((None, None, 3))
    x, skips = inputs, []
    for level in range(levels):
        x = ConvBNReLU(filters * 2**level)(ConvBNReLU(filters * 2**level)(x))
        if level < levels - 1:
            skips.append(x)
            x = keras.layers.MaxPooling2D(2)(x)
    for level in reversed(range(levels - 1)):
        width = filters * 2**level
        x = keras.layers.Conv2DTranspose(width, 2, strides=2)(x)
        x = keras.layers.Concatenate()([skips[level], x])
        x = ConvBNReLU(width)(ConvBNReLU(width)(x))
    return keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1, name="logits")(x)}, name="unet")


def saved_model(model: keras.Model, folder: pathlib.Path) -> Function:
    """Return the network as ``segkit export`` serves it."""
    import tensorflow as tf

    card = ModelCard(name="cells", structure="cells", preprocessing=ColorSlices(coloring=GreyTriple()))
    loaded = tf.saved_model.load(str(export_saved_model(model, card, folder)))
    function = loaded.signatures["serving_default"]
    return lambda images: function(voxels=tf.constant(images))["probability"].numpy()


def onnx_runtime(model: keras.Model, folder: pathlib.Path) -> Function:
    """Return the network in ONNX Runtime."""
    import onnxruntime

    path = folder / "cells.onnx"
    model.export(str(path), format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    # tf2onnx leaves the encoder's normalisation constants (mean, variance) behind as inputs.
    norm = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    constants = {
        entry.name: keras.ops.convert_to_numpy(norm.mean if "Sub" in entry.name else norm.variance).astype(np.float32)
        for entry in session.get_inputs()[1:]
    }
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images, **constants})[0]


def openvino(model: keras.Model, folder: pathlib.Path, precision: str = "f32") -> Function:
    """Return the network in OpenVINO, which would take bfloat16 by itself where the CPU has it."""
    import openvino as ov

    path = folder / "cells.xml"
    if not path.exists():
        model.export(str(path), format="openvino", verbose=False)
    compiled = ov.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": precision})
    return lambda images: compiled([images])[0]


def paths_of(model: keras.Model, folder: pathlib.Path) -> tuple[dict[str, Function], list[str]]:
    """Return every way to run the network, and lines on those that there are not."""
    found: dict[str, Function] = {
        "Keras, float32": batch_function(probability_model(model)),
        "Keras, bfloat16": batch_function(probability_model(model, "mixed_bfloat16")),
        "U-Net, Keras, float32": batch_function(probability_model(unet())),
        "U-Net, Keras, bfloat16": batch_function(probability_model(unet(), "mixed_bfloat16")),
    }
    missing = []
    ways = {
        "SavedModel, float32": saved_model,
        "ONNX Runtime, float32": onnx_runtime,
        "OpenVINO, float32": openvino,
        "OpenVINO, bfloat16": functools.partial(openvino, precision="bf16"),
    }
    for name, build in ways.items():
        try:
            found[name] = build(model, folder)
        except Exception as fault:  # an exporter's failure is a result of this benchmark
            missing.append(f"{name}: not measured ({type(fault).__name__}: {str(fault).splitlines()[0]})")
    return found, missing


def check_agreement(functions: dict[str, Function], images: np.ndarray) -> None:
    """Refuse to time networks that do not compute the same; some runtimes give logits, others probabilities."""
    expected = np.asarray(functions["Keras, float32"](images))[..., 0]
    for name in functions:
        if name.startswith(("SavedModel", "ONNX", "OpenVINO")):
            found = np.asarray(functions[name](images)).reshape(expected.shape)
            if not name.startswith("SavedModel"):
                found = 1 / (1 + np.exp(-found))
            tolerance = 1e-5 if name.endswith("float32") else 0.1
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=name)


def timed(functions: dict[str, Function], images: np.ndarray, rounds: int) -> dict[str, list[float]]:
    """Return milliseconds a slice of each function in every round, in turn."""
    for function in functions.values():
        function(images)
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function(images)
            times[name].append(1000 * (time.perf_counter() - start) / len(images))
    return times


def coloring_rows(slice_ms: float, rounds: int) -> list[list[str]]:
    """Return rows on what colouring a stack costs beside the network."""
    rows = []
    for bits, dtype in ((8, np.uint8), (12, np.uint16), (16, np.uint16)):
        stack = np.random.default_rng(0).integers(0, 2**bits, STACK).astype(dtype)
        coloring, taken = Pseudocoloring(expected_share=0.2), []
        for _ in range(rounds + 1):
            start = time.perf_counter()
            for _ in coloring.color(stack, range(len(stack))):
                pass
            taken.append(time.perf_counter() - start)
        seconds = statistics.median(taken[1:])
        share = 100 * seconds / (slice_ms / 1000 * len(stack))
        rows.append([f"{bits} bits in {np.dtype(dtype).name}", f"{seconds:.2f}", f"{share:.1f} %"])
    return rows


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    keras.utils.set_random_seed(0)
    model = efficient_cell_seg((SIDE_PX, SIDE_PX, 3))
    with tempfile.TemporaryDirectory() as folder:
        functions, missing = paths_of(model, pathlib.Path(folder))
        images = np.random.default_rng(0).random((8, SIDE_PX, SIDE_PX, 3)).astype(np.float32)
        check_agreement(functions, images[:1])
        times = {batch: timed(functions, images[:batch], args.rounds) for batch in (1, 8)}
    reference = {batch: statistics.median(found["Keras, float32"]) for batch, found in times.items()}
    rows = []
    for name in functions:
        cells = []
        for batch, found in times.items():
            median = statistics.median(found[name])
            cells += [f"{median:.0f}", f"{reference[batch] / median:.2f}"]
        rows.append([name, *cells])
    speeds = Table(["network", "batch of 1", "speed", "batch of 8", "speed"], rows)
    colorings = Table(["stack", "seconds", "share of the network's time"], coloring_rows(reference[1], 5))
    lines = [
        f"EfficientCellSeg ({model.count_params():,} parameters) and a U-Net ({unet().count_params():,}) on slices of "
        f"{SIDE_PX} x {SIDE_PX}; medians of {args.rounds} rounds in turn [ms per slice], speed relative to Keras in "
        "float32.",
        "",
        *speeds.to_markdown().splitlines(),
        "",
        *(f"{line}\n" for line in missing),
        f"Pseudocolouring of {' x '.join(map(str, STACK))}, beside Keras in float32 on its slices one by one:",
        "",
        *colorings.to_markdown().splitlines(),
    ]
    show_table(lines, args.out)


if __name__ == "__main__":
    main()
