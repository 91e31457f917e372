"""A training of a few seconds, as a program that can be killed: ``tiny_run.py FOLDER [kill point]``.

The kill point is ``EPOCH:PLACE``: ``step`` (mid-epoch), ``validation``, ``checkpoint`` (while a snapshot is written,
which is left half written) or ``best`` (while the best model is written). The process ends by SIGKILL.
"""

import json
import os
import pathlib
import signal
import sys

import keras
import numpy as np
from scipy.ndimage import gaussian_filter

from segkit.data.augmentation import Augmentation
from segkit.data.patches import tabulate_patches
from segkit.data.sampler import PatchSampler
from segkit.layers import ConvBNReLU
from segkit.models.card import ModelCard
from segkit.preprocessing.standardize import Standardize
from segkit.targets.foreground import ForegroundTarget
from segkit.training import fit as fit_module
from segkit.training import snapshots
from segkit.training.plan import TrainingPlan
from segkit.training.reestimate_statistics import ReestimateStatistics
from segkit.training.seeding import seed_everything

PLAN = TrainingPlan(
    patch_px=16,
    stride_px=8,
    batch_size=6,
    epochs=5,
    learning_rate=3e-3,
    decay=1e-2,
    plateau_patience=1,
    early_stopping_patience=4,
    weight_limit=20.0,
    augmentation=Augmentation(brightness=0.2, contrast=0.2, elastic_px=1.0, elastic_grid_px=8),
    deterministic=True,
    seed=4,
)


def samplers():
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(size=(4, 32, 32)), (0, 2, 2))
    mask = (smooth > smooth.std()).astype(np.int8)
    image = (30 * mask + rng.normal(0, 20, mask.shape)).astype(np.int8)
    tables = [tabulate_patches([(mask, z)], patch_shape=(16, 16), stride=8) for z in ([1, 2, 3], [0])]
    shared = {
        "batch_size": 6,
        "preprocessing": Standardize(mean=5.0, std=25.0),
        "target": ForegroundTarget(weight_limit=20.0),
        "seed": PLAN.seed,
    }
    training = PatchSampler([(image, mask)], tables[0], augmentation=PLAN.augmentation, shuffle=True, **shared)
    return training, PatchSampler([(image, mask)], tables[1], **shared)


def network():
    """Build a network with all that a snapshot keeps: weights, moving statistics, slots and a generator."""
    inputs = keras.Input((None, None, 1))
    x = keras.layers.Dropout(0.2, seed=1)(ConvBNReLU(4)(inputs))
    return keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1, name="logits")(ConvBNReLU(4)(x))})


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


class KillAt(keras.callbacks.Callback):
    def __init__(self, epoch, place):
        super().__init__()
        self.kill_epoch, self.place, self.epoch = epoch, place, -1

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if epoch == self.kill_epoch and self.place == "checkpoint":
            snapshots.os.fsync = lambda _descriptor: kill()
        if epoch == self.kill_epoch and self.place == "best":
            type(self.model).save = lambda _model, path: (pathlib.Path(path).write_bytes(b"half"), kill())

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, self.place, batch) == (self.kill_epoch, "step", 1):
            kill()

    def on_test_batch_begin(self, batch, logs=None):
        if (self.epoch, self.place) == (self.kill_epoch, "validation"):
            kill()


def main(folder, kill_point=None):
    seed_everything(PLAN.seed, deterministic=True)
    model = network()
    training, validation = samplers()
    extra = [ReestimateStatistics([training.batch(0)[0]])]
    if kill_point:
        epoch, place = kill_point.split(":")
        extra.append(KillAt(int(epoch), place))
    card = ModelCard(name="tiny", structure="tiny", preprocessing=Standardize(mean=5.0, std=25.0), halo_px=24)
    record = fit_module.fit(model, training, validation, PLAN, folder, card, resume=True, callbacks=extra)
    record.publish()
    pathlib.Path(folder, "memory.json").write_text(json.dumps(record.best_memory))
    np.savez(pathlib.Path(folder) / "final.npz", **snapshots._arrays(model))


if __name__ == "__main__":
    main(*sys.argv[1:])
