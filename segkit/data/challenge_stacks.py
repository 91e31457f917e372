"""Annotated frames of the Cell Tracking Challenge as stacks with labels."""

from __future__ import annotations

import pathlib

import numpy as np

from segkit.data.labeled_stacks import LabeledStack, open_stack
from segkit.errors import InputError
from segkit.volumes.challenge import check_sequence, image_files, segmentation_files
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.instance_ids import instance_ids
from segkit.volumes.volume import Volume


def challenge_stacks(
    folder: pathlib.Path, sequence: str, assembled: pathlib.Path, *, reference: str = "GT"
) -> list[LabeledStack]:
    """Return the annotated frames of a sequence of the Cell Tracking Challenge.

    Args:
        folder: Folder of the data set.
        sequence: Name of the sequence, such as ``"01"``.
        assembled: Folder in which a frame of which single slices are annotated gets its labels as one stack, when
            ``write_labels`` is called.
        reference: ``"GT"`` or ``"ST"``.

    Raises:
        InputError: If the sequence or files are missing.
    """
    check_sequence(folder, sequence, reference)
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
            stacks.append(open_stack(image, str(paths[None])))
            continue
        stacks.append(
            LabeledStack(
                image=image,
                labels=str(assembled / f"man_seg{frame:03d}.tif"),
                count=open_volume(image).shape[0],
                annotated=tuple(sorted(paths)),
                parts=dict(paths),
            )
        )
    return stacks


def write_labels(stack: LabeledStack) -> None:
    """Write the annotated slices of a stack as one file, the others empty; nothing where the labels are one already.

    Raises:
        InputError: If an annotation does not fit its image.
    """
    if not stack.parts:
        return
    volume = open_volume(stack.image)
    parts: dict[int, np.ndarray] = {}
    for z, path in stack.parts.items():
        drawn = open_volume(path)
        if z >= volume.shape[0] or drawn.shape != (1, *volume.shape[1:]):
            extents = [" x ".join(map(str, shape)) for shape in (drawn.shape, volume.shape)]
            raise InputError(
                f"{path}: {extents[0]} voxels (z, y, x) for slice {z} of {stack.image}, which has {extents[1]}"
            )
        parts[z] = instance_ids(drawn)[0]
    # Here, not above: scikit-image takes longer to load than a user's mistake should.
    from segkit.instances.renumber import smallest_id_dtype

    whole = np.zeros(volume.shape, smallest_id_dtype(max(int(part.max()) for part in parts.values())))
    for z, part in parts.items():
        whole[z] = part
    target = pathlib.Path(stack.labels)
    target.parent.mkdir(parents=True, exist_ok=True)
    save_volume(target, Volume(array=whole, voxel_size_nm=volume.voxel_size_nm), overwrite=True)
