"""Fit a network to patches, resumably."""

from __future__ import annotations

import importlib.util
import logging
import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from segkit.data.sampler import LOGITS, PatchSampler, Spans, named_targets
from segkit.errors import InputError
from segkit.models.card import ModelCard
from segkit.monitor import Monitor
from segkit.training.decay_on_plateau import DecayOnPlateau
from segkit.training.plan import TrainingPlan
from segkit.training.resumable import Resumable
from segkit.training.stop_diverged import StopDiverged

_LOG = logging.getLogger(__name__)

_MAY_CHANGE = ("epochs",)  # a run may be resumed to more epochs


def fit(
    model: keras.Model,
    training: PatchSampler,
    validation: PatchSampler,
    plan: TrainingPlan,
    folder: str | os.PathLike[str],
    card: ModelCard,
    *,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    identity: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Resumable:
    """Fit a network until the score that its task monitors stops improving, or the epochs are used up.

    Everything a resumed run needs is in ``folder`` after every epoch. With ``resume`` the run continues after its last
    finished epoch: weights, optimizer, learning rate, early stopping, order and augmentation of the patches are as
    if it had never been interrupted.

    Args:
        model: Network with the outputs of the card's task; compiled here.
        training: Source of the training patches.
        validation: Source of the validation patches, not shuffled.
        plan: How to train.
        folder: Run folder.
        card: Card of the model that is kept; its task says what is learnt.
        resume: Continue the run in ``folder``, if there is one.
        callbacks: More callbacks. What one names under ``STATE`` (attributes that ``json`` writes) a resumed run puts
            back; others have no memory.
        identity: What else must be the same where the run is resumed, such as its data, as ``json`` writes it.
        progress: Called as ``progress(done, total)`` after every training step, in steps.

    Returns:
        The record of the run: rows, best epoch, and ``publish()`` for the model file.

    Raises:
        InputError: If the run to resume has had other settings, or more epochs, or the loss is not finite.
        ValueError: If the network has other outputs than the task, the task monitors a score that its losses and
            metrics do not give, or two callbacks of one name have a ``STATE``.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    task, monitor = card.task, card.task.monitor
    task.compile(model, plan.learning_rate)
    # Callbacks with a memory, and the record that keeps it.
    plateau = DecayOnPlateau(
        plan.learning_rate,
        plan.decay,
        factor=plan.plateau_factor,
        patience=plan.plateau_patience,
        monitor=monitor.name,
        mode=monitor.mode,
    )
    stopping = keras.callbacks.EarlyStopping(
        monitor=monitor.name, mode=monitor.mode, patience=plan.early_stopping_patience
    )
    alarms = task.alarms()
    tracked = _tracked(plateau, stopping, alarms, callbacks)
    record = Resumable(folder, card, tracked, identity={**_identity(plan, card), **(identity or {})})
    # Continue or start over.
    if not (resume and record.resume(model)):
        if resume:
            record.warn_of_loss()
        record.start_over()
    if record.epochs_done > plan.epochs:
        raise InputError(
            f"{folder}: {record.epochs_done} epochs are done, only {plan.epochs} were requested; request at least "
            "as many"
        )
    if record.stopped or record.epochs_done >= plan.epochs:
        return record
    # Train. The stream and the epochs go on where the record stands.
    build_compiled(model, validation, task.spans)
    check_monitor(model, monitor, task.spans)
    steps = training.steps_per_epoch
    shown = [StepProgress(progress, steps, plan.epochs)] if progress else []
    model.fit(
        stream(training, first_epoch=record.epochs_done, outputs=task.spans),
        steps_per_epoch=steps,
        initial_epoch=record.epochs_done,
        epochs=plan.epochs,
        # The stream has no end: `validation_steps` ends each validation after all patches.
        validation_data=stream(validation, outputs=task.spans),
        validation_steps=validation.steps_per_epoch,
        # PlainNames stands before all that look at scores, Resumable after all that have a memory, and EpochLog last:
        # an epoch that was told of is kept, and is never trained again.
        callbacks=[
            PlainNames(list(task.spans)),
            plateau,
            stopping,
            *(callback for callback, _ in alarms.values()),
            *_tensorboard(folder),
            *callbacks,
            *shown,
            StopDiverged(monitor.name),
            record,
            EpochLog(plan.epochs, monitor),
        ],
        shuffle=False,  # the stream is in its order already
        verbose=0,
    )
    return record


def _tracked(
    plateau: DecayOnPlateau,
    stopping: keras.callbacks.EarlyStopping,
    alarms: Mapping[str, tuple[keras.callbacks.Callback, Sequence[str]]],
    callbacks: Sequence[keras.callbacks.Callback],
) -> dict[str, tuple[keras.callbacks.Callback, Sequence[str]]]:
    """Return callbacks with a memory by name, with the attributes that a resumed run puts back."""
    tracked = {
        "plateau": (plateau, DecayOnPlateau.STATE),
        "early_stopping": (stopping, ("best", "wait", "best_epoch", "stopped_epoch")),
        **alarms,
    }
    for one in callbacks:
        if hasattr(one, "STATE"):
            name = type(one).__name__
            if name in tracked:
                raise ValueError(
                    f"`callbacks` with a `STATE` must be of classes with names of their own. Received: a second {name}"
                )
            tracked[name] = (one, one.STATE)
    return tracked


def _identity(plan: TrainingPlan, card: ModelCard) -> dict[str, Any]:
    """Return what must be the same where a training is resumed."""
    settings = {name: value for name, value in plan.to_dict().items() if name not in _MAY_CHANGE}
    return {**settings, "task": card.task.learning(), "preprocessing": card.to_dict()["preprocessing"]}


def build_compiled(model: keras.Model, sampler: PatchSampler, outputs: Spans = LOGITS) -> None:
    """Build loss and metrics of a compiled model from one batch.

    ``fit`` would do it by drawing a batch from the stream, and outside TensorFlow that batch is then lost.
    """
    images, targets = sampler.batch(0)
    images, targets = images[:1], named_targets(targets[:1], outputs)
    # Zeros in place of predictions: running the network would trace it once more, for seconds.
    specs = model.compute_output_spec(keras.KerasTensor(images.shape, images.dtype))
    predictions = keras.tree.map_structure(lambda spec: keras.ops.zeros(spec.shape, spec.dtype), specs)
    model.compute_loss(images, targets, predictions)
    model.compute_metrics(images, targets, predictions)
    model.reset_metrics()


def check_monitor(model: keras.Model, monitor: Monitor, outputs: Spans = LOGITS) -> None:
    """Refuse a monitor that no epoch will have.

    Args:
        model: Compiled network whose loss and metrics are built.
        monitor: The score that the training is to follow.
        outputs: Names of the outputs, the main one first.

    Raises:
        ValueError: If its name is not that of a loss or a metric.
    """
    scores = {start + name: 0.0 for start in ("", "val_") for name in model.get_metrics_result()}
    PlainNames(list(outputs)).on_epoch_end(0, scores)
    if monitor.name not in scores:
        raise ValueError(
            f"`monitor` must be a score of the task's losses and metrics: {', '.join(scores)}. "
            f"Received: {monitor.name!r}"
        )


def stream(sampler: PatchSampler, *, first_epoch: int = 0, outputs: Spans = LOGITS) -> Any:
    """Return a sampler's endless stream of epochs as what this backend trains from best."""
    if keras.backend.backend() == "tensorflow":
        from segkit.data.pipeline import patch_dataset  # needs TensorFlow, which other backends do without

        return patch_dataset(sampler, first_epoch=first_epoch, outputs=outputs)
    from segkit.data.py_pipeline import PatchPyDataset

    return PatchPyDataset(sampler, first_epoch=first_epoch, outputs=outputs)


class PlainNames(keras.callbacks.Callback):
    """Call the scores of a network's main output by their plain names.

    Keras puts the name of the output before them as soon as a network has another one.

    Args:
        outputs: Names of the outputs, the main one first.
    """

    def __init__(self, outputs: Sequence[str]) -> None:
        super().__init__()
        self._main, *others = outputs
        self._others = [f"{name}_" for name in others if name.startswith(f"{self._main}_")]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Rename."""
        # A copy of the names, as the dict is changed on the way. Losses keep theirs: `loss` is the sum over outputs.
        for name in list(logs or {}):
            start = "val_" if name.startswith("val_") else ""
            score = name.removeprefix(start)
            is_of_main = score.startswith(f"{self._main}_") and not score.startswith(tuple(self._others))
            if is_of_main and score != f"{self._main}_loss":
                logs[start + score.removeprefix(f"{self._main}_")] = logs.pop(name)


class StepProgress(keras.callbacks.Callback):
    """Report every training step of all epochs.

    Args:
        progress: Called as ``progress(done, total)``.
        steps_per_epoch: Steps of an epoch.
        epochs: Epochs at most.
    """

    def __init__(self, progress: Callable[[int, int], None], steps_per_epoch: int, epochs: int) -> None:
        super().__init__()
        self._progress = progress
        self._steps = steps_per_epoch
        self._total = steps_per_epoch * epochs
        self._done = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stand at the first step of the epoch."""
        self._done = epoch * self._steps
        self._progress(self._done, self._total)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count one step."""
        self._done += 1
        self._progress(self._done, self._total)


class EpochLog(keras.callbacks.Callback):
    """Log one line per epoch.

    Args:
        epochs: Epochs at most.
        monitor: The score that is shown next to the loss.
    """

    def __init__(self, epochs: int, monitor: Monitor) -> None:
        super().__init__()
        self._epochs = epochs
        self._monitor = monitor
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the scores of the epoch."""
        logs, monitor = logs or {}, self._monitor
        shown = {"loss": "loss", monitor.training_name: monitor.title}
        parts = [f"{title} {logs[name]:.4f}" for name, title in shown.items() if name in logs]
        parts += [f"validation {title} {logs[f'val_{name}']:.4f}" for name, title in shown.items()]
        _LOG.info(
            "epoch %d/%d: %s, rate %.2e, %.0f s",
            epoch + 1,
            self._epochs,
            ", ".join(parts),
            logs["learning_rate"],
            time.monotonic() - self._start,
        )


def _tensorboard(folder: pathlib.Path) -> list[keras.callbacks.Callback]:
    if importlib.util.find_spec("tensorflow") is None:
        _LOG.info("no TensorBoard log: it is written by TensorFlow, which is not installed")
        return []
    return [keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)]
