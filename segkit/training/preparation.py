"""From opened volumes to the samplers that a training reads from."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segkit.data.patches import PatchTable, tabulate_patches
from segkit.data.sampler import PatchSampler
from segkit.data.sources import LabeledVolume
from segkit.errors import InputError
from segkit.preprocessing.grey_values import GreyValues, measure_grey_values
from segkit.preprocessing.preprocessing import Preprocessing
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.task import Task
from segkit.training.plan import TrainingPlan

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What a training reads from.

    Attributes:
        training: Source of the training patches.
        validation: Source of the validation patches.
        test: Source of the test patches; ``None`` where no slices were kept for it.
        preprocessing: How voxels are converted to the input of the network, with what was measured on the training
            slices.
        voxel_size_nm: Voxel size of the first volume that is trained on, ``(z, y, x)``.
        grey_values: What the voxels of the training slices are like.
    """

    training: PatchSampler
    validation: PatchSampler
    test: PatchSampler | None
    preprocessing: Preprocessing
    voxel_size_nm: tuple[float, float, float] | None
    grey_values: GreyValues


def shrink_patch(
    plan: TrainingPlan, volumes: Sequence[LabeledVolume], multiple_px: int, *, tell: bool = True
) -> TrainingPlan:
    """Return a plan whose patches fit into every volume that has a use.

    Args:
        plan: The plan asked for.
        volumes: Opened volumes.
        multiple_px: Sides that the network takes are multiples of this.
        tell: Log a warning where patches shrink.

    Raises:
        InputError: If a volume is smaller than ``multiple_px``.
    """
    used = [volume for volume in volumes if any((volume.split.train, volume.split.validation, volume.split.test))]
    smallest = min(min(volume.tomogram.shape[1:]) for volume in used)
    # The largest multiple that fits into the smallest slice.
    fitting = min(plan.patch_px, smallest) // multiple_px * multiple_px
    if fitting < multiple_px:
        raise InputError(f"slices are {smallest} px across; the network needs at least {multiple_px} px")
    if fitting == plan.patch_px:
        return plan
    if tell:
        _LOG.warning("patches shrink from %d to %d px: the slices are %d px across", plan.patch_px, fitting, smallest)
    ratio = fitting / plan.patch_px
    # Strides shrink with the patches, so that the overlap stays.
    strides = {name: max(1, round(getattr(plan, name) * ratio)) for name in ("stride_px", "validation_stride_px")}
    return dataclasses.replace(plan, patch_px=fitting, **strides)


def tabulate(
    volumes: Sequence[LabeledVolume],
    use: str,
    plan: TrainingPlan,
    progress: Callable[[int, int], None] | None = None,
) -> PatchTable:
    """List the patches of the training or validation slices, each once.

    Args:
        volumes: Opened volumes.
        use: ``"train"``, ``"validation"`` or ``"test"``.
        plan: Patch size and strides.
        progress: Called as ``progress(done, total)`` after each slice.
    """
    return tabulate_patches(
        [(volume.mask.array, getattr(volume.split, use)) for volume in volumes],
        patch_shape=plan.patch_shape,
        stride=plan.strides(use),
        ignore_value=plan.ignore_value,
        progress=progress,
    )


def prepare(
    volumes: Sequence[LabeledVolume],
    plan: TrainingPlan,
    *,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Measure what the preprocessing leaves open, list the patches, and build the samplers.

    Where the preprocessing resizes slices as wholes, or windows of them, a patch is one of these.

    Args:
        volumes: Opened volumes with slices for training and for validation among them.
        plan: How to cut and augment. Of slices that are resized, ``patch_px`` is the size and strides do not matter.
        task: What is learnt; one structure by default.
        preprocessing: How voxels are converted to the input of the network; by default, to mean 0 and standard
            deviation 1.
        progress: Called as ``progress(done, total)`` after each slice read.

    Raises:
        InputError: If there is nothing to train on or to validate with, no foreground to train on where the task needs
            some, or task, preprocessing and plan do not fit each other.
    """
    task, preprocessing = task or ForegroundTask(), preprocessing or Standardize()
    if preprocessing.resizes and plan.patch_slices is not None:
        raise InputError(f"plan: patch_slices is {plan.patch_slices}, but slices are resized one by one; remove it")
    size_px = plan.patch_px if preprocessing.resizes else None
    ignore_value = task.resized_ignore_value if preprocessing.resizes else plan.ignore_value
    # List the patches of every use.
    parts = [task.annotation_parts(v, size_px, preprocessing.windows, plan.ignore_value) for v in volumes]
    places = _whole_places(volumes, parts) if preprocessing.resizes else _slice_places(volumes)
    tables = {
        use: tabulate_patches(
            [(annotation, place) for (annotation, *_), place in zip(parts, places[use], strict=True)],
            patch_shape=plan.patch_shape,
            # A resized slice or window is one patch.
            stride=plan.patch_shape if preprocessing.resizes else plan.strides(use),
            ignore_value=ignore_value,
            progress=progress,
        )
        for use in USES
        if use != "test" or any(volume.split.test for volume in volumes)
    }
    _check_tables(tables, task, plan)
    # Measure the preprocessing on the training slices alone, and build the samplers.
    trained = [(volume.tomogram.array, volume.split.train) for volume in volumes]
    preprocessing = preprocessing.measured(trained, progress)
    grey_values = measure_grey_values([(array, slices) for array, slices in trained if slices])
    _check_grey_values(volumes, preprocessing)
    target = task.target(weight_limit=plan.weight_limit, ignore_value=ignore_value, preprocessing=preprocessing)
    pairs = [
        (preprocessing.training_array(volume.tomogram.array, plan.patch_px), *annotation)
        for volume, annotation in zip(volumes, parts, strict=True)
    ]
    first = next(volume for volume in volumes if volume.split.train)
    axes = "zyx" if plan.patch_slices is not None else preprocessing.scale_axes
    for volume in volumes:
        _warn_of_other_voxels(volume, first, axes)
    shared = {"batch_size": plan.batch_size, "preprocessing": preprocessing, "target": target, "seed": plan.seed}
    if plan.patch_slices is not None:
        shared["voxel_size"] = first.tomogram.voxel_size_nm
    # Validation and test count every patch once, and unchanged.
    table, test = tables["train"].with_positive_copies(plan.positive_copies), tables.get("test", ())
    return Prepared(
        training=PatchSampler(pairs, table, augmentation=plan.augmentation, shuffle=True, **shared),
        validation=PatchSampler(pairs, tables["validation"], **shared),
        test=PatchSampler(pairs, test, **shared) if len(test) else None,
        preprocessing=preprocessing,
        voxel_size_nm=first.tomogram.voxel_size_nm,
        grey_values=grey_values,
    )


USES = ("train", "validation", "test")


def _slice_places(volumes: Sequence[LabeledVolume]) -> dict[str, list[Sequence[int]]]:
    """Return the slices of each volume that serve each use."""
    return {use: [getattr(volume.split, use) for volume in volumes] for use in USES}


def _whole_places(volumes: Sequence[LabeledVolume], parts: Sequence[Sequence[Any]]) -> dict[str, list[Sequence[int]]]:
    """Return the places of slices, or of their windows, in arrays in which the windows of a slice follow each other."""
    counts = [
        len(annotation) // volume.tomogram.shape[0] for volume, (annotation, *_) in zip(volumes, parts, strict=True)
    ]
    return {
        use: [
            [z * count + place for z in getattr(volume.split, use) for place in range(count)]
            for volume, count in zip(volumes, counts, strict=True)
        ]
        for use in USES
    }


def _check_tables(tables: Mapping[str, PatchTable], task: Task, plan: TrainingPlan) -> None:
    slices = "slices" if plan.patch_slices in (None, 1) else f"run of {plan.patch_slices} consecutive annotated slices"
    for use, what in (("train", "train on"), ("validation", "validate with")):
        if not len(tables[use]):
            raise InputError(
                f"no {slices} to {what}; choose other slices (--train-z and --validation-z; in Python `splits`)"
            )
    if not task.needs_foreground:
        return
    if not tables["train"].positive.any():
        raise InputError("no foreground on the training slices; choose slices that the mask has foreground on")
    if not tables["validation"].positive.any():
        _LOG.warning("no foreground on the validation slices: only the background chooses the checkpoint")


_EXCHANGED = "light and dark seem to be exchanged: if they are, invert one of the two"


def _check_grey_values(volumes: Sequence[LabeledVolume], preprocessing: Preprocessing) -> None:
    """Refuse images without contrast, and warn of grey values that are not on the scale of the first volume's.

    Raises:
        InputError: If all voxels of a volume that were looked at are equal.
    """
    trained = [volume for volume in volumes if volume.split.train]
    first, *others = [
        (volume.tomogram.name, measure_grey_values([(volume.tomogram.array, volume.split.train)])) for volume in trained
    ]
    for name, found in (first, *others):
        if not found.std > 0:
            raise InputError(
                f"{name}: all voxels of its training slices are {found.mean:g}; check that it is an "
                "image, or leave it out"
            )
    # What is coloured, or normalised volume by volume already, has no other way.
    other_way = ", or normalise each volume by itself (--normalize volume)"
    remedy = f"bring them to one scale{other_way if isinstance(preprocessing, Standardize) else ''}"
    for name, found in others:
        if fault := preprocessing.mismatch(found, first[1], exchanged=_EXCHANGED):
            # What is advised for a prediction is not for a training, but says what differs.
            advice = [remedy] if "--match-grey-values" in fault or _EXCHANGED not in fault else []
            advice += [_EXCHANGED] if _EXCHANGED in fault else []
            told = "; ".join(advice)
            _LOG.warning("warning: the grey values of %s are %s, those of %s %s; %s", *(name, found, *first), told)


def _warn_of_other_voxels(volume: LabeledVolume, first: LabeledVolume, axes: str = "yx") -> None:
    """Warn where a volume's voxels differ by more than a tenth from those of the first that is trained on."""
    sizes = [other.tomogram.voxel_size_nm for other in (volume, first)]
    if None in sizes:
        return
    found, expected = (size[-len(axes) :] for size in sizes)
    if any(abs(a / b - 1) > 0.1 for a, b in zip(found, expected, strict=True)):
        _LOG.warning(
            "warning: %s has voxels of %s nm (%s), %s of %s nm; resample one of them, or the network learns two scales "
            "at once",
            *(volume.tomogram.name, " x ".join(f"{size:.4g}" for size in found), ", ".join(axes)),
            *(first.tomogram.name, " x ".join(f"{size:.4g}" for size in expected)),
        )
