"""Objects with ids, separated in the probability of foreground."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from segkit.instances.instance_settings import InstanceSettings, median_settings
from segkit.monitor import as_fraction
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.task import TASKS, ReadSlice, Scored

if TYPE_CHECKING:
    from segkit.evaluation.evaluate_instances import InstanceEvaluation
    from segkit.report.overlay import Overlay
    from segkit.report.page import Section
    from segkit.volumes.instance_ids import IdCounts
    from segkit.volumes.volume import Volume


@TASKS.register("cells")
@dataclasses.dataclass(frozen=True, kw_only=True)
class CellsTask(ForegroundTask):
    """Cells or other objects: a network learns their foreground, which is separated into objects afterwards.

    Training, checkpoint and served model are those of foreground. The result of a volume is ids.

    Attributes:
        loss: As in ``ForegroundTask``.
        threshold: That of ``instances``.
        instances: How objects are separated, by components or a distance watershed; distances are in pixels along x.

    Raises:
        ValueError: If ``instances`` is something else, or the method needs a network that finds centres.
    """

    loss: Literal["bce_jaccard", "dice"] = "dice"
    threshold: float = dataclasses.field(init=False, default=0.5)
    instances: InstanceSettings = dataclasses.field(default_factory=InstanceSettings)

    result_name: ClassVar[str] = "labels"
    score_titles: ClassVar[Mapping[str, str]] = {"pq": "PQ", "sq": "SQ", "rq": "RQ"}
    predicts_scored_only: ClassVar[bool] = True
    decision_settings: ClassVar[tuple[str, ...]] = ("instances",)
    evaluation_settings: ClassVar[tuple[str, ...]] = ("ignore_value", "slice_wise")
    methods: ClassVar[tuple[str, ...]] = ("components", "distance")
    _what_it_gives: ClassVar[str] = "a model that separates objects gives ids"

    def __post_init__(self) -> None:
        if isinstance(self.instances, Mapping):
            object.__setattr__(self, "instances", InstanceSettings.from_dict(self.instances))
        if not isinstance(self.instances, InstanceSettings):
            raise ValueError(f"`instances` must be InstanceSettings. Received: instances={self.instances!r}")
        object.__setattr__(self, "threshold", self.instances.threshold)
        super().__post_init__()
        if self.instances.method not in self.methods:
            raise ValueError(
                f"`instances` must use one of the methods {', '.join(self.methods)} in a task of the kind "
                f"{self.kind!r}. Received: method={self.instances.method!r}"
            )

    def settings(self) -> dict[str, Any]:
        """Return the fields as ``json`` writes them; the threshold stands with the instances."""
        return {"loss": self.loss, "instances": self.instances.to_dict()}

    def check_annotation(
        self, annotation: Volume, *, ignore_value: int | None, progress: Callable[[int, int], None] | None
    ) -> IdCounts:
        """Check that ids are whole numbers and not negative, and count their voxels and unannotated ones by slice."""
        from segkit.volumes.instance_ids import check_instance_ids

        return check_instance_ids(annotation, ignore_value=ignore_value, progress=progress)

    def with_threshold(self, threshold: float) -> CellsTask:
        """Return the task with another threshold."""
        return dataclasses.replace(self, instances=dataclasses.replace(self.instances, threshold=threshold))

    def averaged(self, others: Sequence[CellsTask]) -> CellsTask:
        """Return the task with the median of all settings: what was measured differs between folds."""
        return dataclasses.replace(self, instances=median_settings([self.instances, *(o.instances for o in others)]))

    @property
    def used_alone(self) -> str:
        """Ids of several models cannot be merged."""
        return f"{self._what_it_gives} and is used alone; run the models one by one"

    def keep(self, maps: np.ndarray, decided: np.ndarray) -> np.ndarray:
        """Return the maps: objects are separated when all slices are finished."""
        # A single map is stored without an axis of channels, as `kept` states.
        return maps[..., 0] if self.num_maps == 1 else maps

    @property
    def kept(self) -> tuple[int | None, str]:
        """Channels and type of the maps."""
        return None if self.num_maps == 1 else self.num_maps, "float32"

    def finish(
        self,
        read_slice: ReadSlice,
        shape: tuple[int, int, int],
        *,
        voxel_size: Sequence[float],
        voxel_volume: float = 1.0,
        folder: pathlib.Path,
        max_ram: int | None,
    ) -> np.ndarray:
        """Return the ids of all objects of a volume."""
        from segkit.instances.objects_from_maps import objects_from_maps

        # In voxels of this volume: an object of the same size has more of them where they are smaller.
        settings = dataclasses.replace(self.instances, min_size=math.ceil(self.instances.min_size / voxel_volume))
        return objects_from_maps(read_slice, shape, settings, folder, voxel_size=voxel_size, max_ram=max_ram)

    def summary(self, result: Any) -> str:
        """Return the number of objects."""
        count = int(result.max(initial=0))
        return f"{count} {'object' if count == 1 else 'objects'}"

    def evaluate(
        self,
        prediction: Volume,
        reference: Volume,
        *,
        slices: Sequence[int] | None = None,
        ignore_value: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        slice_wise: bool | None = None,
    ) -> InstanceEvaluation:
        """Return SEG and average precision; by default in 3-D where all slices are scored, else slice by slice."""
        from segkit.evaluation.evaluate_instances import evaluate_instances

        shared = {"slices": slices, "ignore_value": ignore_value, "progress": progress}
        return evaluate_instances(prediction, reference, slice_wise=slice_wise, **shared)

    def doubts(
        self,
        evaluation: Any,
        prediction: Volume,
        reference: Volume,
        *,
        slices: Sequence[int] | None = None,
        ignore_value: int | None = None,
    ) -> list[tuple[Volume, str]]:
        """Return lines about an object that may mean unannotated, ids of a mask, and ids that restart in slices."""
        from segkit.evaluation.evaluate_instances import InstanceEvaluation
        from segkit.instances.id_checks import one_id_in_pieces, share_of_restarts
        from segkit.volumes.instance_ids import ids_by_slice

        if not isinstance(evaluation, InstanceEvaluation):  # of a subclass that scores in its own way
            return []
        huge = evaluation.huge_object_warning()
        lines = [] if huge is None else [(reference, huge)]
        chosen = None if slices is None else sorted(slices)
        are_wholes = all(part.z is None for part in evaluation.parts)
        for volume in (prediction, reference):
            ids = ids_by_slice(volume, ignore_value=ignore_value, annotation=reference)
            if one_id_in_pieces(ids, chosen):
                told = (
                    "one id in several pieces: if it is a mask, number its objects with segkit components; otherwise "
                )
                lines.append((volume, f"{told}they are scored as one"))
            if are_wholes and (share := share_of_restarts(ids, chosen)):
                told = (
                    f"{100 * share:.0f} % of the ids that two neighbouring slices have in common do not touch there; "
                )
                lines.append((volume, f"{told}if the slices are images of their own, give --slice-wise"))
        return lines

    def headline(self, scores: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return SEG, average precision and mean IoU, with those of Otsu's threshold and PESEG where they are known."""
        from segkit.evaluation.seg_score import parameter_efficiency

        total, seg = scores["total"], scores["total"]["seg"]
        where = {True: ", slice by slice", False: ", whole cells", None: ""}[scores.get("slice_by_slice")]
        rows = [(f"SEG{where}", as_fraction(seg))]
        if "otsu" in scores:
            rows.append(("SEG of Otsu's threshold", as_fraction(scores["otsu"]["seg"])))
        rows.append(("Average precision at IoU 0.5", as_fraction(total["ap_50"])))
        rows.append(("Mean IoU", as_fraction(total["mean_iou"])))
        if parameters := scores.get("num_parameters"):
            rows.append(("PESEG", as_fraction(None if seg is None else parameter_efficiency(seg, parameters))))
        return rows

    def overlays(self, scored: Scored, ignore_value: int | None) -> list[Overlay]:
        """Return slices from the best to the worst; the scores know which voxels are unannotated."""
        from segkit.report.object_pictures import slice_pictures

        return slice_pictures(scored)

    def sections(self, scores: Mapping[str, Any], scored: Scored) -> list[Section]:
        """Show the best and the worst objects, and sizes."""
        from segkit.report.object_pictures import object_section, size_section

        return [object_section(scored), size_section(scored)]
