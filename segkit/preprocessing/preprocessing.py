"""What every preprocessing offers, and the kinds there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from segkit.preprocessing.grey_values import EXCHANGED, GreyValues
from segkit.registry import Registry

PREPROCESSINGS = Registry(
    "preprocessing",
    {
        "standardize": "segkit.preprocessing.standardize",
        "standardize_each": "segkit.preprocessing.standardize_each",
        "coloring": "segkit.preprocessing.color_slices",
    },
)
"""Kinds of preprocessing by name; ``PREPROCESSINGS.register("name")`` adds one."""


class SliceReader(Protocol):
    """A stack as it is prepared slice by slice."""

    def read(self, z: int) -> np.ndarray:
        """Return slice ``z``, ``(y, x)`` or ``(y, x, channels)``, in the type in which it is kept."""


class Preprocessing(Protocol):
    """What is done to the voxels of a volume before a network sees them.

    It has two steps, so that slices are kept in the few bytes of their file while they are cut into tiles or patches:
    ``open`` makes what needs a whole slice or its neighbours, ``finish`` turns any piece of that into what the network
    is given. ``in_graph`` is both for served models, in the operations of a backend.

    Attributes:
        kind: Name in plans and model cards.
        num_channels: Channels of what the network is given.
        resizes: The network computes at a size of its own: slices, or windows of them, are resized to it as wholes, and
            are never cut into tiles.
        scale_axes: Axes along which the input depends on the size of voxels: ``"yx"``, or ``"zyx"`` where neighbouring
            slices are looked at.
        windows: Number of overlapping squares along y and x that a slice is cut into before; ``None`` for whole slices.
    """

    kind: ClassVar[str]
    num_channels: int
    resizes: bool
    scale_axes: str
    windows: tuple[int, int] | None

    def measured(
        self, slices: Sequence[tuple[Any, Iterable[int]]], progress: Callable[[int, int], None] | None = None
    ) -> Preprocessing:
        """Return the preprocessing with what it leaves open measured on training slices.

        Args:
            slices: Pairs of an array ``(z, y, x)`` and the indices of its slices to take.
            progress: Called as ``progress(done, total)`` after each slice.
        """

    def open(self, stack: Any) -> SliceReader:
        """Return a reader of the slices of a stack ``(z, y, x)``."""

    def training_array(self, stack: Any, size_px: int) -> Any:
        """Return an array that patches are cut from, ``(z, y, x)`` or with channels, read by slices.

        Args:
            stack: Grey values, ``(z, y, x)``.
            size_px: Side of the patches; where slices are resized as wholes, what they are resized to [px].
        """

    def finish(
        self, voxels: np.ndarray, out: np.ndarray | None = None, *, gain: float = 1.0, shift: float = 0.0
    ) -> np.ndarray:
        """Return what the network is given for a piece of a slice or volume as ``open`` reads it.

        Args:
            voxels: Any shape, with several channels these last.
            out: Where to write, float32 with channels last; a new array by default.
            gain: Factor of the result, for augmentation.
            shift: Added to it.

        Returns:
            float32, with channels last.
        """

    def to_grey_values(self, values: Any) -> Any:
        """Return values on the scale of the network's input as grey values: the inverse of the preprocessing.

        Args:
            values: An image on that scale, any shape, float32, an array of NumPy or a tensor.

        Raises:
            InputError: If the preprocessing has no inverse.
        """

    @property
    def is_measured(self) -> bool:
        """Whether nothing is left open."""

    def known_grey_values(self, dtype: str | None) -> GreyValues | None:
        """Return what is known of the grey values of the training where the card does not hold them; or ``None``.

        Args:
            dtype: Type of the training voxels; ``None`` where it is unknown.
        """

    def mismatch(self, found: GreyValues, trained: GreyValues, *, exchanged: str = EXCHANGED) -> str | None:
        """Return why the preprocessing does not fit the grey values of a volume; ``None`` where it does.

        Args:
            found: Grey values of a volume that is to be predicted.
            trained: Those of the training.
            exchanged: What is said of light and dark that are exchanged.
        """

    def in_graph(self, slices: Any) -> Any | None:
        """Return what the network is given for whole slices as tensors ``(batch, y, x)``, or ``None``.

        ``None`` where a graph cannot hold it: clients of a served model then send what ``open`` and ``finish`` make.
        """
