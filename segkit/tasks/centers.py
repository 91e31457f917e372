"""Objects with ids, separated by centres that a second network finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from segkit.errors import InputError
from segkit.instances.instance_settings import InstanceSettings
from segkit.targets.centers import CentersTarget
from segkit.tasks.cells import CellsTask
from segkit.tasks.output import Output
from segkit.tasks.task import TASKS

if TYPE_CHECKING:
    import keras

    from segkit.data.sources import LabeledVolume
    from segkit.preprocessing.preprocessing import Preprocessing


@TASKS.register("centers")
@dataclasses.dataclass(frozen=True, kw_only=True)
class CentersTask(CellsTask):
    """Cells by their foreground and a heatmap of their centres, from two networks.

    The two share no weight, and each has a loss of its own. Checkpoint and step size follow the mask: the centres are
    taken as they were when the mask was best.

    Attributes:
        loss: Loss of the mask, as in ``ForegroundTask``.
        instances: How objects are separated, by centres.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 3.3.
    """

    instances: InstanceSettings = dataclasses.field(default_factory=lambda: InstanceSettings(method="centers"))

    methods: ClassVar[tuple[str, ...]] = ("centers",)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The logit of the mask, then that of the heatmap."""
        return (*super().outputs, Output(name="centers", channels=1, span=(1, 2), served="centers"))

    def losses(self) -> dict[str, keras.losses.Loss]:
        """Return the loss of the mask and the focal loss of the heatmap."""
        from segkit.losses import HeatmapFocal

        return {**super().losses(), "centers": HeatmapFocal()}

    def build_settings(self) -> dict[str, Any]:
        """Return that the centres are found too."""
        return {"with_centers": True}

    def target(
        self, *, weight_limit: float | None, ignore_value: int | None, preprocessing: Preprocessing
    ) -> CentersTarget:
        """Return the target of a mask and its heatmap."""
        return CentersTarget(weight_limit=weight_limit, ignore_value=ignore_value)

    def annotation_parts(
        self, volume: LabeledVolume, size_px: int | None, windows: Sequence[int] | None, ignore_value: int | None
    ) -> list[Any]:
        """Return the mask and the heatmap of centres, both resized.

        Raises:
            InputError: If slices are not resized: heatmaps are drawn at the size that the network computes at.
        """
        if size_px is None:
            raise InputError(
                "task 'centers': heatmaps are drawn for networks that resize whole slices; choose the preprocessing "
                "'coloring'"
            )
        from segkit.preprocessing.resized_slices import cut_windows
        from segkit.targets.resized_annotations import heatmap_slices
        from segkit.volumes.instance_ids import ids_by_slice

        extents = volume.tomogram.voxel_size_nm or (1.0, 1.0, 1.0)
        cut = cut_windows(volume.tomogram.shape[1:], windows)
        ids, runs = ids_by_slice(volume.mask, ignore_value=ignore_value), runs_of_uses(volume)
        heat = heatmap_slices(ids, size_px, cut, voxel_size=extents, runs=runs)
        return [*super().annotation_parts(volume, size_px, windows, ignore_value), heat]


def runs_of_uses(volume: LabeledVolume) -> list[tuple[int, int]]:
    """Return the neighbouring slices that serve one use: first slice of each run, and the one after its last.

    What is learnt on the training slices must not depend on where cells are on others. Slices that were annotated one
    by one are runs of their own.
    """
    runs: list[tuple[int, int]] = []
    for use in ("train", "validation", "test"):
        for number, z in enumerate(getattr(volume.split, use)):
            # The first slice of a use never continues the run of the use before.
            if number and z == runs[-1][1] and not volume.source.annotated_in_part:
                runs[-1] = (runs[-1][0], z + 1)
            else:
                runs.append((z, z + 1))
    return runs
