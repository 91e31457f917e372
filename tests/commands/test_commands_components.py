"""``segkit components``: masks of every kind, sizes, and volumes larger than memory."""

import csv

import numpy as np
import pytest
from skimage.measure import label

from segkit import cli
from segkit.console import run_command
from segkit.errors import InputError
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

MASK = (np.random.default_rng(0).random((6, 40, 48)) < 0.25).astype(np.uint8)
LABELS = label(MASK, connectivity=1)
SIZES = np.bincount(LABELS.ravel())


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    size = {"voxel_size_nm": (40.0, 5.0, 5.0)}
    save_volume("mask.mrc", Volume(array=MASK.astype(np.int8), **size))
    save_volume("labels.tif", Volume(array=MASK + 2 * (MASK == 0)))
    save_volume("probability.tif", Volume(array=(0.2 + 0.6 * MASK).astype(np.float32)))
    return tmp_path


def components(capsys, *words):
    cli.main(["components", *words])
    return capsys.readouterr().out


def ids_in(path):
    return np.asarray(open_volume(path).array[:])


def same_objects(found, expected):
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)
    return all(len(set(side)) == pairs.shape[1] for side in pairs.tolist())


@pytest.mark.parametrize(
    "words",
    [
        ("mask.mrc",),
        ("labels.tif", "--label", "1"),
        ("probability.tif", "--threshold", "0.5"),
        ("mask.mrc", "--max-ram", "1M"),  # less than is there: block by block
    ],
)
def test_voxels_connected_by_faces_are_one_object(capsys, words, folder):
    told = components(capsys, "--input", *words, "--output", "ids.tif")
    found = ids_in("ids.tif")
    assert same_objects(found, LABELS)
    assert found.max() == len(SIZES) - 1
    assert told.startswith(f"{len(SIZES) - 1} components of 1 to {SIZES[1:].max()} voxels")
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_small_ones_are_left_out_and_the_rest_is_measured(capsys):
    words = ("--input", "mask.mrc", "--output", "ids.mrc", "--min-size", "5", "--table", "sizes.csv")
    told = components(capsys, *words)
    kept = SIZES[1:][SIZES[1:] >= 5]
    assert 1 < len(kept) < len(SIZES) - 1
    found = open_volume("ids.mrc")
    assert found.voxel_size_nm == pytest.approx((40, 5, 5))
    assert same_objects(ids_in("ids.mrc"), LABELS * (SIZES >= 5)[LABELS])
    assert f"{kept.sum()} voxels in all" in told and f"{np.median(kept) * 1000:.4g} nm3" in told
    with open("sizes.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["id"]) for row in rows] == list(range(1, len(kept) + 1))
    assert sorted(int(row["voxels"]) for row in rows) == sorted(kept.tolist())
    assert all(float(row["volume_nm3"]) == pytest.approx(1000 * int(row["voxels"]), rel=1e-5) for row in rows)
    one = np.argwhere(ids_in("ids.mrc") == 1).mean(axis=0)
    assert [float(rows[0][f"center_{axis}"]) for axis in "zyx"] == pytest.approx(one, abs=0.006)


def test_a_mask_is_written_as_one_and_nothing_is_left_of_an_empty_one(capsys):
    components(capsys, "--input", "mask.mrc", "--output", "clean.mrc", "--min-size", "5", "--mask")
    np.testing.assert_array_equal(ids_in("clean.mrc"), (SIZES >= 5)[LABELS] & (MASK > 0))
    none = components(capsys, "--input", "mask.mrc", "--label", "7", "--output", "none.tif")
    assert none == "no component with the label 7\n"
    assert not ids_in("none.tif").any()


@pytest.mark.parametrize("words", [(), ("--slice-wise",)])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("mask.mrc", "--min-size", "1920"), "no component of at least 1920 voxels"),
        (("labels.tif", "--label", "1", "--min-size", "1920"), "no component of at least 1920 voxels"),
        (("labels.tif", "--label", "7", "--min-size", "1920"), "no component with the label 7"),
        (("probability.tif", "--threshold", "0.9"), "no component: no voxel is above 0.9"),
        (("zeros.tif",), "no component"),
    ],
)
def test_why_no_component_is_left_is_told(capsys, given, words, told):
    save_volume("zeros.tif", Volume(array=np.zeros((2, 3, 4), np.uint8)))
    assert components(capsys, "--input", *given, *words, "--output", "none.tif") == f"{told}\n"


@pytest.mark.parametrize("given", [("mask.mrc",), ("labels.tif", "--label", "1")])
def test_slice_by_slice_no_component_reaches_another_slice(capsys, given):
    words = ("--input", *given, "--slice-wise", "--min-size", "3", "--output", "ids.tif", "--table", "sizes.csv")
    told = components(capsys, *words)
    expected, sizes = np.zeros(MASK.shape, int), []
    for z, part in enumerate(label(image, connectivity=1) for image in MASK):
        for one in (one for one in range(1, part.max() + 1) if (part == one).sum() >= 3):
            sizes.append(int((part == one).sum()))
            expected[z][part == one] = len(sizes)
    np.testing.assert_array_equal(ids_in("ids.tif"), expected)
    assert told.startswith(f"{len(sizes)} components of 3 to {max(sizes)} voxels")
    with open("sizes.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["voxels"]) for row in rows] == sizes
    places = [float(row["center_z"]) for row in rows]
    assert places == sorted(places) and all(place == int(place) for place in places)
    components(capsys, "--input", *given, "--slice-wise", "--min-size", "3", "--mask", "--output", "clean.tif")
    np.testing.assert_array_equal(ids_in("clean.tif"), expected > 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--input", "probability.tif"), r"found 0\.2 in slice 0, expected a mask or labels; .* --threshold"),
        (("--input", "mask.mrc", "--min-size", "-1"), "--min-size -1: expected a number of voxels"),
        (("--input", "mask.mrc", "--min-size", "2.5"), r"--min-size: '2\.5' is not a whole number, such as 10000"),
        (("--input", "mask.mrc", "--min-size", "many"), "--min-size: 'many' is not a whole number"),
        (("--input", "mask.mrc", "--min-size", "inf"), "--min-size: 'inf' is not a whole number"),
        (("--input", "mask.mrc", "--output", "labels.tif"), r"labels\.tif: already exists"),
        (("--input", "mask.mrc", "--output", "mask.mrc", "--overwrite"), r"mask\.mrc: is the input; choose another"),
        (("--input", "mask.mrc", "--table", "mask.mrc", "--overwrite"), r"--table mask\.mrc: \.mrc is the suffix of a"),
        (("--input", "mask", "--table", "mask", "--overwrite"), "mask: is the input; choose another output"),
        (("--input", "probability.tif", "--threshold", "nan"), "--threshold nan: expected a probability"),
        (("--input", "mask.mrc", "--table", "./out.tif"), r"--table \./out\.tif: is the output"),
        (("--input", "none.mrc"), r"none\.mrc: no such file"),
        (("--input", "mask.mrc", "--label", "1", "--threshold", "0.5"), "not allowed with argument"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(words, message, folder):
    (folder / "mask").write_bytes((folder / "mask.mrc").read_bytes())  # a volume without a suffix
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=message):
        cli.main(["components", "--output", "out.tif", *words])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_volume_without_background_is_noticed(folder, capsys):
    save_volume("full.tif", Volume(array=np.full((2, 5, 6), 7, np.uint8)))
    assert run_command(cli.main, ["components", "--input", "full.tif", "--output", "ids.tif"]) == 0
    found = capsys.readouterr()
    assert "warning: full.tif: every voxel is foreground; a mask is 0 outside of the structure" in found.err
    assert found.out == "1 component of 60 voxels\n"


def test_a_number_of_voxels_may_have_an_exponent(capsys):
    told = components(capsys, "--input", "mask.mrc", "--output", "ids.tif", "--min-size", "1.92e3")
    assert told == "no component of at least 1920 voxels\n"


PIECES = np.kron(np.arange(1, 37).reshape(1, 6, 6), np.ones((3, 7, 8), int))
NOISE = np.random.default_rng(1).integers(-90, 90, PIECES.shape)
IS_THERE = np.random.default_rng(2).random(PIECES.shape) < 0.9


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (MASK, None),
        (MASK == 1, None),
        (255 * MASK, None),
        (-1 * MASK.astype(np.int8), None),
        (np.where(IS_THERE, PIECES % 3 + 1, 0), "note: v.mrc: holds the labels 1, 2, 3, which count as one structure"),
        (np.where(PIECES > 34, 255, PIECES > 30), "note: v.mrc: holds the labels 1, 255, which count as one structure"),
        (np.where(IS_THERE, PIECES, 0), "note: v.mrc: holds more than 20 values, which count as one structure"),
        (NOISE, "warning: v.mrc: many neighbouring voxels differ, as in an image: these look like grey values"),
        (200 + NOISE.astype(np.float32), "warning: v.mrc: many neighbouring voxels differ"),
        (PIECES % 3 + 1, "note: v.mrc: holds the labels 1, 2, 3, which count as one structure"),
        (PIECES, "note: v.mrc: holds more than 20 values, which count as one structure"),
        (np.ones_like(PIECES), "warning: v.mrc: every voxel is foreground; a mask is 0 outside of the structure"),
    ],
)
@pytest.mark.parametrize("words", [(), ("--slice-wise",)])
def test_values_that_count_as_one_structure_are_told(values, told, words, capsys):
    dtype = np.float32 if values.dtype == np.float32 else np.uint8 if values.dtype == bool else np.int16
    save_volume("v.mrc", Volume(array=values.astype(dtype)), overwrite=True)
    given = ["components", "--input", "v.mrc", *words, "--overwrite"]
    assert run_command(cli.main, [*given, "--output", "ids.tif"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("note", "warning"))]
    assert len(said) == (told is not None) and (told is None or said[0].startswith(told))
    # One label is meant, and said to be.
    assert run_command(cli.main, [*given, "--output", "ids.tif", "--label", "1"]) == 0
    assert "note" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--threshold", "0.5"], ["--threshold", "0.5", "--slice-wise"], ["--label", "1"], []]
)
def test_nan_is_no_background(words):
    values = MASK.astype(np.float32)
    values[4, 2, 3:5] = np.nan, np.inf
    save_volume("nan.tif", Volume(array=values))
    message = r"nan\.tif: found 2 NaN or infinite voxels in slice 4, expected finite values; write it again with 0"
    with pytest.raises(InputError, match=message):
        cli.main(["components", "--input", "nan.tif", *words, "--output", "out.tif"])
