"""What a trained model must carry along to be used: normalisation, voxel size, threshold."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Facts that travel inside a ``.keras`` file and a SavedModel.

    Attributes:
        name: Name under which it is served, such as ``"segET-centriole"``.
        structure: What the foreground is; for several classes a word for all of them.
        mean: Mean of the training voxels [grey value].
        std: Standard deviation of the training voxels [grey value], positive.
        voxel_size_nm: Voxel size of the training data, ``(z, y, x)``, or ``None`` where unknown.
        dtype: Type of the training voxels as the file held them, such as ``"int8"``; ``None`` where unknown.
        threshold: Probability above which a voxel is foreground.
        multiple_px: Height and width that the network takes are multiples of this.
        halo_px: Context that a tile needs on every side for its result to equal the whole slice's; ``None`` where
            the network looks at the whole input.
        tile_px: Side of the tiles that a network which looks at its whole input was trained on, and is best used on;
            ``None`` where the size does not matter.
        classes: Names of all classes in the order of their labels, background first; empty for a network of
            foreground and background alone.
        coloring: How grey slices become the three channels that the network takes, as
            ``segkit.data.colorings.coloring_to_dict`` says it; ``None`` for a network of one channel.
        windows: Number of overlapping squares along y and x that a slice is cut into; ``None`` for whole slices.
        instances: How objects are told apart, as ``InstanceSettings.to_dict`` says it, distances in pixels along x;
            ``None`` for a network that gives a mask or classes.
        provenance: Plan, scores and versions of the training, for people to read.
    """

    name: str
    structure: str
    mean: float
    std: float
    voxel_size_nm: tuple[float, float, float] | None = None
    dtype: str | None = None
    threshold: float = 0.5
    multiple_px: int = 16
    halo_px: int | None = 288
    tile_px: int | None = None
    classes: tuple[str, ...] = ()
    coloring: dict[str, Any] | None = None
    windows: tuple[int, int] | None = None
    instances: dict[str, Any] | None = None
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.std > 0:
            raise ValueError(f"`std` must be positive [grey value]. Received: std={self.std!r}")
        if self.voxel_size_nm is not None:
            object.__setattr__(self, "voxel_size_nm", tuple(float(v) for v in self.voxel_size_nm))
        object.__setattr__(self, "classes", tuple(self.classes))
        if self.windows is not None:
            object.__setattr__(self, "windows", tuple(self.windows))
            if len(self.windows) != 2 or min(self.windows) < 1:
                raise ValueError(f"`windows` must be two positive numbers (y, x). Received: windows={self.windows!r}")
        if self.tile_px is not None and self.halo_px is not None and self.tile_px <= 2 * self.halo_px:
            raise ValueError(
                f"`tile_px` must be more than two halos. Received: tile_px={self.tile_px!r}, halo_px={self.halo_px!r}"
            )
        if self.instances is not None and self.classes:
            raise ValueError(f"`instances` are for one structure. Received: classes={self.classes!r}")
        if len(self.classes) == 1 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"`classes` must be two or more different names. Received: classes={self.classes!r}")

    @property
    def num_channels(self) -> int:
        """Channels of the images that the network takes."""
        return 1 if self.coloring is None else 3

    @property
    def num_logits(self) -> int:
        """Logits a pixel of the network: one a class, or one where there is only foreground and background."""
        return len(self.classes) or 1

    @property
    def num_maps(self) -> int:
        """Maps of probability that are predicted: one a logit, and the heatmap of centres where objects need it."""
        return self.num_logits + (self.instances is not None and self.instances.get("method") == "centers")

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that ``json`` writes and ``from_dict`` reads."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelCard:
        """Build from ``to_dict``'s dict; fields of later versions that this one does not know are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})
