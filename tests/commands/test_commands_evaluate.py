"""``segkit evaluate``: what is offered besides the scores of a kind, and what looks wrong."""

import dataclasses
import json
import re

import numpy as np
import pytest

from segkit import cli
from segkit.console import run_command
from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments.plan import RunPlan, write_plan
from segkit.tasks.cells import CellsTask
from segkit.tasks.task import TASKS
from segkit.volumes.files import save_volume
from segkit.volumes.volume import Volume

TRUTH = np.zeros((4, 20, 24), np.uint8)
TRUTH[:, 3:9, 4:14] = 1


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    size = {"voxel_size_nm": (40.0, 5.0, 5.0)}
    save_volume("truth.tif", Volume(array=TRUTH, **size))
    save_volume("moved.tif", Volume(array=np.roll(TRUTH, 2, axis=2), **size))
    save_volume("flipped.tif", Volume(array=TRUTH[:, ::-1], **size))
    save_volume("probability.tif", Volume(array=(0.2 + 0.6 * TRUTH).astype(np.float32)))
    save_volume("plain.tif", Volume(array=TRUTH))
    return tmp_path


def evaluate(capsys, prediction, *words, reference="truth.tif"):
    cli.main(["evaluate", "--prediction", prediction, "--reference", reference, *words])
    return capsys.readouterr()


def test_surfaces(capsys):
    found = json.loads(evaluate(capsys, "moved.tif", "--surface", "--tolerance", "10", "--json", "-").out)["surface"]
    assert 0 < found["mean_surface_distance_nm"] <= found["hausdorff_95_nm"] == 10.0
    assert (found["surface_dice"], found["tolerance_nm"]) == (1.0, 10.0)
    table = evaluate(capsys, "moved.tif", "--surface").out
    rows = [line for line in table.splitlines() if line.split()[0] in found]
    assert len(rows) == len(found) == 4
    # A column of names, at least two spaces, a column of numbers.
    assert len({len(row) - len(row.split("  ")[-1].lstrip()) for row in rows}) == 1
    assert [row.split("  ")[0] for row in rows] == list(found)
    assert [row.split()[-1] for row in rows][1::2] == ["10", "40"]
    assert "surface" not in json.loads(evaluate(capsys, "moved.tif", "--json", "-").out)
    with pytest.raises(InputError, match="the voxel size is unknown, but needed for distances"):
        evaluate(capsys, "plain.tif", "--surface", reference="plain.tif")


def test_outlines_are_compared_where_slices_are_no_neighbours(capsys):
    def scored(slices):
        said = evaluate(capsys, "moved.tif", "--surface", "--slices", slices, "--json", "-")
        return json.loads(said.out)["surface"], "outlines are compared inside each slice" in said.err

    one, is_told = scored("2")
    assert is_told and (one, True) == scored("0,3") == scored("0,1") == scored("0,1,3")
    # An outline of 28 voxels of 5 nm, moved by two: one side is 2 off (6 voxels), next to it 1 (2 voxels), the other
    # side 1, 2, 2, 1, for the rows above and below are nearer than where it was moved to.
    assert one["mean_surface_distance_nm"] == pytest.approx((6 * 2 + 2 * 1 + 6) * 5 / 28)
    assert one["tolerance_nm"] == 5.0
    whole, is_told = scored("0-2")
    assert not is_told and whole["tolerance_nm"] == 40.0
    assert 0 < whole["mean_surface_distance_nm"] < one["mean_surface_distance_nm"]


def test_slices_that_one_volume_leaves_empty_are_told(capsys):
    drawn = TRUTH.copy()
    drawn[3] = 0
    save_volume("short.tif", Volume(array=drawn, voxel_size_nm=(40.0, 5.0, 5.0)))
    said = evaluate(capsys, "short.tif", "--surface", "--slices", "0,3", "--json", "-")
    found = json.loads(said.out)["surface"]
    assert "in one of the two volumes alone on 1 of 2 slices" in said.err
    assert (found["mean_surface_distance_nm"], found["surface_dice"]) == (0.0, pytest.approx(2 / 3))


def test_every_threshold(capsys):
    found = json.loads(evaluate(capsys, "probability.tif", "--sweep", "--json", "-").out)
    assert found["best"] == 0.5 and len(found["thresholds"]) == 19
    assert evaluate(capsys, "probability.tif", "--sweep").out.count("best") == 1
    with pytest.raises(InputError, match="--label cannot be combined with --sweep"):
        evaluate(capsys, "probability.tif", "--sweep", "--label", "1")
    with pytest.raises(InputError, match="expected probabilities from 0 to 1"):
        evaluate(capsys, "moved.tif", "--sweep")


def test_where_a_probability_is_above_0_nothing_is_told(capsys):
    drawn = TRUTH.copy()
    drawn[1:3] = 0
    save_volume("gap.tif", Volume(array=drawn))
    assert "warning" not in evaluate(capsys, "probability.tif", "--sweep", reference="gap.tif").err
    assert (
        "warning: gap.tif: empty on 2 slices between others" in evaluate(capsys, "plain.tif", reference="gap.tif").err
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowsTask(CellsTask):
    """A kind whose evaluation has parts of its own, and a doubt of its own."""

    def evaluate(self, prediction, reference, *, slices=None, ignore_value=None, progress=None, slice_wise=None):
        return Rows()

    def doubts(self, evaluation, prediction, reference, *, slices=None, ignore_value=None):
        lines = super().doubts(evaluation, prediction, reference, slices=slices, ignore_value=ignore_value)
        return [*lines, (reference, f"has {len(evaluation.parts)} rows in {slices}")]


class Rows:
    parts = ("first", "second")

    def to_dict(self):
        return {"total": {}, "slices": []}

    def to_table(self):
        return "rows"


def test_an_evaluation_of_ones_own_may_have_parts_and_doubts(capsys, monkeypatch):
    monkeypatch.setattr(TASKS, "find", lambda kind: RowsTask)
    monkeypatch.setattr(RowsTask, "of_reference", classmethod(lambda kind, *_, **__: kind()))
    found = evaluate(capsys, "moved.tif", "--task", "rows", "--slices", "1")
    assert found.out == "rows\n"
    assert found.err.splitlines()[-1] == "warning: truth.tif: has 2 rows in (1,)"


def test_one_file_is_warned_of_once(folder, capsys):
    drawn = np.zeros((3, 20, 24), np.uint8)
    drawn[:, ::3, ::3] = 1
    save_volume("one.tif", Volume(array=drawn))
    for name in ("one.tif", str(folder / "one.tif")):
        told = evaluate(capsys, "one.tif", "--instances", reference=name).err
        assert told.count("one id in several pieces") == 1
    told = evaluate(capsys, "one.tif", "--label", "4", "--reference-label", "4", reference="one.tif").err
    assert told.count("no voxel has the label 4") == 1
    save_volume("two.tif", Volume(array=drawn))
    assert evaluate(capsys, "one.tif", "--instances", reference="two.tif").err.count("one id in several pieces") == 2


def test_the_wrong_way_round_is_told(capsys):
    told = evaluate(capsys, "flipped.tif").err
    assert (
        "warning: flipped.tif: the prediction fits much better with the reference's rows (y) flipped: --flip-y" in told
    )
    assert "warning" not in evaluate(capsys, "flipped.tif", "--flip-y").err
    assert "rows (y) flipped: leave out --flip-y (" in evaluate(capsys, "truth.tif", "--flip-y").err
    assert "warning" not in evaluate(capsys, "moved.tif").err


def test_scores_that_cannot_be_written_are_refused_before_the_work(folder, monkeypatch):
    (folder / "scores.json").write_text("kept")
    monkeypatch.setattr("segkit.commands.evaluate.open_volume", lambda *_, **__: pytest.fail("the work has begun"))
    with pytest.raises(InputError, match=r"scores\.json: already exists"):
        cli.main(["evaluate", "--prediction", "a.tif", "--reference", "b.tif", "--json", "scores.json"])


def test_a_reference_that_is_painted_in_part_is_told_of(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = np.ones((7, 5, 6), np.uint8)
    drawn = found.copy()
    drawn[[1, 2, 4, 5]] = 0
    for name, array in (("found.tif", found), ("drawn.tif", drawn)):
        save_volume(name, Volume(array=array))
    words = ["evaluate", "--prediction", "found.tif", "--reference", "drawn.tif"]
    assert run_command(cli.main, words) == 0
    assert "warning: drawn.tif: empty on 4 slices between others" in capsys.readouterr().err
    assert run_command(cli.main, [*words, "--slices", "0,3,6"]) == 0
    assert "empty on" not in capsys.readouterr().err


def test_an_ignore_value_that_does_not_occur_is_told_of(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    drawn = np.zeros((2, 5, 6), np.uint8)
    drawn[:, 2:] = 1
    save_volume("m.tif", Volume(array=drawn))
    drawn[1, 0, 0] = 77
    save_volume("r.tif", Volume(array=drawn))
    for value, is_told in ((77, False), (78, True)):
        words = ["--prediction", "m.tif", "--reference", "m.tif" if is_told else "r.tif", "--ignore-value", str(value)]
        assert run_command(cli.main, ["evaluate", *words]) == 0
        assert (f"no voxel has the ignore value {value}" in capsys.readouterr().err) is is_told


def test_an_id_that_looks_like_unannotated_voxels_is_told_of(capsys):
    drawn = np.zeros((2, 20, 24), np.uint8)
    drawn[:, 1:3, 1:3], drawn[:, 5:7, 1:4], drawn[:, 10:] = 1, 2, 255
    save_volume("ids.tif", Volume(array=drawn))
    told = "warning: ids.tif: the object 255 has 96 % of the voxels with an id, 40 times as many as the next; where it "
    told += "means unannotated, pass --ignore-value 255"
    for words in (["--instances"], ["--instances", "--slice-wise"], ["--task", "cells", "--slices", "1"]):
        assert told in evaluate(capsys, "ids.tif", *words, reference="ids.tif").err
    words = ["--instances", "--ignore-value", "255"]
    assert "warning" not in evaluate(capsys, "ids.tif", *words, reference="ids.tif").err
    words[-1] = "254"
    assert "no voxel has the ignore value 254" in evaluate(capsys, "ids.tif", *words, reference="ids.tif").err


def test_ids_of_masks_and_ids_that_restart_are_told_of(capsys):
    drawn = np.zeros((3, 20, 24), np.uint8)
    for z in range(3):
        for number in range(1, 5):
            drawn[z, 4 * number : 4 * number + 2, 6 * z : 6 * z + 5] = number
    save_volume("ids.tif", Volume(array=drawn))
    save_volume("one.tif", Volume(array=np.where(drawn, 255, 0).astype(np.uint8)))
    told = evaluate(capsys, "one.tif", "--instances", reference="ids.tif").err.splitlines()
    assert told[-2].startswith(
        "warning: one.tif: one id in several pieces: if it is a mask, number its objects with segkit"
    )
    assert told[-1].startswith("warning: ids.tif: 100 % of the ids that two neighbouring slices have in common do not ")
    assert told[-1].endswith("if the slices are images of their own, give --slice-wise")
    for words in (["--slice-wise"], ["--slices", "0-1"]):
        assert "warning" not in evaluate(capsys, "ids.tif", "--instances", *words, reference="ids.tif").err
    assert "one id" not in evaluate(capsys, "one.tif", reference="one.tif").err  # masks are no ids


def test_a_label_that_does_not_occur_is_told_of(capsys):
    save_volume("labels.tif", Volume(array=2 * TRUTH))
    told = evaluate(capsys, "labels.tif", "--label", "2", "--reference-label", "1").err
    assert "no voxel has the label" not in told
    told = evaluate(capsys, "labels.tif", "--label", "1", "--reference-label", "1").err
    assert told.count("no voxel has the label") == 1 and "warning: labels.tif: no voxel has the label 1\n" in told
    told = evaluate(capsys, "labels.tif", "--label", "2", "--reference-label", "3").err
    assert told.count("no voxel has the label") == 1 and "warning: truth.tif: no voxel has the label 3\n" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json", "truth.tif"], r"--json truth\.tif: \.tif is the suffix of a volume; choose a name that ends in"),
        (["--prediction", "copy", "--json", "copy"], "copy: is the input; choose another output"),
        (["--reference", "copy", "--json", "link"], "link: is the input; choose another output"),
    ],
)
def test_scores_never_replace_a_volume(words, message, folder):
    (folder / "copy").write_bytes((folder / "truth.tif").read_bytes())
    (folder / "link").symlink_to("copy")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=message):
        cli.main(["evaluate", "--prediction", "moved.tif", "--reference", "truth.tif", "--overwrite", *words])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("prediction", "reference", "told"),
    [
        ("moved.tif", "truth.tif", None),
        ("plain.tif", "truth.tif", "note: plain.tif: the voxel size is unknown; .* with the reference's, 40 x 5 x 5"),
        ("moved.tif", "plain.tif", "note: plain.tif: the voxel size is unknown; .* with the prediction's, 40 x 5 x 5"),
        (
            "coarse.tif",
            "truth.tif",
            r"warning: coarse.tif: has voxels of 40 x 10 x 10 nm \(z, y, x\), but the reference of 40 x 5 x 5 nm .*; "
            "distances are measured with those of the reference",
        ),
    ],
)
def test_the_voxel_size_of_distances_is_told_where_it_could_be_another(prediction, reference, told, capsys):
    save_volume("coarse.tif", Volume(array=TRUTH, voxel_size_nm=(40.0, 10.0, 10.0)))
    said = evaluate(capsys, prediction, "--surface", reference=reference).err
    assert re.search(told, said) if told else "voxel" not in said


def test_a_reference_whose_voxels_have_another_size_is_warned_of_once(capsys):
    save_volume("coarse.tif", Volume(array=TRUTH, voxel_size_nm=(40.0, 10.0, 10.0)))
    told = r"warning: coarse.tif: has voxels of 40 x 10 x 10 nm .*, but the reference of 40 x 5 x 5 nm .*; if both are"
    assert re.search(told, evaluate(capsys, "coarse.tif").err)
    for prediction, words in (("coarse.tif", ["--surface"]), ("plain.tif", []), ("moved.tif", [])):
        said = evaluate(capsys, prediction, *words).err
        assert said.count("has voxels of") == len(words) and "if both are" not in said


@pytest.mark.parametrize(
    ("prediction", "words", "message"),
    [
        ("plain.tif", [], "plain.tif: the voxel size is unknown, but needed for distances; leave out --surface"),
        ("moved.tif", ["--tolerance", "-5"], "--tolerance -5: expected a distance"),
        ("moved.tif", ["--tolerance", "nan"], "--tolerance nan: expected a distance"),
    ],
)
def test_surfaces_that_cannot_be_measured_are_refused_before_the_scores(prediction, words, message, monkeypatch):
    monkeypatch.setattr("segkit.commands.evaluate.evaluate_prediction", lambda *_: pytest.fail("scored first"))
    reference = "plain.tif" if prediction == "plain.tif" else "truth.tif"
    given = ["evaluate", "--prediction", prediction, "--reference", reference, "--surface", *words]
    with pytest.raises(InputError, match=message):
        cli.main(given)


def test_folders_with_different_gaps_are_told_of(folder, capsys):
    for name, gap in (("a", 1), ("b", 2)):
        save_volume(folder / name, Volume(array=TRUTH))
        (folder / name / f"{gap}.png").unlink()
    told = (
        "warning: a: slices are paired in their order, but 2.png would belong to another slice of the reference than 1"
    )
    assert told in evaluate(capsys, "a", reference="b").err
    assert "paired" not in evaluate(capsys, "a", reference="a").err


def test_slices_that_the_run_has_learnt_from_are_told(folder, capsys):
    (folder / "run").mkdir()
    save_volume("run/mask.tif", Volume(array=TRUTH))
    save_volume("run/probability.tif", Volume(array=(0.2 + 0.6 * TRUTH).astype(np.float32)))
    data = (Source(tomogram="T.tif", mask="truth.tif", train="1-2", validation="0"),)
    write_plan(RunPlan(recipe="r", structure="s", preset="p", data=data), folder / "run/plan.json")
    told = "note: {} scored slices were trained on or chose the checkpoint of run; score slices that were not\n"
    assert told.format(3) in evaluate(capsys, "run/mask.tif").err
    assert told.format(2) in evaluate(capsys, "run/mask.tif", "--slices", "1-3").err
    assert told.format(3) in evaluate(capsys, "run/probability.tif", "--sweep").err
    assert "note:" not in evaluate(capsys, "run/mask.tif", "--slices", "3").err
    assert "note:" not in evaluate(capsys, "run/mask.tif", reference="plain.tif").err
    assert "note:" not in evaluate(capsys, "plain.tif").err
    (folder / "run/plan.json").write_text("damaged")
    told = "note: whether scored slices were trained on is unknown: run/plan.json: "
    assert told in evaluate(capsys, "run/mask.tif").err
