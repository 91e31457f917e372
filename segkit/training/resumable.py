"""The callback that makes a training resumable: snapshots, the log, the best model."""

from __future__ import annotations

import csv
import io
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from segkit.models.card import ModelCard
from segkit.models.files import RUN_MODEL_NAME, save_model
from segkit.training.snapshots import Snapshots, restore_variables

LOG_NAME = "log.csv"


class Resumable(keras.callbacks.Callback):
    """After every epoch keep the best model, write a snapshot of everything, and the log.

    The snapshot is what counts: log and best model are brought in line with it, so that after a kill at any moment
    finished epochs stand and the interrupted one is done again. Put it last in the list of callbacks.

    Args:
        folder: Run folder. Holds ``state/`` while the training goes on, ``log.csv`` and ``model.keras``.
        card: Card of the model that is kept.
        tracked: Name, callback and attributes of what else has a memory, such as early stopping.
        monitor: Name of the score that should rise; its best epoch is kept.

    Attributes:
        rows: One dict of logged values an epoch.
        best_epoch: Number of the best epoch, counted from 0; -1 before the first.
        finished: The training has ended, by early stopping or by its number of epochs.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        card: ModelCard,
        tracked: Mapping[str, tuple[keras.callbacks.Callback, Sequence[str]]],
        *,
        monitor: str = "val_mean_iou",
    ) -> None:
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.card = card
        self.tracked = tracked
        self.monitor = monitor
        self.rows: list[dict[str, float]] = []
        self.best_epoch = -1
        self.finished = False
        self._snapshots = Snapshots(self.folder / "state")
        self._memory: dict[str, dict[str, Any]] = {}

    @property
    def epochs_done(self) -> int:
        """Number of finished epochs."""
        return len(self.rows)

    def resume(self, model: keras.Model) -> bool:
        """Put a model and this callback where the newest snapshot stands; false if there is none.

        Args:
            model: Compiled model of the same architecture; its optimizer is built if it is not yet.
        """
        snapshot = self._snapshots.latest()
        if snapshot is None:
            return False
        facts, arrays = snapshot
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        restore_variables(model, arrays)
        self.rows = facts["rows"]
        self.best_epoch = facts["best_epoch"]
        self.finished = facts["finished"]
        self._memory = facts["memory"]
        self._write_log()
        return True

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Give the other callbacks their memory back, after they have reset themselves."""
        for name, values in self._memory.items():
            for attribute, value in values.items():
                setattr(self.tracked[name][0], attribute, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep what this epoch has brought."""
        self.rows.append({"epoch": epoch, **{name: float(value) for name, value in (logs or {}).items()}})
        if self.best_epoch < 0 or self.rows[-1][self.monitor] > self.rows[self.best_epoch][self.monitor]:
            self.best_epoch = epoch
            (self.folder / "state").mkdir(parents=True, exist_ok=True)
            save_model(self.model, self._best_path(epoch), self.card)
        self.finished = bool(self.model.stop_training) or epoch + 1 >= self.params["epochs"]
        memory = {
            name: {attribute: getattr(callback, attribute) for attribute in attributes}
            for name, (callback, attributes) in self.tracked.items()
        }
        facts = {
            "rows": self.rows,
            "best_epoch": self.best_epoch,
            "finished": self.finished,
            "memory": memory,
        }
        self._snapshots.write(epoch + 1, self.model, facts)
        self._write_log()
        # The best model of the snapshot before stays too, in case this one can not be read.
        for path in sorted((self.folder / "state").glob("best-*.keras"))[:-2]:
            path.unlink()

    def publish(self) -> pathlib.Path:
        """Make the best model ``model.keras`` of the run folder and return its path."""
        published = self.folder / RUN_MODEL_NAME
        best = self._best_path(self.best_epoch)
        if best.exists():
            os.replace(best, published)
        return published

    def _best_path(self, epoch: int) -> pathlib.Path:
        return self.folder / "state" / f"best-{epoch:05d}.keras"

    def _write_log(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        unfinished = self.folder / f".{LOG_NAME}.unfinished"
        unfinished.write_text(text.getvalue())
        os.replace(unfinished, self.folder / LOG_NAME)
