"""What a network learns, as one object that plan and model card store and every step of a run uses."""

from __future__ import annotations

import abc
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from segkit.errors import InputError
from segkit.monitor import Monitor
from segkit.registry import Registry
from segkit.tasks.output import Output, check_outputs

if TYPE_CHECKING:
    import keras

    from segkit.data.sources import LabeledVolume
    from segkit.preprocessing.preprocessing import Preprocessing
    from segkit.report.overlay import Overlay
    from segkit.report.page import Section
    from segkit.targets.target import Target
    from segkit.volumes.volume import Volume

# Keras, SciPy and Matplotlib are imported by the methods that need them: a plan is read, and a mistake in a command
# found, without waiting for them.

TASKS = Registry(
    "task",
    {
        "foreground": "segkit.tasks.foreground",
        "classes": "segkit.tasks.classes",
        "cells": "segkit.tasks.cells",
        "centers": "segkit.tasks.centers",
    },
)
"""Kinds of tasks by name; ``TASKS.register("name")`` above a frozen dataclass adds one."""

Alarms = dict[str, "tuple[keras.callbacks.Callback, Sequence[str]]"]
"""Name, callback, and the attributes of it that a resumed run must put back."""

ReadSlice = Callable[[int], np.ndarray]
"""From an index along z to what ``Task.keep`` returned for the slice."""

Scored = Sequence["tuple[LabeledVolume, Volume, Any]"]
"""Volumes, what was predicted for them, and the evaluations of both."""


class Task(abc.ABC):
    """A kind of result: from the annotation that it is learnt from to the volume that is written.

    Subclasses are frozen dataclasses of what ``json`` can write, registered by ``TASKS.register``. Training,
    prediction, export, evaluation and report ask the task and never its kind, so a user-defined kind works everywhere.
    A map is an output after its activation, in grey values where it is an image; the maps of all outputs with a
    ``served`` name are joined along the last axis, in the order of ``outputs``.

    Attributes:
        kind: Name in plans and model cards, set by the registration.
        result_name: What the file of a predicted volume is called, without its suffix.
        result_dtype: Type of the voxels of ``decide``.
        predicts_scored_only: After a training only the volumes that are scored are predicted, and not all of them.
        needs_foreground: There is nothing to learn from training slices that are all background.
        decision_settings: Fields that decide the result alone; a training does not depend on them, and is resumed
            with others.
        evaluation_settings: Arguments of ``evaluate`` besides ``slices`` and ``progress`` that have a meaning for the
            kind; ``segkit evaluate`` refuses the others.
        score_titles: Titles of its own scores in the tables of a report, by their names in an evaluation; the scores
            of segkit's kinds have theirs, and what has none is shown among the counts.
    """

    kind: ClassVar[str]
    result_name: ClassVar[str] = "mask"
    result_dtype: ClassVar[str] = "uint8"
    predicts_scored_only: ClassVar[bool] = False
    needs_foreground: ClassVar[bool] = True
    decision_settings: ClassVar[tuple[str, ...]] = ()
    evaluation_settings: ClassVar[tuple[str, ...]] = ("ignore_value",)
    score_titles: ClassVar[Mapping[str, str]] = {}

    # What is learnt

    @property
    @abc.abstractmethod
    def outputs(self) -> tuple[Output, ...]:
        """The outputs that the network must have, the main one first."""

    @property
    @abc.abstractmethod
    def monitor(self) -> Monitor:
        """The score that the checkpoint follows."""

    @abc.abstractmethod
    def losses(self) -> dict[str, keras.losses.Loss]:
        """Return a loss for each output."""

    @abc.abstractmethod
    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        """Return metrics by output."""

    def learning(self) -> dict[str, Any]:
        """Return what a training depends on, as ``json`` writes it: kind and settings without those of the decision."""
        return {name: value for name, value in TASKS.to_dict(self).items() if name not in self.decision_settings}

    def optimizer(self, learning_rate: float) -> keras.optimizers.Optimizer:
        """Return the optimizer: Adam."""
        import keras

        return keras.optimizers.Adam(learning_rate)

    def alarms(self) -> Alarms:
        """Return callbacks that warn of what goes wrong in such trainings; none by default.

        Their attribute ``alarms``, a list of lines, is shown in the report after a training.
        """
        return {}

    @abc.abstractmethod
    def target(self, *, weight_limit: float | None, ignore_value: int | None, preprocessing: Preprocessing) -> Target:
        """Return what makes targets of the annotation of a patch.

        Args:
            weight_limit: Bound of the adaptive weights of foreground; ``None`` for none.
            ignore_value: Value of unannotated voxels.
            preprocessing: What is done to the images, for targets that are images too.

        Raises:
            InputError: If the task has no use for one of them.
        """

    @abc.abstractmethod
    def check_annotation(
        self, annotation: Volume, *, ignore_value: int | None, progress: Callable[[int, int], None] | None
    ) -> Any:
        """Check that targets can be made of an annotation.

        Returns:
            What was found out about it, kept as ``LabeledVolume.labels``; ``None`` for nothing.

        Raises:
            InputError: If they cannot be made.
        """

    def annotation_parts(
        self, volume: LabeledVolume, size_px: int | None, windows: Sequence[int] | None, ignore_value: int | None
    ) -> list[Any]:
        """Return the arrays that patches of the annotation are cut from, as ``target`` takes them.

        Args:
            volume: The labeled volume.
            size_px: Side that slices are resized to as wholes; ``None`` where patches are cut from them [px].
            windows: Squares along y and x that slices are cut into before they are resized.
            ignore_value: Value of unannotated voxels.

        Raises:
            InputError: If the annotation cannot be resized.
        """
        if size_px is not None:
            raise InputError(
                f"task {self.kind!r}: its annotation cannot be resized; choose a preprocessing that keeps the size"
            )
        return [volume.mask.array]

    @property
    def resized_ignore_value(self) -> int | None:
        """Value of unannotated pixels in the arrays of ``annotation_parts`` that were resized."""
        return None

    def notices(self, volumes: Sequence[LabeledVolume]) -> list[str]:
        """Return what readers of the results must know about the annotation, one line each."""
        return []

    def build_settings(self) -> dict[str, Any]:
        """Return arguments that a builder of networks needs because of the task."""
        return {}

    def compile(self, model: keras.Model, learning_rate: float) -> None:
        """Compile a network, and build its optimizer.

        Raises:
            ValueError: If the network has other outputs than the task, or losses or metrics are of other ones.
        """
        self.check_model(model)
        losses, metrics = self.losses(), self.metrics()
        for name, by_output in (("losses", losses), ("metrics", metrics)):
            if unknown := by_output.keys() - {output.name for output in self.outputs}:
                raise ValueError(
                    f"`{name}` must name outputs of the task {self.kind!r}: "
                    f"{', '.join(output.name for output in self.outputs)}. Received: {', '.join(sorted(unknown))}"
                )
        shares = {output.name: output.share for output in self.outputs}
        model.compile(
            optimizer=self.optimizer(learning_rate),
            loss=losses,
            # Keras weighs every loss by 1 without them.
            loss_weights=None if set(shares.values()) == {1.0} else shares,
            metrics=metrics,
        )
        # TensorFlow traces the first step twice if it has to make variables on the way.
        model.optimizer.build(model.trainable_variables)

    def check_model(self, model: keras.Model) -> None:
        """Check that a network has the outputs of the task, and that those that become probabilities are logits.

        Raises:
            ValueError: If it has not, or one of these outputs ends in an activation.
        """
        check_outputs(model, self.outputs, self.kind)

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """Channels of the target that each output is compared with, by its name."""
        return {output.name: output.span for output in self.outputs}

    # What is made of the maps

    @property
    def predicted(self) -> tuple[Output, ...]:
        """The outputs whose maps are predicted."""
        return tuple(output for output in self.outputs if output.served is not None)

    @property
    def num_maps(self) -> int:
        """Number of maps of a voxel."""
        return sum(output.channels for output in self.predicted)

    def maps(self, outputs: Mapping[str, Any], preprocessing: Preprocessing) -> Any:
        """Return the maps of a network's outputs, float32, joined along the last axis; on any Keras backend.

        Args:
            outputs: Outputs of the network by name.
            preprocessing: What was done to its input, measured.

        Raises:
            InputError: If an output is an image and the preprocessing has no inverse.
        """
        from keras import ops

        maps = []
        for output in self.predicted:
            values = output.activated(outputs[output.name])
            maps.append(preprocessing.to_grey_values(values) if output.in_grey_values else values)
        return maps[0] if len(maps) == 1 else ops.concatenate(maps, axis=-1)

    @abc.abstractmethod
    def decide(self, maps: Any, xp: Any = np) -> Any:
        """Return the result of every voxel, of a block or of slices inside a served model.

        Args:
            maps: Maps, shape ``(..., num_maps)``, an array of NumPy or a tensor.
            xp: ``numpy``, or ``keras.ops`` for tensors.

        Returns:
            Result, shape ``(...)``; the caller casts it to ``result_dtype``.
        """

    @property
    def served_decision(self) -> str | None:
        """Name under which a served model gives what ``decide`` returns; ``None`` where the maps say it all."""
        return "mask"

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels of the result from 1 on; empty where it is one structure."""
        return ()

    @property
    def background(self) -> str:
        """Name of the label 0."""
        return "background"

    def with_threshold(self, threshold: float) -> Task:
        """Return the task with another threshold.

        Raises:
            InputError: If it decides by none.
        """
        raise InputError(f"{self._what_it_gives}; leave out --threshold")

    def averaged(self, others: Sequence[Task]) -> Task:
        """Return the task that decides on the mean of the maps of several networks; by default this one.

        Args:
            others: Tasks of the same kind, those of the other networks.

        Raises:
            InputError: If their settings do not fit together.
        """
        return self

    @property
    def probability_map(self) -> int:
        """Place of the map that is written where a probability is asked for.

        Raises:
            InputError: If no single map is one.
        """
        raise InputError(f"{self._what_it_gives}; leave out --probability")

    @property
    def used_alone(self) -> str | None:
        """Why results of several models cannot be merged; ``None`` where they can, by ``claim``."""
        return f"{self._what_it_gives} and is used alone; run the models one by one"

    def claim(self, maps: np.ndarray) -> np.ndarray:
        """Return how strongly a model claims each voxel where several are merged; the strongest one gives the label.

        Args:
            maps: Maps, shape ``(..., num_maps)``.

        Returns:
            Shape ``(...)``: the probability where ``decide`` is true, else 0.
        """
        return np.where(self.decide(maps), maps[..., self.probability_map], np.float32(0))

    _what_it_gives: ClassVar[str] = "the model gives a result of its own kind"

    def keep(self, maps: np.ndarray, decided: np.ndarray) -> np.ndarray:
        """Return what is kept of a slice or block until all are predicted; by default what is decided.

        Args:
            maps: Its maps, shape ``(..., num_maps)``.
            decided: What ``decide`` returned for them, shape ``(...)``.
        """
        return decided.astype(self.result_dtype)

    @property
    def kept(self) -> tuple[int | None, str]:
        """Channels (``None`` for no such axis) and type of what ``keep`` returns."""
        return None, self.result_dtype

    def finish(
        self,
        read_slice: ReadSlice,
        shape: tuple[int, int, int],
        *,
        voxel_size: Sequence[float],
        voxel_volume: float = 1.0,
        folder: pathlib.Path,
        max_ram: int | None,
    ) -> Any:
        """Return the whole result of what was kept of every slice, as an array or one that is read lazily.

        Args:
            read_slice: Returns what was kept of a slice.
            shape: Extent along (z, y, x).
            voxel_size: Extent of a voxel along (z, y, x), in the unit of the distances in the task's settings.
            voxel_volume: Volume of a voxel, in voxels of the data that the settings are meant for.
            folder: For files that live as long as the result is read.
            max_ram: Bound on the memory of the process [byte]; ``None`` for half of what is free.
        """
        from segkit.volumes.lazy_volume import slice_stack

        return slice_stack(read_slice, shape, np.dtype(self.result_dtype))

    @property
    def is_counted(self) -> bool:
        """Whether the result is made of labels whose voxels are counted, and not of values."""
        return np.dtype(self.result_dtype).kind in "biu"

    def count_labels(self, decided: np.ndarray) -> np.ndarray:
        """Return the voxels of every label from 1 on in a slice or block, int64; none where the result is values.

        Args:
            decided: What ``decide`` returned for it.
        """
        if not self.is_counted:
            return np.zeros(0, np.int64)
        count = max(len(self.labels), 1)
        return np.bincount(decided.astype(np.int64).ravel(), minlength=count + 1)[1:]

    def summary(self, result: Any) -> str | None:
        """Return a line about a whole result for the log, such as its number of objects; ``None`` for none."""
        return None

    # How it is scored and shown

    @classmethod
    def of_reference(
        cls, reference: Volume, *, ignore_value: int | None = None, label_names: Sequence[str] | None = None
    ) -> Task:
        """Return a task that scores results against a reference, where no model's card says which.

        Args:
            reference: The annotation.
            ignore_value: Value of unannotated voxels.
            label_names: Names of the labels from 0 on, as the legend of a label volume has them.

        Raises:
            InputError: If the kind has settings that cannot be told from a reference.
        """
        return TASKS.from_dict({"kind": cls.kind})

    @abc.abstractmethod
    def evaluate(
        self,
        prediction: Volume,
        reference: Volume,
        *,
        slices: Sequence[int] | None = None,
        ignore_value: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """Return the scores of a predicted volume against its annotation.

        Returns:
            An evaluation: it has ``to_dict()`` with ``"total"`` and ``"slices"``, ``to_table()``, and another one is
            added to it by ``+``.
        """

    def doubts(
        self,
        evaluation: Any,
        prediction: Volume,
        reference: Volume,
        *,
        slices: Sequence[int] | None = None,
        ignore_value: int | None = None,
    ) -> list[tuple[Volume, str]]:
        """Return what looks wrong about two volumes that were scored; nothing by default.

        Args:
            evaluation: What ``evaluate`` returned for them.
            prediction: The predicted volume.
            reference: Its annotation.
            slices: The slices that were scored; all by default.
            ignore_value: Value of unannotated voxels.

        Returns:
            Which of the two is meant, and a line about it without its name.
        """
        return []

    @abc.abstractmethod
    def headline(self, scores: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the numbers that matter, as name and value, from what ``scores.json`` holds."""

    def overlays(self, scored: Scored, ignore_value: int | None) -> list[Overlay]:
        """Return pictures of scored slices; none by default."""
        return []

    def sections(self, scores: Mapping[str, Any], scored: Scored) -> list[Section]:
        """Return more sections of the report; none by default."""
        return []
