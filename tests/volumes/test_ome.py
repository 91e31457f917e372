"""OME-XML that promises more than there is, or names files elsewhere."""

import os

import numpy as np
import pytest
import tifffile

from segkit.errors import InputError
from segkit.volumes.files import open_volume

ARRAY = np.arange(3 * 16 * 20, dtype=np.uint16).reshape(3, 16, 20)

XML = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:a">
<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="20" SizeY="16" SizeC="1"
SizeZ="{size}" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>"""


def write(path, data="<TiffData/>", size=3):
    xml = XML.format(data=data, size=size).encode()
    tifffile.imwrite(path, ARRAY, photometric="minisblack", description=xml, metadata=None)
    return path


def named(name):
    return f'<TiffData IFD="0" PlaneCount="3"><UUID FileName="{name}">urn:b</UUID></TiffData>'


def test_planes_of_a_file_beside_it(tmp_path):
    tifffile.imwrite(tmp_path / "b.tif", ARRAY + 1, photometric="minisblack", metadata=None)
    np.testing.assert_array_equal(open_volume(write(tmp_path / "a.ome.tif", named("b.tif"))).array[:], ARRAY + 1)


def test_a_renamed_file_still_holds_its_own_pages(tmp_path):
    own = named("/data/before.ome.tif").replace("urn:b", "urn:a")
    np.testing.assert_array_equal(open_volume(write(tmp_path / "a.ome.tif", own)).array[:], ARRAY)


@pytest.mark.parametrize(
    ("data", "size", "message"),
    [
        ("<TiffData/>", 10**9, r"names 1,000,000,000 planes, more than a file of [\d,]+ bytes can hold"),
        (f'<TiffData IFD="0" PlaneCount="{10**12}"/>', 3, "names 1,000,000,000,000 planes"),
        ("<TiffData/>", -3, "SizeZ='-3', expected a whole number"),
        ('<TiffData IFD="many"/>', 3, "IFD='many', expected a whole number"),
    ],
)
def test_planes_that_no_file_holds(tmp_path, data, size, message):
    with pytest.raises(InputError, match=message):
        open_volume(write(tmp_path / "a.ome.tif", data, size))


@pytest.mark.parametrize("name", ["../b.tif", "{root}/b.tif", "/etc/passwd"])
def test_files_outside_the_folder_are_not_opened(tmp_path, name):
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "b.tif", ARRAY, photometric="minisblack", metadata=None)
    with pytest.raises(InputError, match="outside its folder; move that file beside it"):
        open_volume(write(tmp_path / "in" / "a.ome.tif", named(name.format(root=tmp_path))))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "b.tif")
    with pytest.raises(InputError, match=r"names 'b\.tif', which is not a file"):
        open_volume(write(tmp_path / "a.ome.tif", named("b.tif")))


def test_a_list_of_pages_that_leads_back_to_itself(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ARRAY, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[0].offset, tif.pages[2].offset
    content = bytearray(path.read_bytes())
    # Behind the entries of the last page stands where the next one is: 0, for none.
    entries = int.from_bytes(content[last : last + 2], "little")
    at = last + 2 + 12 * entries
    assert content[at : at + 4] == bytes(4)
    content[at : at + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match="its list of pages leads back to an earlier page"):
        open_volume(path)
