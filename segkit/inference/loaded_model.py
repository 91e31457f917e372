"""A model together with its card, ready to predict."""

from __future__ import annotations

import dataclasses
import os

import keras

from segkit.errors import InputError
from segkit.inference.compiled import probability_model
from segkit.models.card import ModelCard
from segkit.models.files import load_model, read_card


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """A model and what its card says about it.

    Args:
        model: Network from normalised slices, shape ``(batch, y, x, 1)``, or from coloured ones, ``(batch, y, x, 3)``,
            to ``{"logits": (batch, y, x, logits)}``: one, or one a class of the card.
        card: Its normalisation, threshold, voxel size and the context it needs.

    Raises:
        InputError: If the model does not take slices of one channel and of any size, or gives no ``logits``.
    """

    model: keras.Model
    card: ModelCard
    _ready: dict[str, keras.Model] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse networks that slices can not be given to."""
        shape = self.model.input_shape
        if not isinstance(shape, tuple) or len(shape) != 4:
            raise InputError(
                f"{self.card.name}: the model takes inputs of shape {shape}, expected one slice-wise input "
                "(batch, y, x, 1); choose a 2-D model"
            )
        if shape[-1] != self.card.num_channels:
            remedy = "choose a model trained on one channel" if self.card.coloring is None else "save it with its card"
            given = "a volume has 1" if self.card.coloring is None else f"its card colours {self.card.num_channels}"
            raise InputError(f"{self.card.name}: the model takes {shape[-1]} channels, {given}; {remedy}")
        if shape[1:3] != (None, None):
            raise InputError(
                f"{self.card.name}: the model takes only slices of {shape[1]} x {shape[2]} pixels, expected "
                "any size; build it with input_shape=(None, None, 1)"
            )
        if "logits" not in self.model.output_names:
            raise InputError(
                f"{self.card.name}: the model gives {', '.join(self.model.output_names)}, expected logits; "
                "save the network that was trained by segkit"
            )
        if (found := self.model.output["logits"].shape[-1]) != self.card.num_logits:
            raise InputError(
                f"{self.card.name}: the model gives {found} logits a pixel, its card names "
                f"{self.card.num_logits}; save it with a card of its own classes"
            )
        self._check_centers()

    def _check_centers(self) -> None:
        needed = self.card.num_maps > self.card.num_logits
        if needed != ("centers" in self.model.output_names):
            raise InputError(
                f"{self.card.name}: the model gives {', '.join(self.model.output_names)}, its card tells objects apart "
                f"{'by' if needed else 'without'} centres; save it with a card of its own"
            )

    def probability_model(self, precision: str = "float32") -> keras.Model:
        """Return the network that ends in probabilities, always the same one: volume after volume, traced once."""
        if precision not in self._ready:
            self._ready[precision] = probability_model(self.model, precision)
        return self._ready[precision]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> LoadedModel:
        """Open a ``.keras`` file or a run folder.

        Raises:
            InputError: If it is none, carries no card, or can not be used on slices.
        """
        return cls(load_model(path), read_card(path))
