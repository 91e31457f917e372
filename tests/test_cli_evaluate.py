"""`segkit evaluate` on label volumes."""

import json

import numpy as np
import pytest

from segkit import cli
from segkit.errors import InputError
from segkit.inference.legend import write_legend
from segkit.volumes.files import save_volume
from segkit.volumes.volume import Volume

LABELS = np.array([[[0, 1, 2, 2]], [[0, 0, 1, 2]]], np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_volume("p.tif", Volume(array=LABELS))
    save_volume("r.tif", Volume(array=np.where(LABELS == 2, 2, np.roll(LABELS, 1, axis=0)).astype(np.uint8)))
    return tmp_path


def scores(capsys, *words):
    cli.main(["evaluate", "--prediction", "p.tif", "--reference", "r.tif", "--json", "-", *words])
    return json.loads(capsys.readouterr().out)


def test_every_label_is_scored_under_its_number_or_its_name(folder, capsys):
    found = scores(capsys, "--all-labels")
    assert found["classes"] == ["0", "1", "2"]
    write_legend("p.legend.json", ["synapse", "golgi"])
    named = scores(capsys, "--all-labels")
    assert list(named["total"]["iou"].items())[1:] == [
        ("synapse", found["total"]["iou"]["1"]),
        ("golgi", found["total"]["iou"]["2"]),
    ]


def test_one_label_is_scored_as_a_mask(folder, capsys):
    write_legend("p.legend.json", ["synapse", "golgi"])
    one = scores(capsys, "--label", "2", "--reference-label", "2")
    assert one["total"]["foreground_iou"] == scores(capsys, "--all-labels")["total"]["iou"]["golgi"]


def test_objects_are_scored_in_3d_or_slice_by_slice(folder, capsys):
    objects = np.zeros((2, 3, 4), np.uint16)
    objects[:, 0, :2], objects[0, 2, 1:], objects[1, 2, :2] = 1, 5, 9
    save_volume("p.tif", Volume(array=objects), overwrite=True)
    save_volume("r.tif", Volume(array=np.where(objects == 9, 5, objects)), overwrite=True)
    whole = scores(capsys, "--instances")
    assert (whole["total"]["objects"], whole["total"]["found"]) == (2, 3)
    assert whole["total"]["seg"] == pytest.approx((1 + 3 / 5) / 2)
    assert scores(capsys, "--instances", "--slice-wise")["total"]["seg"] == 1
    assert scores(capsys, "--instances", "--slices", "1")["total"]["seg"] == 1


def test_objects_are_scored_where_the_reference_is_annotated(folder, capsys):
    truth = np.zeros((2, 4, 12), np.int16)
    truth[:, 0, :2], truth[:, 3, :4] = 1, 5
    found = truth.copy()
    found[:, :, 8:10], found[:, 3, 4:6] = 3, 5  # beside what was drawn
    drawn = truth.copy()
    drawn[:, :, 4:] = -1
    save_volume("p.tif", Volume(array=found), overwrite=True)
    save_volume("r.tif", Volume(array=truth), overwrite=True)
    everywhere = scores(capsys, "--instances")["total"]
    assert (everywhere["found"], everywhere["seg"]) == (3, pytest.approx((1 + 4 / 6) / 2))
    save_volume("r.tif", Volume(array=drawn), overwrite=True)
    for words, count in ((["--instances"], 2), (["--task", "cells"], 2), (["--instances", "--slice-wise"], 4)):
        known = scores(capsys, *words, "--ignore-value", "-1")["total"]
        assert [known[name] for name in ("found", "seg", "dice", "pixel_accuracy")] == [count, 1, 1, 1]
    with pytest.raises(InputError, match=r"found the id -1, .*give an annotation's value of unannotated voxels"):
        scores(capsys, "--instances")


@pytest.mark.parametrize(("kind", "words"), [("cells", "--instances"), ("classes", "--all-labels"), ("foreground", "")])
def test_a_kind_is_scored_as_by_its_own_option(kind, words, folder, capsys):
    labels = np.minimum(LABELS, 1) if kind == "foreground" else LABELS
    for name in ("p.tif", "r.tif"):
        save_volume(name, Volume(array=labels), overwrite=True)
    assert scores(capsys, "--task", kind) == scores(capsys, *words.split())


def test_a_task_without_an_option_of_its_own_is_scored(folder, capsys):
    assert scores(capsys, "--task", "centers")["total"] == scores(capsys, "--task", "cells")["total"]


@pytest.mark.parametrize("word", [["--slices", "0"], ["--instances"], ["--ignore-value", "0"]])
def test_choices_that_mean_nothing_to_a_challenges_result_are_refused(word):
    with pytest.raises(InputError, match=f"{word[0]} cannot be combined with --ctc-result"):
        cli.main(["evaluate", "--ctc-result", "01_RES", "--ctc-reference", "01_GT", *word])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--instances", "--all-labels"], "--instances cannot be combined with --all-labels"),
        (["--instances", "--label", "1"], "--instances cannot be combined with --all-labels or a label"),
        (["--slice-wise"], "--slice-wise has no meaning for the task 'foreground'"),
        (["--slice-wise", "--all-labels"], "--slice-wise has no meaning for the task 'classes'"),
        (["--instances", "--reference-label", "1"], "--instances cannot be combined with --all-labels or a label"),
        (["--instances", "--ignore-value", "0"], "r.tif: the ignore value is 0, which is the background"),
        (["--task", "classes", "--all-labels"], "--all-labels cannot be combined with --task classes"),
        (["--task", "objects"], "unknown task 'objects'"),
    ],
)
def test_objects_and_classes_are_not_scored_at_once(folder, capsys, words, message):
    with pytest.raises(InputError, match=message):
        scores(capsys, *words)
