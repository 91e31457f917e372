"""Stacks of cells with their labels for ``recipes.efficientcellseg``: folders, the challenge's layout, simulations."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
from skimage.measure import label

from segkit.data.simulated_cells import CellSimulation, simulate_cells
from segkit.data.sources import Source, write_slices
from segkit.data.splits import parse_slices
from segkit.errors import InputError
from segkit.experiments.settings import TINY
from segkit.instances.renumber import smallest_id_dtype
from segkit.progress import ProgressLine
from segkit.volumes.challenge import image_files, segmentation_files, write_frame
from segkit.volumes.compressed import COMPRESSED_SUFFIXES
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.hdf5 import HDF5_SUFFIXES, split_dataset
from segkit.volumes.instance_ids import instance_ids
from segkit.volumes.mrc import MRC_SUFFIXES
from segkit.volumes.png import PNG_SUFFIXES
from segkit.volumes.tiff import TIFF_SUFFIXES
from segkit.volumes.volume import Volume

SPLIT = (0.7, 0.1)
"""Shares of stacks, or of slices, for training and validation; the rest is for the test."""

_PIECES = 3  # of one cell in a slice: more than its folds make
_SCATTERED = 10  # pieces of a mean cell in a slice: no cell is that torn
_SUFFIXES = {*COMPRESSED_SUFFIXES, *TIFF_SUFFIXES, *MRC_SUFFIXES, *HDF5_SUFFIXES, *PNG_SUFFIXES, ".ome"}
_STACKS = {"train": 5, "validation": 1, "test": 2}
_TINY_SIMULATION = CellSimulation(shape=(5, 64, 64), count=3, voxel_size_um=(2.0, 0.8, 0.8))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabeledStack:
    """A stack with the labels of its cells.

    Attributes:
        image: Path of the stack.
        labels: Path of the ids, same shape.
        count: Number of slices.
        annotated: Indices of the slices whose cells are all drawn.
    """

    image: str
    labels: str
    count: int
    annotated: tuple[int, ...]


def paired_stacks(images: str, labels: str) -> list[LabeledStack]:
    """Return the stacks of a file or folder with their labels.

    Args:
        images: A stack, or a folder of them.
        labels: Its labels, or a folder with a file of the same name for each.

    Raises:
        InputError: If there is none, or labels are missing or of another number of slices.
    """
    for path in (images, labels):
        if not pathlib.Path(split_dataset(path)[0]).exists():
            raise InputError(f"{path}: no such file or folder; give a stack, or a folder of stacks")
    folders = [pathlib.Path(path).is_dir() for path in (images, labels)]
    if folders[0] != folders[1]:
        raise InputError(f"{images} and {labels}: one is a folder and one is not; give two stacks, or two folders")
    if not folders[0]:
        return [_opened(images, labels)]
    files = _files(pathlib.Path(images))
    if not files:
        raise InputError(f"{images}: no file in it; give a folder of stacks")
    by_stem: dict[str, pathlib.Path] = {}
    for path in _files(pathlib.Path(labels)):
        if (other := by_stem.setdefault(_stem(path), path)) != path:
            raise InputError(f"{labels}: {other.name} and {path.name} have one name; leave one of them")
    if missing := [path.name for path in files if _stem(path) not in by_stem]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"{labels}: no labels named as {missing[0]}{more}; give each stack's labels its name")
    return [_opened(str(path), str(by_stem[_stem(path)])) for path in files]


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _stem(path: pathlib.Path) -> str:
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return path.name


def _opened(image: str, labels: str) -> LabeledStack:
    counts = [
        open_volume(path, progress=ProgressLine(f"opening {pathlib.Path(path).name}", "bytes")).shape[0]
        for path in (image, labels)
    ]
    if counts[0] != counts[1]:
        raise InputError(f"{labels}: {counts[1]} slices, but {image} has {counts[0]}; give the labels of this stack")
    return LabeledStack(image=image, labels=labels, count=counts[0], annotated=tuple(range(counts[0])))


def challenge_stacks(
    folder: pathlib.Path, sequence: str, assembled: pathlib.Path, *, reference: str = "GT"
) -> list[LabeledStack]:
    """Return the annotated frames of a sequence of the Cell Tracking Challenge.

    Args:
        folder: Folder of the data set.
        sequence: Name of the sequence, such as ``"01"``.
        assembled: Folder in which a frame of which single slices are annotated gets its labels as one stack.
        reference: ``"GT"`` or ``"ST"``.

    Raises:
        InputError: If files are missing, or an annotation does not fit its image.
    """
    if not (folder / sequence).is_dir():
        raise InputError(
            f"{folder}: no folder {sequence} in it; give the folder of the data set, which holds {sequence} and "
            f"{sequence}_{reference}"
        )
    images = image_files(folder / sequence)
    annotations = segmentation_files(folder / f"{sequence}_{reference}")
    by_frame: dict[int, dict[int | None, pathlib.Path]] = {}
    for entry in annotations:
        if entry.frame not in images:
            raise InputError(f"{entry.path}: annotates frame {entry.frame}, whose image is missing in {sequence}")
        by_frame.setdefault(entry.frame, {})[entry.z] = entry.path
    stacks = []
    for frame, paths in by_frame.items():
        image = str(images[frame])
        if None in paths:
            stacks.append(_opened(image, str(paths[None])))
            continue
        labels = assembled / f"man_seg{frame:03d}.tif"
        count = _assemble(image, paths, labels)
        stacks.append(LabeledStack(image=image, labels=str(labels), count=count, annotated=tuple(sorted(paths))))
    return stacks


def _assemble(image: str, paths: dict[int | None, pathlib.Path], target: pathlib.Path) -> int:
    """Write the annotated slices of a frame as one stack, the others empty; return the number of slices."""
    volume = open_volume(image)
    parts: dict[int, np.ndarray] = {}
    for z, path in paths.items():
        drawn = open_volume(path)
        if z >= volume.shape[0] or drawn.shape != (1, *volume.shape[1:]):
            extents = [" x ".join(map(str, shape)) for shape in (drawn.shape, volume.shape)]
            raise InputError(f"{path}: {extents[0]} voxels (z, y, x) for slice {z} of {image}, which has {extents[1]}")
        parts[z] = instance_ids(drawn)[0]
    whole = np.zeros(volume.shape, smallest_id_dtype(max(int(part.max()) for part in parts.values())))
    for z, part in parts.items():
        whole[z] = part
    target.parent.mkdir(parents=True, exist_ok=True)
    labels = Volume(array=whole, voxel_size_nm=volume.voxel_size_nm)
    save_volume(target, labels, overwrite=True)
    return volume.shape[0]


def sources_of(
    stacks: Sequence[LabeledStack],
    *,
    tests: Sequence[LabeledStack] = (),
    train_z: str | None = None,
    validation_z: str | None = None,
    test_z: str | None = None,
) -> tuple[Source, ...]:
    """Return the stacks with what each is for.

    Three stacks or more are split as wholes, in their order; the annotated slices of fewer are split in theirs, as
    neighbours look alike and must not be mixed.

    Args:
        stacks: The stacks.
        tests: Stacks that are only scored; then none of the others are.
        train_z: Slices of a single stack to train on, such as ``"0-9"``.
        validation_z: Slices that choose the checkpoint.
        test_z: Slices that are only scored.

    Raises:
        InputError: If there are too few to train, choose and score.
    """
    scored = tuple(_source(stack, test=write_slices(stack.annotated)) for stack in tests)
    if train_z or validation_z or test_z:
        if len(stacks) != 1:
            raise InputError(f"--train-z, --validation-z and --test-z are for one stack; these are {len(stacks)}")
        if not (train_z and validation_z):
            raise InputError("--train-z and --validation-z belong together; give both")
        (stack,) = stacks
        for text in filter(None, (train_z, validation_z, test_z)):
            if unknown := set(parse_slices(text, stack.count)) - set(stack.annotated):
                raise InputError(f"{stack.labels}: slice {min(unknown)} is not annotated; choose others")
        return (_source(stack, train_z, validation_z, test_z or ""), *scored)
    if len(stacks) >= (2 if scored else 3):
        shares = _shares(len(stacks), has_test=not scored)
        uses = [use for use, share in zip(("train", "validation", "test"), shares, strict=True) for _ in range(share)]
        return (
            tuple(
                _source(stack, **{use: write_slices(stack.annotated)}) for stack, use in zip(stacks, uses, strict=True)
            )
            + scored
        )
    return tuple(_split_slices(stack, has_test=not scored) for stack in stacks) + scored


def _split_slices(stack: LabeledStack, *, has_test: bool) -> Source:
    count, least = len(stack.annotated), 3 if has_test else 2
    if count < least:
        what = f"{count} annotated slice" + ("s" if count != 1 else "")
        raise InputError(
            f"{stack.image}: {what}; at least {least} slices or {least} stacks are needed to train, choose and score"
        )
    trained, validated, _ = _shares(count, has_test=has_test)
    parts = np.split(np.array(stack.annotated), [trained, trained + validated])
    return _source(stack, *(write_slices(part.tolist()) for part in parts))


def _shares(count: int, *, has_test: bool = True) -> tuple[int, int, int]:
    validated = max(1, round(SPLIT[1] * count))
    if not has_test:
        return count - validated, validated, 0
    trained = min(max(1, round(SPLIT[0] * count)), count - validated - 1)
    return trained, validated, count - trained - validated


def _source(stack: LabeledStack, train: str = "", validation: str = "", test: str = "") -> Source:
    return Source(
        tomogram=stack.image,
        mask=stack.labels,
        train=train,
        validation=validation,
        test=test,
        annotated_in_part=len(stack.annotated) < stack.count,
    )


def simulated_stacks(folder: pathlib.Path, simulation: CellSimulation, seed: int) -> tuple[tuple[Source, ...], str]:
    """Simulate stacks, write them in the challenge's layout, and say what each is for.

    Args:
        folder: Where they go: sequence 01 to train on and to choose the checkpoint, 02 to score.
        simulation: What cells and microscope are like.
        seed: Seed of the first; the others are counted from it, those of 02 from a thousand above.

    Returns:
        Sources, and a notice for readers of the results.
    """
    simulation = _TINY_SIMULATION if TINY else simulation
    sources, seeds = [], {"train": [], "validation": [], "test": []}
    everything = write_slices(range(simulation.shape[0]))
    for use, count in _STACKS.items():
        for number in range(count):
            frame = number + (_STACKS["train"] if use == "validation" else 0)
            sequence = "02" if use == "test" else "01"
            seeds[use].append(seed + frame + (1000 if use == "test" else 0))
            image, labels = simulate_cells(simulation, seeds[use][-1])
            size_nm = tuple(1000 * extent for extent in simulation.voxel_size_um)
            volumes = [Volume(array=array, voxel_size_nm=size_nm) for array in (image, labels)]
            write_frame(folder, frame, *volumes, sequence=sequence, overwrite=True)
            name = f"{frame:03d}.tif"
            sources.append(
                Source(
                    tomogram=str(folder / sequence / f"t{name}"),
                    mask=str(folder / f"{sequence}_GT" / "SEG" / f"man_seg{name}"),
                    **{use: everything},
                )
            )
    shown = {use: ", ".join(map(str, numbers)) for use, numbers in seeds.items()}
    notice = (
        f"Trained on simulated stacks (seeds {shown['train']}), checkpoint chosen on seed {shown['validation']}, "
        f"scored on seeds {shown['test']}. The scores say that the program works, not how well it will do on real data."
    )
    return tuple(sources), notice


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellMeasures:
    """What the cells on the training slices are like.

    Attributes:
        share: Share of voxels that belong to a cell.
        radius_px: Median over cells of the radius of a circle as large as its largest cross-section [px].
        voxels: Median size of a cell [voxels].
        one_id: A stack has one id alone, and it is in several pieces: perhaps a mask.
    """

    share: float
    radius_px: float
    voxels: float
    one_id: bool


def measure_cells(sources: Sequence[Source]) -> CellMeasures:
    """Measure the cells on the training slices.

    Raises:
        InputError: If there are none, or an id is negative or no whole number.
    """
    inside = total = 0
    areas, sizes, one_id = [], [], False
    for source in sources:
        if not source.train:
            continue
        labels = open_volume(source.mask)
        largest: dict[int, int] = {}
        summed: dict[int, int] = {}
        for z in parse_slices(source.train, labels.shape[0]):
            ids, counts = np.unique(instance_ids(labels, slice(z, z + 1)), return_counts=True)
            total += int(counts.sum())
            for number, count in zip(ids.tolist(), counts.tolist(), strict=True):
                if number:
                    inside += count
                    largest[number] = max(largest.get(number, 0), count)
                    summed[number] = summed.get(number, 0) + count
        if len(largest) == 1:
            slices = parse_slices(source.train, labels.shape[0])
            one_id |= any(label(instance_ids(labels, slice(z, z + 1))[0]).max() >= _PIECES for z in slices)
        elif largest:
            _check_compact(labels, parse_slices(source.train, labels.shape[0]))
        areas += largest.values()
        sizes += summed.values()
    if not sizes:
        raise InputError("no cell on the training slices; choose slices that have some")
    radius = float(np.sqrt(np.median(areas) / np.pi))
    return CellMeasures(share=inside / total, radius_px=radius, voxels=float(np.median(sizes)), one_id=one_id)


def _check_compact(labels: Volume, slices: Sequence[int]) -> None:
    """Refuse grey values in the place of ids: they lie in many pieces.

    Raises:
        InputError: If every id of the middle slice is in many pieces.
    """
    ids = instance_ids(labels, slice(slices[len(slices) // 2], slices[len(slices) // 2] + 1))[0]
    count, pieces = len(np.unique(ids[ids > 0])), int(label(ids).max())
    if pieces >= _SCATTERED * max(count, 1):
        raise InputError(
            f"{labels.name}: {count} ids in {pieces:,} pieces in one slice, expected about a piece for each cell; are "
            "these grey values, or images and labels exchanged?"
        )
