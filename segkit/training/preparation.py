"""From opened volumes to the samplers that a training reads from."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segkit.data.colorings import Coloring
from segkit.data.normalization import measure_normalization
from segkit.data.patches import PatchTable, tabulate_patches
from segkit.data.resized_slices import WHITE, colored_slices, heatmap_slices, mask_slices
from segkit.data.sampler import PatchSampler
from segkit.data.sources import LabeledVolume
from segkit.data.weights import UNKNOWN
from segkit.errors import InputError
from segkit.geometry.square_windows import square_windows
from segkit.training.plan import TrainingPlan
from segkit.volumes.instance_ids import ids_by_slice

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What a training reads from.

    Attributes:
        training: Source of the training patches.
        validation: Source of the validation patches.
        test: Source of the test patches; ``None`` where no slices were kept for it.
        mean: Mean of the training slices [grey value].
        std: Standard deviation of the training slices [grey value].
        voxel_size_nm: Voxel size of the first volume that is trained on, ``(z, y, x)``.
    """

    training: PatchSampler
    validation: PatchSampler
    test: PatchSampler | None
    mean: float
    std: float
    voxel_size_nm: tuple[float, float, float] | None


def shrink_patch(plan: TrainingPlan, volumes: Sequence[LabeledVolume], multiple_px: int) -> TrainingPlan:
    """Return a plan whose patches fit into every volume that has a use.

    Args:
        plan: The plan asked for.
        volumes: Opened volumes.
        multiple_px: Sides that the network takes are multiples of this.

    Raises:
        InputError: If a volume is smaller than ``multiple_px``.
    """
    used = [volume for volume in volumes if any((volume.split.train, volume.split.validation, volume.split.test))]
    smallest = min(min(volume.tomogram.shape[1:]) for volume in used)
    fitting = min(plan.patch_px, smallest) // multiple_px * multiple_px
    if fitting < multiple_px:
        raise InputError(f"slices are {smallest} px across; the network needs at least {multiple_px} px")
    if fitting == plan.patch_px:
        return plan
    _LOG.warning("patches shrink from %d to %d px: the slices are %d px across", plan.patch_px, fitting, smallest)
    ratio = fitting / plan.patch_px
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
        patch_shape=(plan.patch_px, plan.patch_px),
        stride=plan.stride_px if use == "train" else plan.validation_stride_px,
        ignore_value=plan.ignore_value,
        progress=progress,
    )


def prepare(
    volumes: Sequence[LabeledVolume],
    plan: TrainingPlan,
    *,
    num_classes: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Measure the normalisation, list the patches, and build both samplers.

    Args:
        volumes: Opened volumes with slices for training and for validation among them.
        plan: How to cut and change.
        num_classes: Number of classes, background among them; more than two need volumes opened as labels.
        progress: Called as ``progress(done, total)`` after each slice read.

    Raises:
        InputError: If there is nothing to train on or to validate with, or no foreground to train on.
    """
    tables = {use: tabulate(volumes, use, plan, progress) for use in _USES if _is_used(volumes, use)}
    _check_tables(tables)
    mean, std = measure_normalization([(volume.tomogram.array, volume.split.train) for volume in volumes], progress)
    settings = {"mean": mean, "std": std, "ignore_value": plan.ignore_value, "num_classes": num_classes}
    return _prepared(volumes, [volume.arrays for volume in volumes], tables, plan, settings, (mean, std))


def prepare_colored(
    volumes: Sequence[LabeledVolume],
    plan: TrainingPlan,
    coloring: Coloring,
    *,
    windows: Sequence[int] | None = None,
    centers: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """List coloured slices as wholes, or windows of them, each resized to a patch, and build the samplers.

    Args:
        volumes: Opened volumes with slices for training and for validation among them.
        plan: How to change; its patches are the network's size, strides do not matter.
        coloring: How slices are coloured.
        windows: Number of squares along y and x that slices are cut into; whole slices by default.
        centers: Heatmaps of the centres of cells are targets too; the masks hold ids.
        progress: Called as ``progress(done, total)`` after each slice read.

    Returns:
        What to train from; ``mean`` 0 and ``std`` 1: colours are between 0 and 1 already.

    Raises:
        InputError: If there is nothing to train on or to validate with, or no foreground to train on.
    """
    size = plan.patch_px
    pairs, cuts = [], []
    for volume in volumes:
        cut = _cut(volume.tomogram.shape[1:], windows)
        masks = mask_slices(volume.mask.array, size, cut, ignore_value=plan.ignore_value)
        maps = []
        if centers:
            extents = volume.tomogram.voxel_size_nm or (1.0, 1.0, 1.0)
            maps.append(
                heatmap_slices(ids_by_slice(volume.mask), size, cut, voxel_size=extents, runs=runs_of_uses(volume))
            )
        pairs.append((colored_slices(volume.tomogram.array, coloring, size, cut), masks, *maps))
        cuts.append(len(cut))
    tables = {
        use: tabulate_patches(
            [
                (masks, [z * count + place for z in getattr(volume.split, use) for place in range(count)])
                for volume, (_, masks, *_), count in zip(volumes, pairs, cuts, strict=True)
            ],
            patch_shape=(size, size),
            stride=size,
            ignore_value=UNKNOWN,
            progress=progress,
        )
        for use in _USES
        if _is_used(volumes, use)
    }
    _check_tables(tables)
    settings = {"mean": 0.0, "std": float(WHITE), "ignore_value": UNKNOWN}
    return _prepared(volumes, pairs, tables, plan, settings, (0.0, 1.0))


def runs_of_uses(volume: LabeledVolume) -> list[tuple[int, int]]:
    """Return the neighbouring slices that serve one use: first slice of each run, and the one after its last.

    What is learnt on the training slices must not depend on where cells lie on others. Slices that were annotated one
    by one are runs of their own.
    """
    runs: list[tuple[int, int]] = []
    for use in _USES:
        for number, z in enumerate(getattr(volume.split, use)):
            if number and z == runs[-1][1] and not volume.source.annotated_in_part:
                runs[-1] = (runs[-1][0], z + 1)
            else:
                runs.append((z, z + 1))
    return runs


_USES = ("train", "validation", "test")


def _cut(shape: Sequence[int], windows: Sequence[int] | None) -> list[tuple[slice, ...]]:
    """Return the windows of a slice as index expressions; the whole slice where there are none."""
    if windows is None:
        return [(slice(None), slice(None))]
    spans = [[slice(o, o + length) for o in origins] for length, origins in square_windows(shape, windows)]
    return list(itertools.product(*spans))


def _is_used(volumes: Sequence[LabeledVolume], use: str) -> bool:
    return use != "test" or any(volume.split.test for volume in volumes)


def _check_tables(tables: Mapping[str, PatchTable]) -> None:
    for use, what in (("train", "train on"), ("validation", "validate with")):
        if not len(tables[use]):
            raise InputError(f"no slices to {what}; give ranges with --train-z and --validation-z")
    if not tables["train"].positive.any():
        raise InputError("no foreground on the training slices; choose slices that the mask has foreground on")
    if not tables["validation"].positive.any():
        _LOG.warning("no foreground on the validation slices: the checkpoint is chosen by the background alone")


def _prepared(
    volumes: Sequence[LabeledVolume],
    pairs: Sequence[tuple[Any, ...]],
    tables: Mapping[str, PatchTable],
    plan: TrainingPlan,
    settings: Mapping[str, Any],
    normalization: tuple[float, float],
) -> Prepared:
    """Build the samplers of all uses."""
    shared = {"batch_size": plan.batch_size, "weight_limit": plan.weight_limit, "seed": plan.seed, **settings}
    first = next(volume for volume in volumes if volume.split.train)
    for volume in volumes:
        _warn_of_other_voxels(volume, first)
    table = tables["train"].with_positive_copies(plan.positive_copies)
    test = tables.get("test", ())
    return Prepared(
        PatchSampler(pairs, table, augmentation=plan.augmentation, shuffle=True, **shared),
        PatchSampler(pairs, tables["validation"], **shared),
        PatchSampler(pairs, test, **shared) if len(test) else None,
        *normalization,
        first.tomogram.voxel_size_nm,
    )


def _warn_of_other_voxels(volume: LabeledVolume, first: LabeledVolume) -> None:
    """Warn where a volume's pixels differ by more than a tenth from those of the first that is trained on."""
    sizes = [other.tomogram.voxel_size_nm for other in (volume, first)]
    if None in sizes:
        return
    (_, *found), (_, *expected) = sizes
    if any(abs(a / b - 1) > 0.1 for a, b in zip(found, expected, strict=True)):
        _LOG.warning(
            "warning: %s has pixels of %.4g x %.4g nm (y, x), %s of %.4g x %.4g nm; resample one of them, "
            "or the network learns two scales at once",
            *(volume.tomogram.name, *found, first.tomogram.name, *expected),
        )
