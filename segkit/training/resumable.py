"""The callback that makes a training resumable: snapshots, the log, the best model."""

from __future__ import annotations

import copy
import csv
import io
import json
import logging
import math
import os
import pathlib
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from segkit.errors import InputError
from segkit.model_path import RUN_MODEL_NAME
from segkit.models.card import ModelCard
from segkit.models.files import save_model
from segkit.training.snapshots import Snapshots, restore_variables
from segkit.volumes.whole_output import whole_file

_LOG = logging.getLogger(__name__)

LOG_NAME = "log.csv"

DATA_NAME = "data"
"""Beginning of the names under which a run's identity holds its data."""


class Resumable(keras.callbacks.Callback):
    """After every epoch keep the best model, write a snapshot of everything, and the log.

    The snapshot is authoritative: log and best model are brought in line with it, so that after a kill at any moment
    finished epochs are kept and the interrupted one is repeated. Put it behind all callbacks that have a memory.

    Args:
        folder: Run folder. Holds ``state/`` during the training, ``log.csv`` and ``model.keras``.
        card: Card of the model that is kept; what its task watches chooses the epoch.
        tracked: Name, callback and attributes of what else has a memory, such as early stopping.
        identity: What the run is, as ``json`` writes it; a snapshot of another run is refused.

    Attributes:
        rows: One dict of logged values per epoch.
        best_epoch: Number of the best epoch, counted from 0; -1 before the first.
        best_memory: What ``tracked`` remembered when the best epoch ended: attributes by name.
        stopped: Early stopping has ended the training.
        seconds: Time spent in all processes of this run, up to the last finished epoch.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        card: ModelCard,
        tracked: Mapping[str, tuple[keras.callbacks.Callback, Sequence[str]]],
        *,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.card = card
        self.tracked = tracked
        # As it is when it is read back, where tuples are lists.
        self.identity = json.loads(json.dumps(identity or {}))
        self.monitor = card.task.monitor
        self.rows: list[dict[str, float]] = []
        self.best_epoch = -1
        self.best_memory: dict[str, dict[str, Any]] = {}
        self.stopped = False
        self.seconds = 0.0
        self._clock = time.monotonic()
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

        Raises:
            InputError: If the snapshot is of a run with other settings, or of another network.
        """
        snapshot = self._snapshots.latest()
        if snapshot is None:
            return False
        facts, arrays = snapshot
        names = self.identity.keys() | facts["identity"].keys()
        if not any(name.startswith(DATA_NAME) for name in facts["identity"]):  # snapshots did not tell of data before
            names = {name for name in names if not name.startswith(DATA_NAME)}
        for name in sorted(names):
            found, expected = facts["identity"].get(name), self.identity.get(name)
            if found != expected:
                raise InputError(
                    f"{self.folder}: the run to resume has {name} {found!r}, the plan says {expected!r}; restore it "
                    "in plan.json, or start over with --overwrite (in Python overwrite=True)"
                )
        # Its variables must exist before values are put into them.
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        restore_variables(model, arrays)
        self.rows = facts["rows"]
        self.best_epoch = facts["best_epoch"]
        self.best_memory = facts["best_memory"]
        self.stopped = facts["stopped"]
        self.seconds = facts["seconds"]
        self._memory = facts["memory"]
        self._remember()
        self._write_log()  # the process may have been killed between snapshot and log
        return True

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Give the other callbacks their memory back, after they have reset themselves."""
        self._clock = time.monotonic()
        self._remember()

    def warn_of_loss(self) -> None:
        """Warn that a training starts over where it was to be resumed, if there is anything to lose."""
        replaced = [name for name in (LOG_NAME, RUN_MODEL_NAME) if (self.folder / name).exists()]
        if replaced or self._snapshots.has_any():
            _LOG.warning(
                "warning: %s: no snapshot in state/ can be read; the training starts over from epoch 1%s",
                self.folder,
                f" and replaces {' and '.join(replaced)}" if replaced else "",
            )

    def start_over(self) -> None:
        """Remove what an earlier run has left in the folder, so that nothing of it can be taken for this one's."""
        for name in ("state", "tensorboard"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in (LOG_NAME, RUN_MODEL_NAME):
            (self.folder / name).unlink(missing_ok=True)

    def _remember(self) -> None:
        for name, values in self._memory.items():
            for attribute, value in values.items():
                setattr(self.tracked[name][0], attribute, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep what this epoch has brought."""
        self.rows.append({"epoch": epoch, **{name: float(value) for name, value in (logs or {}).items()}})
        memory = {
            name: {attribute: getattr(callback, attribute) for attribute in attributes}
            for name, (callback, attributes) in self.tracked.items()
        }
        score = self.rows[-1][self.monitor.name]
        if self.best_epoch < 0 or self.monitor.is_better(score, self.rows[self.best_epoch][self.monitor.name]):
            # Deep, as a list of rows would grow with later epochs.
            self.best_epoch, self.best_memory = epoch, copy.deepcopy(memory)
            (self.folder / "state").mkdir(parents=True, exist_ok=True)
            save_model(self.model, self._best_path(epoch), self.card)
        self.stopped = bool(self.model.stop_training)
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        facts = {
            "rows": self.rows,
            "best_epoch": self.best_epoch,
            "best_memory": self.best_memory,
            "stopped": self.stopped,
            "seconds": self.seconds,
            "identity": self.identity,
            "memory": memory,
        }
        # After the best model, so that a snapshot never names one that is not there.
        self._snapshots.write(epoch + 1, self.model, facts)
        self._write_log()
        # The best model of the snapshot before stays too, in case this one cannot be read.
        for path in sorted((self.folder / "state").glob("best-*.keras"))[:-2]:
            path.unlink()

    def publish(self) -> pathlib.Path:
        """Make the best model ``model.keras`` of the run folder and return its path.

        Raises:
            InputError: If the best model is not there, neither as it was kept nor as it was published before, or its
                losses are not finite, as earlier versions kept them.
        """
        row = self.rows[self.best_epoch]
        for name in ("loss", "val_loss", self.monitor.name):
            if not math.isfinite(row.get(name, 0.0)):
                raise InputError(
                    f"{self.folder}: the training has diverged ({name} is {row[name]}); start over with --overwrite "
                    "(in Python overwrite=True) and a lower learning rate"
                )
        published = self.folder / RUN_MODEL_NAME
        best = self._best_path(self.best_epoch)
        if best.exists():
            # Copied under another name first: a published model is replaced in one step or not at all.
            shutil.copyfile(best, unfinished := self.folder / f".{RUN_MODEL_NAME}.unfinished")
            os.replace(unfinished, published)
        elif not published.exists():
            raise InputError(
                f"{best}: the best model of the run is missing; start over with --overwrite (in Python overwrite=True)"
            )
        return published

    @property
    def best_row(self) -> dict[str, float]:
        """The logs of the best epoch; ``"epoch"`` is counted from 1, as in ``log.csv``."""
        return {**self.rows[self.best_epoch], "epoch": self.best_epoch + 1}

    def tidy(self) -> None:
        """Remove what a finished and published run does not need to be resumed to more epochs."""
        self._snapshots.keep_newest()
        if (self.folder / RUN_MODEL_NAME).exists():
            for path in (self.folder / "state").glob("best-*.keras"):
                path.unlink()

    def _best_path(self, epoch: int) -> pathlib.Path:
        return self.folder / "state" / f"best-{epoch:05d}.keras"

    def _write_log(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "epoch": number} for number, row in enumerate(self.rows, 1))
        with whole_file(self.folder / LOG_NAME, overwrite=True) as unfinished:
            unfinished.write_text(text.getvalue())
