"""An output never replaces what it is made from, by whatever name it is called."""

import os

import pytest

from segkit.errors import InputError
from segkit.volumes.output_checks import check_not_input, check_text_output


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mrc", "b.h5", "slices/0.tif", "other/x.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"voxels")
    os.symlink("a.mrc", "link.mrc")
    os.link("a.mrc", "hard.mrc")
    os.symlink("slices", "linked")
    os.symlink("not_there_yet.mrc", "dangling.mrc")


@pytest.mark.parametrize(
    ("output", "given", "message"),
    [
        ("a.mrc", "a.mrc", "a.mrc: is the input; choose another output"),
        ("./other/../a.mrc", "a.mrc", "is the input"),
        ("link.mrc", "a.mrc", "link.mrc: is the input"),
        ("a.mrc", "link.mrc", "a.mrc: is the input"),
        ("hard.mrc", "a.mrc", "hard.mrc: is the input"),
        ("b.h5:ids", "b.h5:raw", "b.h5: is the input"),
        ("b.h5", "b.h5:raw", "b.h5: is the input"),
        ("slices", "linked", "slices: is the input"),
        ("slices/ids.tif", "linked", "slices/ids.tif: is inside the input, a folder of slices"),
        ("other", "other/x.tif", "other: is a folder that holds the input other/x.tif"),
    ],
)
def test_the_input_is_never_replaced(output, given, message):
    with pytest.raises(InputError, match=message):
        check_not_input(output, [None, "none.mrc", given])


@pytest.mark.parametrize("output", ["c.mrc", "b.tif", "slices.tif", "dangling.mrc", "new", "other/c.tif"])
def test_other_outputs_are_not_refused(output):
    check_not_input(output, [None, "a.mrc", "b.h5:raw", "slices", "other/x.tif"])


@pytest.mark.parametrize("name", ["a.mrc", "A.TIF", "s.ome.tiff", "b.h5:raw", "m.png", "v.nii", "l.am"])
def test_text_is_not_written_to_volumes(name):
    with pytest.raises(InputError, match=r"--json .*: \.\w+ is the suffix of a volume; .* ends in \.json"):
        check_text_output(name, "--json", ".json")


@pytest.mark.parametrize("name", ["scores.json.gz", "S.BZ2", "v.nii.gz"])
def test_text_is_not_written_compressed(name):
    with pytest.raises(InputError, match=rf"--json {name}: text is not written compressed; .* ends in \.json"):
        check_text_output(name, "--json", ".json")


def test_text_is_not_written_to_models_but_to_all_else():
    with pytest.raises(InputError, match="is the suffix of a model"):
        check_text_output("model.keras", "--table", ".csv")
    for name in ("sizes.csv", "scores.json", "scores", "run.1/scores.txt"):
        check_text_output(name, "--table", ".csv")
