"""How a volume is to be predicted."""

from __future__ import annotations

import dataclasses
import numbers
from typing import Any

from segkit.arguments import make_fields_plain
from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.stored_fields import check_types

PRECISIONS = ("float32", "mixed_bfloat16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """The choices of a prediction.

    Args:
        threshold: Probability above which a voxel is foreground, in [0, 1]; each model's own by default. Not together
            with ``probability``, which no threshold changes.
        probability: Write the probability (float32) in place of the mask. One model only, or ``average``.
        average: The models are of one structure, such as the folds of a cross-validation, and the mean of their maps
            is decided on, with the first model's threshold, and the median of the settings that separate objects.
        tta: Average over the eight flips and quarter turns of y and x; eight times the work.
        roi: Box that is predicted; voxels outside stay background. The context around it is still looked at.
        max_ram: Bound on the memory of the whole process [byte]; half of what is free by default. It decides
            between whole slices and tiles; with coloured slices, which are never cut into tiles, between one at a time
            and several; with networks of volumes, how large the boxes are, unless they were begun already.
        halo_px: Context around the part of a tile that is kept [px]; the card's by default. Less than the
            card's is faster and no longer exact: tiles of a slice are then blended; boxes of a volume are not.
        tile_px: Side of the square tiles or of the boxes [px], context included; what fits into memory by default.
        windows: Number of overlapping squares along y and x that slices are cut into, for networks that resize what
            they are given; the card's by default, ``(1, 1)`` for whole slices.
        rescale: Resample slices to the voxel size the model was trained at, and the result back.
        precision: ``"float32"`` or ``"mixed_bfloat16"``.
        match_grey_values: Bring mean and standard deviation of the volume to those of the training data first.
        invert: Exchange light and dark first.

    Raises:
        InputError: If a value is out of its range or of another type, or a threshold and the probability are asked for.
    """

    threshold: float | None = None
    probability: bool = False
    average: bool = False
    tta: bool = False
    roi: Region | None = None
    max_ram: int | None = None
    halo_px: int | None = None
    tile_px: int | None = None
    windows: tuple[int, int] | None = None
    rescale: bool = False
    precision: str = "float32"
    match_grey_values: bool = False
    invert: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        make_fields_plain(self)
        if self.windows is not None and not _is_pair_of_counts(self.windows):
            raise InputError(f"windows {self.windows!r}: expected two whole numbers (y, x), at least 1")
        check_types(PredictOptions, vars(self), "prediction")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InputError(f"threshold {self.threshold}: expected a probability from 0 to 1")
        if self.threshold is not None and self.probability:
            raise InputError(
                f"threshold {self.threshold}: cannot be combined with the probability, which it does not change; leave "
                "out one of them"
            )
        if self.halo_px is not None and self.halo_px < 0:
            raise InputError(f"halo of {self.halo_px} px: expected 0 or more")
        if self.tile_px is not None and self.tile_px <= 2 * (self.halo_px or 0):
            raise InputError(
                f"tile of {self.tile_px} px: expected more than twice the halo of {self.halo_px or 0} px; "
                "give a larger tile or a smaller halo"
            )
        if self.max_ram is not None and self.max_ram <= 0:
            raise InputError(f"memory bound of {self.max_ram} bytes: expected more than 0")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision!r}: expected one of {', '.join(PRECISIONS)}")

    def check_count(self, num_models: int) -> None:
        """Refuse to average a single model.

        Args:
            num_models: Number of models.

        Raises:
            InputError: If there is one, and its mean is asked for.
        """
        if self.average and num_models == 1:
            raise InputError("--average with one model; give several of one structure, or leave it out")

    def what_counts(self) -> dict[str, Any]:
        """Return the choices that decide the result, as ``json`` writes them.

        The memory bound is left out: it decides how a slice or a volume is cut, which changes nothing (less than 1e-5
        in probability) where the halo is the card's. A run that ran out of memory may be resumed with a lower bound;
        boxes of a network of volumes that are too large for it are then computed again.
        """
        choices = dataclasses.asdict(self)
        del choices["max_ram"]
        # A `Region` is not JSON, its text is; JSON knows no tuples.
        roi, windows = self.roi, self.windows
        own = {"roi": None if roi is None else str(roi), "windows": None if windows is None else list(windows)}
        return {**choices, **own}


def _is_pair_of_counts(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(each, numbers.Integral) and not isinstance(each, bool) and each >= 1 for each in value)
    )
