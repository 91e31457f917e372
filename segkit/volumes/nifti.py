"""Read NIfTI files: memory-mapped, compressed ones from an unpacked temporary file."""

from __future__ import annotations

import io
import math
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from segkit.errors import InputError, faults_told
from segkit.volumes.checks import check_extent
from segkit.volumes.compressed import is_compressed, read_start, unpacked
from segkit.volumes.lazy_volume import LazyVolume, in_native_byte_order
from segkit.volumes.mapped_file import mapped_file
from segkit.volumes.physical_size import nm_per_unit
from segkit.volumes.tiff_pages import check_reach
from segkit.volumes.volume import ArrayLike3D, Volume

NIFTI_SUFFIXES = (".nii",)

_HEADER_BYTES = 540  # of NIfTI-2; that of NIfTI-1 has 348


def looks_like_nifti(raw: bytes) -> bool:
    """Return whether bytes are the header of a single-file NIfTI-1 or NIfTI-2 image."""
    return raw[344:348] == b"n+1\0" or raw[4:8] == b"n+2\0"


def read_nifti(path: pathlib.Path, *, progress: Callable[[int, int], None] | None = None) -> Volume:
    """Open a NIfTI file (``.nii``, ``.nii.gz``) without reading its voxels into memory.

    Args:
        path: The file.
        progress: Called as ``progress(done, total)`` with bytes while a compressed file is unpacked.

    Returns:
        The volume, ``(z, y, x)`` in the order of the file; where the patient's left and right are is not looked at. Its
        voxel size is unknown where the file gives no unit of length.

    Raises:
        InputError: If nibabel is not installed, or the file is not a NIfTI file, is cut off or damaged, or holds
            something other than one volume of real numbers.
    """
    header = _header(path, read_start(path, _HEADER_BYTES))
    with faults_told(path, "NIfTI"):
        sizes, dtype, offset = header.get_data_shape(), header.get_data_dtype(), int(header.get_data_offset())
        slope, intercept = header.get_slope_inter()
        zooms, (unit, _) = header.get_zooms(), header.get_xyzt_units()
    if any(size != 1 for size in sizes[3:]) or not len(sizes) >= 2 or dtype.kind not in "iuf" or min(sizes) < 1:
        raise InputError(
            f"{path}: found {dtype} values of the shape {tuple(sizes)} (x, y, z, ...), expected real numbers of one "
            "volume; save it by itself"
        )
    if offset < (headers := header.template_dtype.itemsize):
        raise InputError(f"{path}: damaged: voxels begin at byte {offset}, inside the header of {headers} bytes")
    # The first axis is the fastest in the file: (x, y, z) is (z, y, x) in the order of NumPy.
    x, y, z = (*sizes[:3], 1)[:3] if len(sizes) == 2 else sizes[:3]
    shape = (int(z), int(y), int(x))
    check_extent(str(path), shape)
    end = offset + math.prod(shape) * dtype.itemsize
    if is_compressed(path):
        file = unpacked(path, end, progress=progress)
    else:
        check_reach(path, end)
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    with file:
        array = in_native_byte_order(mapped_file(path, file, dtype, offset, shape))
    voxel_size_nm, warnings = _voxel_size([float(size) for size in zooms[:3]], unit)
    return Volume(
        array=_scaled(array, slope, intercept),
        voxel_size_nm=voxel_size_nm,
        format="nifti",
        source=path,
        warnings=warnings,
    )


def _header(path: pathlib.Path, raw: bytes) -> Any:
    try:
        import nibabel  # an extra
    except ImportError as fault:
        raise InputError(f"{path}: NIfTI needs the package nibabel: pip install 'segkit[nifti]'") from fault
    kind = nibabel.Nifti2Header if raw[4:8] == b"n+2\0" else nibabel.Nifti1Header
    with faults_told(path, "NIfTI"):
        return kind.from_fileobj(io.BytesIO(raw[: kind.template_dtype.itemsize]), check=False)


def _scaled(array: ArrayLike3D, slope: float | None, intercept: float | None) -> ArrayLike3D:
    """Return what stored numbers stand for; ``None`` and 1 and 0 say that they stand for themselves."""
    if slope in (None, 1.0) and not intercept:
        return array
    gain, shift = np.float32(slope if slope is not None else 1.0), np.float32(intercept or 0.0)
    return LazyVolume(
        lambda region: np.asarray(array[region]).astype(np.float32) * gain + shift, array.shape, np.float32
    )


def _voxel_size(zooms: list[float], unit: str) -> tuple[tuple[float, float, float] | None, tuple[str, ...]]:
    shown = " x ".join(f"{zoom:g}" for zoom in reversed(zooms))
    scale = nm_per_unit({"micron": "um", "meter": "m"}.get(unit, unit))
    if scale is None:
        return None, (f"voxel size unknown: the file gives {shown} (z, y, x) without a unit of length",)
    if len(zooms) == 2:
        zooms = [*zooms, zooms[0]]
    if not all(math.isfinite(zoom) and zoom > 0 for zoom in zooms):
        return None, (f"voxel size unknown: the file gives {shown} {unit} (z, y, x)",)
    x, y, z = (zoom * scale for zoom in zooms)
    return (z, y, x), ()
