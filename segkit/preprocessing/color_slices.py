"""Colour grey slices by their neighbours, for networks that compute at a size of their own."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from segkit.errors import InputError
from segkit.preprocessing.colored_stack import ColoredStack
from segkit.preprocessing.colorings import COLORINGS, WHITE, Coloring
from segkit.preprocessing.grey_values import EXCHANGED, GreyValues, grey_mismatch
from segkit.preprocessing.preprocessing import PREPROCESSINGS
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.preprocessing.resized_slices import ResizedSlices, colored_slices, cut_windows


@PREPROCESSINGS.register("coloring")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ColorSlices:
    """Three channels for every slice, as wholes or in windows, which the network resizes to its own size.

    Attributes:
        coloring: How slices are coloured, or the dict that ``COLORINGS.to_dict`` makes of it.
        windows: Number of overlapping squares along y and x that a slice is cut into; ``None`` for whole slices.

    Raises:
        ValueError: If ``coloring`` is something else, or ``windows`` is not two positive whole numbers.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Secs. 2.2 and 3.3.
    """

    coloring: Coloring
    windows: tuple[int, int] | None = None
    kind: ClassVar[str]
    num_channels: ClassVar[int] = 3
    resizes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.coloring, Mapping):
            object.__setattr__(self, "coloring", COLORINGS.from_dict(self.coloring))
        if not hasattr(self.coloring, "color"):
            raise ValueError(
                f"`coloring` must be a colouring, or an object with its kind. Received: coloring={self.coloring!r}"
            )
        if self.windows is not None:
            object.__setattr__(self, "windows", tuple(self.windows))
            if len(self.windows) != 2 or not all(isinstance(n, numbers.Integral) and n > 0 for n in self.windows):
                raise ValueError(
                    f"`windows` must be two positive whole numbers (y, x). Received: windows={self.windows!r}"
                )

    def settings(self) -> dict[str, Any]:
        """Return the fields as ``json`` writes them."""
        return {"coloring": COLORINGS.to_dict(self.coloring), "windows": self.windows}

    def measured(
        self, slices: Sequence[tuple[Any, Iterable[int]]], progress: Callable[[int, int], None] | None = None
    ) -> ColorSlices:
        """Return it as it is: colours are between 0 and 1 whatever the grey values."""
        return self

    def open(self, stack: Any) -> ColoredStack:
        """Return a reader of the coloured slices, 16 bits as those that are trained on."""
        return ColoredStack(stack, self.coloring)

    def training_array(self, stack: Any, size_px: int) -> ResizedSlices:
        """Return the coloured slices, or their windows, at one size, each made when it is first read, 16 bits."""
        return colored_slices(stack, self.coloring, size_px, cut_windows(stack.shape[1:], self.windows))

    def finish(
        self, voxels: np.ndarray, out: np.ndarray | None = None, *, gain: float = 1.0, shift: float = 0.0
    ) -> np.ndarray:
        """Return colours from 0 to 1, times ``gain`` plus ``shift``, float32.

        Args:
            voxels: Colours, 16 bits with 65535 for 1, or floating point in [0, 1]; channels last.
            out: Where to write.
            gain: Factor.
            shift: Summand.
        """
        out = np.empty(voxels.shape, np.float32) if out is None else out
        white = WHITE if voxels.dtype == np.uint16 else 1
        np.multiply(voxels, np.float32(gain / white), out=out, dtype=np.float32, casting="unsafe")
        if shift:
            out += np.float32(shift)
        return out

    def to_grey_values(self, values: Any) -> Any:
        """Refuse: a slice's own grey values are not kept in its colours.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "coloured slices cannot be converted back to grey values; choose the preprocessing 'standardize' for "
            "networks that return images"
        )

    @property
    def scale_axes(self) -> str:
        """All axes where colours depend on neighbouring slices."""
        return "zyx" if getattr(self.coloring, "looks_along_z", True) else "yx"

    @property
    def is_measured(self) -> bool:
        """Nothing is left open."""
        return True

    def known_grey_values(self, dtype: str | None) -> GreyValues | None:
        """Return the type, which is what matters for CLAHE; nothing else is known."""
        return None if dtype is None else GreyValues(dtype=dtype, mean=0.0, std=math.inf)

    def mismatch(self, found: GreyValues, trained: GreyValues, *, exchanged: str = EXCHANGED) -> str | None:
        """Return a line where a colouring that equalises meets bytes and was trained on another type, or vice versa, or
        where brightness or contrast is another one, or inverted.
        """
        if isinstance(self.coloring, Pseudocoloring) and (found.dtype == "uint8") != (trained.dtype == "uint8"):
            return (
                f"holds {found.dtype}, but the model was trained on {trained.dtype}, and CLAHE treats uint8 unlike all "
                "other types: slices are coloured differently, and the result may be worse; save it in the type of the "
                "training data"
            )
        # Equalised bytes keep some of the brightness and contrast that they had; all else is stretched.
        keeps_contrast = isinstance(self.coloring, Pseudocoloring) and found.dtype == trained.dtype == "uint8"
        keeps_contrast = keeps_contrast and math.isfinite(trained.std)  # cards of before know the type alone
        counts = ("mean", "deviation", "polarity") if keeps_contrast else ("polarity",)
        return grey_mismatch(found, trained, counts, exchanged=exchanged)

    def in_graph(self, slices: Any) -> None:
        """Return ``None``: equalising a neighbour's histogram is no operation of a backend."""
        return None
