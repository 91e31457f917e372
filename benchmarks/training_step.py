"""A training step as the recipes make it, beside the bare step on one cached batch.

    python -m benchmarks.training_step --out benchmarks/results/training_step.md

Both run the same compiled step of the same network; the recipe's also cuts, changes and weighs its patches, moves the
learning rate and reports progress. They run in turn; the median of the ratios counts. Also the ratio of
mixed_bfloat16 to float32.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.table import show_table
from segkit.data.augmentation import Augmentation
from segkit.data.patches import tabulate_patches
from segkit.data.sampler import PatchSampler
from segkit.models.seget import seget
from segkit.preprocessing.standardize import Standardize
from segkit.targets.foreground import ForegroundTarget
from segkit.tasks.foreground import ForegroundTask
from segkit.training.decay_on_plateau import DecayOnPlateau
from segkit.training.fit import StepProgress, stream
from segkit.training.plan import TrainingPlan
from segkit.training.precision import dtype_policy, resolve_precision
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

PATCH_PX, BATCH = 256, 8


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=10, help="steps a round")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sampler = make_sampler(pathlib.Path(folder))
        models = {policy: Steps(policy, sampler, args.steps) for policy in ("float32", "mixed_bfloat16")}
        chosen = models[resolve_precision("auto")]
        ratios = [chosen.recipe() / chosen.bare() for _ in range(args.rounds)]
        speed = [models["float32"].bare() / models["mixed_bfloat16"].bare() for _ in range(args.rounds)]
    lines = [
        "| figure | median (min, max) |",
        "|---|---|",
        f"| recipe / bare step, {BATCH} x {PATCH_PX}^2, {chosen.policy} | {spread(ratios)} |",
        f"| float32 / mixed_bfloat16, time of a bare step | {spread(speed)} |",
    ]
    show_table(lines, args.out)


class Steps:
    """One compiled network and the two ways to step it."""

    def __init__(self, policy: str, sampler: PatchSampler, steps: int) -> None:
        self.policy = policy
        self.sampler = sampler
        self.steps = steps
        with dtype_policy(policy):
            self.model = seget()
        ForegroundTask().compile(self.model, TrainingPlan().learning_rate)
        images, targets = sampler.batch(0)
        cached = tf.data.Dataset.from_tensors((images, {"logits": targets})).repeat()
        self.cached = iter(cached)
        self.recipe()  # compiles
        self.step = self.model.make_train_function() or self.model.train_function
        self.bare()

    def recipe(self) -> float:
        """Return the seconds of some steps through the pipeline and the callbacks."""
        watch = Stopwatch()
        self.model.fit(
            stream(self.sampler),
            steps_per_epoch=self.steps + 1,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[
                DecayOnPlateau(1e-3, 1e-5, monitor="mean_iou"),
                StepProgress(lambda done, total: None, self.steps + 1, 1),
                watch,
            ],
        )
        return watch.seconds

    def bare(self) -> float:
        """Return the seconds of as many steps on the cached batch."""
        started = time.perf_counter()
        for _ in range(self.steps):
            logs = self.step(self.cached)
        float(np.asarray(logs["loss"]))
        return time.perf_counter() - started


class Stopwatch(keras.callbacks.Callback):
    """Time an epoch but for its first step, which fills the pipeline."""

    def on_train_batch_end(self, batch, logs=None):
        """Start after the first step, read after every other."""
        if batch == 0:
            self._started = time.perf_counter()
        self.seconds = time.perf_counter() - self._started


def make_sampler(folder: pathlib.Path) -> PatchSampler:
    """Write a small stack and return its sampler, patches read from the memory map."""
    rng = np.random.default_rng(0)
    image = rng.integers(-128, 128, (8, 1024, 1024), dtype=np.int8)
    save_volume(folder / "tomogram.mrc", Volume(array=image))
    save_volume(folder / "mask.mrc", Volume(array=(image > 100).astype(np.uint8)))
    pair = tuple(open_volume(folder / name).array for name in ("tomogram.mrc", "mask.mrc"))
    table = tabulate_patches([(pair[1], range(8))], patch_shape=(PATCH_PX, PATCH_PX), stride=128)
    change = Augmentation(brightness=0.3, contrast=0.2)
    return PatchSampler(
        [pair],
        table,
        batch_size=BATCH,
        preprocessing=Standardize(mean=0.0, std=74.0),
        target=ForegroundTarget(weight_limit=10.0),
        augmentation=change,
        shuffle=True,
    )


def spread(values: list[float]) -> str:
    """Return median, least and largest of some ratios."""
    return f"{statistics.median(values):.3f} ({min(values):.3f}, {max(values):.3f})"


if __name__ == "__main__":
    main()
