"""Grey PNG images of 8 or 16 bit, one per slice."""

from __future__ import annotations

import pathlib
import struct

import numpy as np
from PIL import Image, PngImagePlugin

from segkit.errors import InputError, faults_told
from segkit.volumes.checks import check_deflated

PNG_SUFFIXES = (".png",)
PNG_DTYPES = ("uint8", "uint16")

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_BIT = 2  # of the colour type in the IHDR chunk


def png_layout(path: pathlib.Path) -> tuple[tuple[int, int], np.dtype]:
    """Return shape (y, x) and type of a PNG image from its first bytes.

    Raises:
        InputError: If it is not a PNG image, or one with 16 bits per colour.
    """
    with open(path, "rb") as file:
        start = file.read(26)
    if len(start) < 26 or not start.startswith(_SIGNATURE):
        raise InputError(f"{path}: found no PNG image, expected one; check the file, or copy it again")
    # IHDR is the first chunk: its content follows the signature, its length and its name (8 + 4 + 4 bytes).
    width, height, depth, colour = struct.unpack_from(">IIBB", start, 16)
    # At least: one sample a pixel, and a byte more a row, which names its filter.
    check_deflated(str(path), path.stat().st_size, height * (width * depth // 8 + 1))
    # Pillow decodes 16-bit colour to 8 bits.
    if depth == 16 and colour & _COLOUR_BIT:
        raise InputError(f"{path}: found colour of 16 bits, expected grey of 8 or 16 bits; convert it to grey")
    return (height, width), np.dtype(np.uint16 if depth == 16 else np.uint8)


def read_png(path: pathlib.Path) -> np.ndarray:
    """Read a grey PNG image; colour counts as grey where its channels are equal.

    Returns:
        The values (y, x), uint8 or uint16. Images of 1, 2 or 4 bits come as 0 to 255.

    Raises:
        InputError: If it is not a PNG image, is damaged, or holds colour or transparency.
    """
    shape, dtype = png_layout(path)
    # Image.open would refuse slices beyond 179 million pixels.
    with faults_told(path, "PNG"), PngImagePlugin.PngImageFile(path) as image:
        values = _grey(path, image)
    if values.shape != shape or values.dtype != dtype:
        raise InputError(f"{path}: found {values.dtype} {values.shape}, expected {dtype} {shape}; save it again")
    return values


def write_png(path: pathlib.Path, values: np.ndarray) -> None:
    """Write one image (y, x) of uint8 or uint16 as a grey PNG, values as they are."""
    Image.fromarray(values).save(path, format="PNG")


def _grey(path: pathlib.Path, image: PngImagePlugin.PngImageFile) -> np.ndarray:
    # A palette may hold colours: decided by the values below.
    if image.mode == "P":
        image = image.convert("RGB")
    if image.mode == "1":
        image = image.convert("L")
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.uint16)
    values = np.asarray(image)
    if image.mode in ("LA", "RGBA"):
        if (values[..., -1] != 255).any():
            raise InputError(f"{path}: found transparent pixels, expected a grey image; save it without alpha")
        values = values[..., :-1]
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            raise InputError(
                f"{path}: found colour, expected a grey image; convert it to grey (in Fiji: Image > Type > 8-bit)"
            )
        values = values[..., 0]
    return values
