"""``segkit components``: number the connected components of a mask, and leave out small ones."""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import logging
import math
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from segkit.console import parse_size
from segkit.errors import InputError
from segkit.volumes.annotation_like import looks_like_image
from segkit.volumes.checks import check_finite_part
from segkit.volumes.files import checked_suffix, open_volume, save_volume
from segkit.volumes.lazy_volume import slice_stack
from segkit.volumes.output_checks import check_not_input, check_text_output
from segkit.volumes.tell_warnings import tell_warnings
from segkit.volumes.volume import Volume
from segkit.volumes.whole_output import check_output, whole_file

if TYPE_CHECKING:
    from segkit.instances.object_sizes import ObjectSizes

_LOG = logging.getLogger(__name__)


def add_components_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``run_components`` takes."""
    parser.add_argument("--input", required=True, metavar="FILE", help="mask, labels or probability")
    parser.add_argument("--output", required=True, metavar="FILE", help="ids of the components, or their mask")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--label", type=int, metavar="N", help="label that counts as foreground (default: all but 0)")
    what.add_argument("--threshold", type=float, metavar="P", help="probability above which a voxel is foreground")
    parser.add_argument(
        "--min-size", type=_whole_number, default=1, metavar="VOXELS", help="smaller components are left out"
    )
    parser.add_argument(
        "--slice-wise",
        action="store_true",
        help="number the components of each slice on its own, for images that do not belong together or thick sections",
    )
    parser.add_argument("--mask", action="store_true", help="write a mask of the components, not their ids")
    parser.add_argument(
        "--table", metavar="FILE", help="write sizes and centres [voxels, from 0] of the components as CSV"
    )
    parser.add_argument("--max-ram", metavar="SIZE", help="memory limit, such as 4G")
    parser.add_argument("--overwrite", action="store_true", help="replace the outputs")


def _whole_number(text: str) -> int:
    """Return a whole number, as ``int`` does or written like ``1e4``."""
    with contextlib.suppress(ValueError):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number.is_integer():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, such as 10000")
    return int(number)


def run_components(args: argparse.Namespace) -> None:
    """Number the components of a mask: voxels connected by faces are one, slice by slice those connected by edges.

    Raises:
        InputError: If the input is no mask, an option is out of range, or a file cannot be read or written.
    """
    if args.min_size < 0:
        raise InputError(f"--min-size {args.min_size}: expected a number of voxels, 0 or more")
    if args.threshold is not None and not 0 <= args.threshold <= 1:
        raise InputError(f"--threshold {args.threshold}: expected a probability from 0 to 1")
    if args.table and pathlib.Path(args.table).resolve() == pathlib.Path(args.output).resolve():
        raise InputError(f"--table {args.table}: is the output; choose another file")
    max_ram = parse_size(args.max_ram)
    checked_suffix(args.output)
    if args.table:
        check_text_output(args.table, "--table", ".csv")
    for path in filter(None, (args.output, args.table)):
        check_not_input(path, [args.input])
    target = check_output(args.output, overwrite=args.overwrite)
    if args.table:
        check_output(args.table, overwrite=args.overwrite)
    volume = open_volume(args.input, dataset=args.dataset, channel=args.channel, unsigned=args.unsigned)
    tell_warnings(volume)
    foreground = _Foreground(volume, args.label, args.threshold)
    # Here, not above: scipy and scikit-image take longer to load than mistakes should.
    from segkit.instances.instance_settings import InstanceSettings
    from segkit.instances.object_sizes import object_sizes
    from segkit.instances.objects_from_maps import objects_from_maps
    from segkit.instances.slice_components import slice_components

    # Components need nothing around a block.
    settings = InstanceSettings(
        method="components", min_size=args.min_size, fill=False, seed_distance=0.0, smoothing=0.0
    )
    with tempfile.TemporaryDirectory(prefix=".components-", dir=target.parent) as folder:
        place = pathlib.Path(folder, "blocks")
        shared = {"voxel_size": (1.0, 1.0, 1.0), "max_ram": max_ram}
        if args.slice_wise:
            ids = slice_components(foreground.read_slice, volume.shape, min_size=args.min_size)
        else:
            ids = objects_from_maps(foreground.read_slice, volume.shape, settings, place, **shared)
        sizes = object_sizes(ids)
        array = slice_stack(lambda z: (ids[z] > 0).astype(np.uint8), volume.shape, np.uint8) if args.mask else ids
        shown = (0, 1) if args.mask else (0, max(1, len(sizes.ids)))
        like = dataclasses.replace(volume, metadata={**volume.metadata, "display_range": shown})
        save_volume(args.output, Volume(array=array), like=like, overwrite=args.overwrite)
    is_told = args.label is None and args.threshold is None and _tell_values(volume, foreground.values)
    if not is_told and sizes.voxels.sum() == math.prod(volume.shape):
        _LOG.warning("warning: %s: every voxel is foreground; a mask is 0 outside of the structure", volume.name)
    if args.table:
        _write_table(args, sizes, volume.voxel_size_nm)
    told = _summary(sizes, volume.voxel_size_nm) if len(sizes.ids) else foreground.why_none(args.min_size)
    sys.stdout.write(f"{told}\n")


_FEW = 20  # values that may be labels of classes; more are ids of objects, or grey values


def _tell_values(volume: Volume, values: set[float]) -> bool:
    """Log what counts as one structure because no label was chosen; of grey values it is no structure at all.

    Returns:
        Whether anything was logged: of a mask nothing is.
    """
    if len(values) <= 1:
        return False
    if len(values) <= _FEW:
        _LOG.info(
            "note: %s: holds the labels %s, which count as one structure; give --label N for one of them",
            volume.name,
            ", ".join(f"{value:g}" for value in sorted(values)),
        )
    elif looks_like_image(volume):
        _LOG.warning(
            "warning: %s: many neighbouring voxels differ, as in an image: these look like grey values, of which all "
            "but 0 count as one structure; give a mask, labels, or a probability with --threshold",
            volume.name,
        )
    else:
        _LOG.info(
            "note: %s: holds more than %d values, which count as one structure: objects that touch become one",
            volume.name,
            _FEW,
        )
    return True


@dataclasses.dataclass(frozen=True)
class _Foreground:
    """The foreground of a volume, read slice by slice."""

    volume: Volume
    label: int | None
    threshold: float | None
    values: set[float] = dataclasses.field(default_factory=set)
    """Values besides 0 that were read so far where all are foreground; not all of more than ``_FEW``."""

    def read_slice(self, z: int) -> np.ndarray:
        """Return 1 where a slice is foreground and 0 elsewhere, float32 ``(y, x)``."""
        values = np.asarray(self.volume.array[z])
        check_finite_part(self.volume, values, z, remedy="write it again with 0 outside the structure")
        if self.threshold is not None:
            return (values > self.threshold).astype(np.float32)
        if values.dtype.kind == "f" and not (values == np.round(values)).all():
            raise InputError(
                f"{self.volume.name}: found {values[values != np.round(values)][0]:g} in slice {z}, expected a mask or "
                "labels; for a probability give --threshold, such as 0.5"
            )
        if self.label is not None:
            return (values == self.label).astype(np.float32)
        self._note(values)
        return (values != 0).astype(np.float32)

    def _note(self, values: np.ndarray) -> None:
        if len(self.values) > _FEW:
            return
        rest = values[values != 0]
        for value in list(self.values):
            rest = rest[rest != value]
        while rest.size and len(self.values) <= _FEW:
            self.values.add(rest[0].item())
            rest = rest[rest != rest[0]]

    def why_none(self, min_size: int) -> str:
        """Return a line for a volume of which no component is left."""
        if any(self.read_slice(z).any() for z in range(self.volume.shape[0])):
            return f"no component of at least {min_size} voxels"
        if self.threshold is not None:
            return f"no component: no voxel is above {self.threshold:g}"
        return "no component" if self.label is None else f"no component with the label {self.label}"


def _summary(sizes: ObjectSizes, voxel_size_nm: Sequence[float] | None) -> str:
    median = float(np.median(sizes.voxels))
    volume = "" if voxel_size_nm is None else f", {median * np.prod(voxel_size_nm):.4g} nm3"
    if len(sizes.ids) == 1:
        return f"1 component of {median:g} voxels{volume}"
    return (
        f"{len(sizes.ids)} components of {sizes.voxels.min()} to {sizes.voxels.max()} voxels (median "
        f"{median:g}{volume}); {sizes.voxels.sum()} voxels in all"
    )


def _write_table(args: argparse.Namespace, sizes: ObjectSizes, voxel_size_nm: Sequence[float] | None) -> None:
    """Write one line per component: id, voxels, volume where the voxel size is known, and centre."""
    head = ["id", "voxels", *([] if voxel_size_nm is None else ["volume_nm3"]), "center_z", "center_y", "center_x"]
    with whole_file(args.table, overwrite=args.overwrite) as unfinished, open(unfinished, "w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(head)
        for number, count, center in zip(sizes.ids.tolist(), sizes.voxels.tolist(), sizes.centers, strict=True):
            volume: list[Any] = [] if voxel_size_nm is None else [f"{count * np.prod(voxel_size_nm):.6g}"]
            writer.writerow([number, count, *volume, *(f"{place:.2f}" for place in center)])
