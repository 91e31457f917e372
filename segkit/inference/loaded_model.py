"""A model together with its card, ready to predict."""

from __future__ import annotations

import dataclasses
import os

import keras
import numpy as np

from segkit.errors import InputError
from segkit.inference.compiled import probability_model
from segkit.models.card import ModelCard
from segkit.models.check_outputs import check_outputs
from segkit.models.files import load_model, read_card


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """A model and what its card says about it.

    Args:
        model: Network from slices as the card's preprocessing makes them, shape ``(batch, y, x, channels)``, or from
            volumes, ``(batch, z, y, x, channels)``, to the outputs of the card's task.
        card: Its task, preprocessing, voxel size and the context it needs.

    Raises:
        InputError: If the model does not take slices or volumes of any size and of the preprocessing's channels, or
            lacks an output of the task.
    """

    model: keras.Model
    card: ModelCard
    _ready: dict[str, keras.Model] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse networks that cannot take slices."""
        shape = self.model.input_shape
        if not isinstance(shape, tuple) or len(shape) not in (4, 5):
            raise InputError(
                f"{self.card.name}: the model takes inputs of shape {shape}, expected one input of slices "
                "(batch, y, x, channels) or of volumes (batch, z, y, x, channels)"
            )
        if shape[-1] != (given := self.card.preprocessing.num_channels):
            raise InputError(
                f"{self.card.name}: the model takes {shape[-1]} channels, its card gives {given}; save it with a card "
                "of its own"
            )
        if any(size is not None for size in shape[1:-1]):
            any_size = ", ".join(["None"] * (len(shape) - 2))
            raise InputError(
                f"{self.card.name}: the model takes only inputs of {' x '.join(map(str, shape[1:-1]))} pixels, "
                f"expected any size; build it with input_shape=({any_size}, {shape[-1]})"
            )
        if self.card.preprocessing.resizes and len(shape) == 5:
            raise InputError(
                f"{self.card.name}: the model takes volumes, but its preprocessing makes slices; save it with a card "
                "of its own"
            )
        check_outputs(self.model, self.card)

    @property
    def takes_volumes(self) -> bool:
        """Whether the network takes volumes, and not slices one by one."""
        return len(self.model.input_shape) == 5

    def probability_model(self, precision: str = "float32") -> keras.Model:
        """Return the network that ends in maps, always the same one: volume after volume, traced once.

        A copy of another precision than the model's own is made again when the model's weights have changed.
        """
        if precision not in self._ready or not _has_weights_of(self._ready[precision], self.model):
            facts = {"task": self.card.task, "preprocessing": self.card.preprocessing}
            self._ready[precision] = probability_model(self.model, precision, **facts)
        return self._ready[precision]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> LoadedModel:
        """Open a ``.keras`` file or a run folder.

        Raises:
            InputError: If it is not a model, has no card, or cannot be used on slices.
        """
        return cls(load_model(path), read_card(path))


def _has_weights_of(outer: keras.Model, model: keras.Model) -> bool:
    """Return whether a network that ends in maps holds a model, or a copy with its weights."""
    inner = next(layer for layer in outer.layers if isinstance(layer, keras.Model))
    if inner is model:
        return True
    pairs = zip(inner.get_weights(), model.get_weights(), strict=True)
    return all(np.array_equal(mine, other, equal_nan=mine.dtype.kind == "f") for mine, other in pairs)
