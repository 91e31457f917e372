"""Cost of feature random enhancement and its diagnostics, and the speed of training with the small setting.

    python -m benchmarks.fre_step --out benchmarks/results/fre_step.md

Training steps of the small U-Net on cached tiles of 256 x 256, in turn; medians of the ratios of each round count.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import tempfile
import time
from collections.abc import Iterator
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from benchmarks.table import show_table
from benchmarks.training_step import spread
from segkit.experiments.enhancement_methods import METHODS, build_network
from segkit.layers import conv_bn_relu, linear_up
from segkit.tasks.classes import ClassesTask
from segkit.training.precision import dtype_policy
from segkit.training.record_magnitudes import RecordMagnitudes
from segkit.training.redraw_enhanced import enhancing_layers
from segkit.training.reestimate_statistics import ReestimateStatistics

SIDE_PX, CLASSES = 256, ("background", "membrane", "mitochondria", "synapse")
FILTERS = (16, 32, 64, 128, 512)
CHOSEN = ("plain", "mixed_bfloat16", 4)
STEPS_AN_EPOCH = 40  # ten sections of 1024 x 1024


class Stepper:
    """A compiled network on one cached batch.

    Args:
        method: Name of a method.
        policy: Dtype policy.
        batch: Tiles a step.
        naive: With Keras's own normalisation and upsampling in the place of segkit's.
    """

    def __init__(self, method: str, policy: str, batch: int, naive: bool = False) -> None:
        with dtype_policy(policy), keras_layers() if naive else contextlib.nullcontext():
            self.model = build_network(METHODS[method], num_classes=4, filters=FILTERS, num_enhanced=8, gain=250.0)
        ClassesTask(class_names=CLASSES).compile(self.model, 1e-3)
        for layer in enhancing_layers(self.model):
            layer.draw()
        rng = np.random.default_rng(0)
        self.images = rng.normal(size=(batch, SIDE_PX, SIDE_PX, 1)).astype(np.float32)
        labels = rng.integers(0, len(CLASSES), self.images.shape).astype(np.float32)
        targets = {"logits": np.concatenate([labels, np.ones_like(labels)], axis=-1)}
        self.cached = iter(tf.data.Dataset.from_tensors((self.images, targets)).repeat())
        with keras_layers() if naive else contextlib.nullcontext():
            self.model.train_on_batch(*next(self.cached))  # traces
        self.step = self.model.make_train_function() or self.model.train_function
        self.seconds(2)

    def seconds(self, steps: int) -> float:
        """Return the seconds of a tile over some steps."""
        started = time.perf_counter()
        for _ in range(steps):
            logs = self.step(self.cached)
        float(np.asarray(logs["loss"]))
        return (time.perf_counter() - started) / steps / len(self.images)

    def operations(self) -> int:
        """Count the operations of a training step's graph."""
        function = tf.function(lambda data: self.model.train_step(data))
        graph = function.get_concrete_function(next(self.cached)).graph.as_graph_def()
        return len(graph.node) + sum(len(inner.node_def) for inner in graph.library.function)


@contextlib.contextmanager
def keras_layers() -> Iterator[None]:
    """Build and trace networks of Keras's own layers."""
    up = {2: keras.layers.UpSampling2D(2, interpolation="bilinear", dtype="float32")}
    with (
        mock.patch.object(conv_bn_relu, "FusedBatchNorm", keras.layers.BatchNormalization),
        mock.patch.object(linear_up, "linear_up", lambda inputs, factor: up[factor](inputs)),
    ):
        yield


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    steppers = {
        settings: Stepper(*settings)
        for settings in (CHOSEN, ("fre", *CHOSEN[1:]), *(("plain", "float32", batch, True) for batch in (1, 4, 8, 32)))
    }
    rounds = [
        {settings: stepper.seconds(max(2, 16 // settings[2])) for settings, stepper in steppers.items()}
        for _ in range(args.rounds)
    ]
    lines = ["| figure | median (min, max) |", "|---|---|"]
    enhanced = ("fre", *CHOSEN[1:])
    ratios = [times[enhanced] / times[CHOSEN] for times in rounds]
    lines.append(f"| step with FREnhance / without | {spread(ratios)} |")
    counts = [steppers[settings].operations() for settings in (CHOSEN, enhanced)]
    lines.append(f"| operations of a step's graph, without and with | {counts[0]} and {counts[1]} |")
    for name, seconds in callbacks(steppers[enhanced]).items():
        shares = [
            value / (STEPS_AN_EPOCH * CHOSEN[2] * times[enhanced])
            for value, times in zip(seconds, rounds, strict=False)
        ]
        lines.append(
            f"| {name} / the training steps of an epoch ({STEPS_AN_EPOCH} x {CHOSEN[2]} tiles) | {spread(shares)} |"
        )
    for settings in steppers:
        if settings[1] == "float32":
            speeds = [times[settings] / times[CHOSEN] for times in rounds]
            what = f"Keras's layers, float32, batches of {settings[2]} / {CHOSEN[1]}, batches of {CHOSEN[2]}"
            lines.append(f"| time of a tile, {what} | {spread(speeds)} |")
    chosen = [1000 * times[CHOSEN] for times in rounds]
    lines.append(f"| ms a tile, {CHOSEN[1]} in batches of {CHOSEN[2]} | {spread(chosen)} |")
    show_table(lines, args.out)


def callbacks(stepper: Stepper, repeats: int = 5) -> dict[str, list[float]]:
    """Return the seconds that each callback takes an epoch, compiled beforehand."""
    found: dict[str, list[float]] = {"recording magnitudes": [], "re-estimating statistics": []}
    with tempfile.TemporaryDirectory() as folder:
        magnitudes = RecordMagnitudes(stepper.images, "encoder_5", "encoder_4", folder)
        statistics = ReestimateStatistics([stepper.images] * 8)
        for callback in (magnitudes, statistics):
            callback.set_model(stepper.model)
            callback.on_train_begin()
        for _ in range(repeats + 1):
            for name, call in zip(found, (lambda: magnitudes.on_epoch_end(0), statistics.on_test_begin), strict=True):
                started = time.perf_counter()
                call()
                found[name].append(time.perf_counter() - started)
    return {name: seconds[1:] for name, seconds in found.items()}


if __name__ == "__main__":
    main()
