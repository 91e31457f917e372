"""What an OME-XML says about the planes and files of a TIFF, checked before it is believed."""

from __future__ import annotations

import math
import pathlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from segkit.errors import InputError


def check_ome(path: pathlib.Path, xml: str) -> None:
    """Check the planes and files that an OME-XML names; text that cannot be read as XML names none.

    Args:
        path: The TIFF file.
        xml: Its description.

    Raises:
        InputError: If it names more planes than its files could hold, a file outside its folder, or something that is
            not a file.
    """
    try:
        root = ET.fromstring(xml)
    except ET.ParseError:
        return
    files = {path, *_files(path, root)}
    # A page takes more than one byte of its file.
    most = sum(file.stat().st_size for file in files if file.is_file())
    for pixels in root.iterfind(".//{*}Pixels"):
        planes = math.prod(_count(path, pixels, f"Size{axis}", 1) for axis in "ZCT")
        named = [
            _count(path, data, name, 0)
            for data in pixels.iterfind("{*}TiffData")
            for name in ("IFD", "NumPlanes", "PlaneCount", "FirstZ", "FirstC", "FirstT")
        ]
        if (found := max([planes, *named])) > most:
            raise InputError(
                f"{path}: its OME-XML names {found:,} planes, more than a file of {most:,} bytes can hold; copy it "
                "again, or save it again with the program that wrote it"
            )


def _files(path: pathlib.Path, root: ET.Element) -> Iterator[pathlib.Path]:
    folder = path.parent.resolve()
    for uuid in root.iterfind(".//{*}UUID"):
        name = uuid.attrib.get("FileName")
        # Of its own pages a file often keeps the name that it had when it was written; they are known by its UUID.
        if not name or (uuid.text is not None and uuid.text == root.attrib.get("UUID")):
            continue
        file = path.parent / name
        if "\0" in name or not file.resolve().is_relative_to(folder):
            raise InputError(f"{path}: its OME-XML names {name!r}, outside its folder; move that file beside it")
        # One that is missing is reported with its pages. Anything else may never end.
        if file.exists() and not file.is_file():
            raise InputError(f"{path}: its OME-XML names {name!r}, which is not a file; remove it")
        yield file


def _count(path: pathlib.Path, element: ET.Element, name: str, default: int) -> int:
    text = element.attrib.get(name, default)
    try:
        count = int(text)
    except ValueError:
        count = -1
    if count < default:
        raise InputError(f"{path}: its OME-XML has {name}={text!r}, expected a whole number; save it again")
    return count
