"""Scores of sequences in the Cell Tracking Challenge's folders."""

import json

import keras
import numpy as np
import pytest
import tifffile

from segkit import cli
from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.evaluation.evaluate_challenge import evaluate_challenge
from segkit.experiments.plan import RunPlan, write_plan
from segkit.models.card import ModelCard
from segkit.models.files import save_model
from segkit.preprocessing.standardize import Standardize

FRAME = np.array([[[1, 1, 0, 0], [2, 2, 2, 0]], [[1, 1, 0, 0], [0, 0, 0, 3]]], np.uint16)


def write(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, labels, photometric="minisblack")


@pytest.fixture
def sequence(tmp_path):
    """Two frames: one annotated as a whole, one in slice 1 alone."""
    write(tmp_path / "01_GT/SEG/man_seg000.tif", FRAME)
    write(tmp_path / "01_GT/SEG/man_seg_001_001.tif", FRAME[1])
    for frame in range(2):
        write(tmp_path / f"01_GT/TRA/man_track{frame:03d}.tif", FRAME)
        write(tmp_path / f"01_RES/mask{frame:03d}.tif", FRAME)
    return tmp_path


def test_a_perfect_result_scores_1(sequence):
    found = evaluate_challenge(sequence / "01_RES", sequence / "01_GT", num_parameters=2_000_000)
    assert (found.seg, found.detection.det) == (1.0, 1.0)
    values = found.to_dict()
    assert (values["PESEG"], values["cells"]) == (0.5, 5)
    assert [(part["frame"], part["z"]) for part in values["parts"]] == [(0, None), (1, 1)]


def challenge(capsys, *words):
    cli.main(["evaluate", "--ctc-result", "01_RES", "--ctc-reference", "01_GT", *words, "--json", "-"])
    found = capsys.readouterr()
    return json.loads(found.out), found.err


def test_the_parameters_are_those_of_the_models(sequence, monkeypatch, capsys):
    monkeypatch.chdir(sequence)
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1)(inputs)})  # two parameters
    save_model(
        model, sequence / "m.keras", ModelCard(name="m", structure="m", preprocessing=Standardize(mean=0.0, std=1.0))
    )
    assert challenge(capsys)[0].get("PESEG") is None
    assert challenge(capsys, "--model", "m.keras", "m.keras")[0]["PESEG"] == 250_000
    for words, message in (
        (["--model", "m.keras", "--num-parameters", "2"], "--model cannot be combined with --num-parameters"),
        (["--model", "none.keras"], r"none\.keras: no such file"),
    ):
        with pytest.raises(InputError, match=message):
            challenge(capsys, *words)
    with pytest.raises(InputError, match="--model without --ctc-result"):
        cli.main(["evaluate", "--prediction", "a", "--reference", "b", "--model", "m.keras"])


def test_frames_that_the_run_has_seen_are_counted(sequence, monkeypatch, capsys):
    monkeypatch.chdir(sequence)
    assert "note:" not in challenge(capsys)[1]
    sources = [
        Source(tomogram=f"data/{name}.tif", mask="m.tif", **{use: "0-1"})
        for name, use in (("01/t000", "train"), ("01/t001", "test"), ("02/t000", "train"), ("01/t002", "validation"))
    ]
    write_plan(RunPlan(recipe="r", structure="s", preset="p", data=tuple(sources)), sequence / "plan.json")
    note = "note: 2 frames of this sequence were trained on or chose the checkpoint of .; score a sequence that was not"
    assert note in challenge(capsys)[1]
    (sequence / "plan.json").write_text("damaged")
    values, told = challenge(capsys)
    assert (
        values["SEG"] == 1.0 and "note: whether frames of this sequence were trained on is unknown: plan.json" in told
    )


def test_of_a_frame_annotated_in_part_only_that_slice_counts(sequence):
    damaged = FRAME.copy()
    damaged[0] = 9  # a slice that nobody annotated
    damaged[1, 1, 3] = 0  # cell 3
    write(sequence / "01_RES/mask001.tif", damaged)
    found = evaluate_challenge(sequence / "01_RES", sequence / "01_GT")
    assert found.parts[1].jaccards.tolist() == [1.0, 0.0]
    assert found.seg == 4 / 5


def test_seg_is_over_cells_not_over_frames(sequence):
    write(sequence / "01_RES/mask000.tif", np.zeros_like(FRAME))
    assert evaluate_challenge(sequence / "01_RES", sequence / "01_GT").seg == 2 / 5


def test_objects_where_nobody_annotated_cost_detection_alone(sequence):
    crowded = FRAME.copy()
    crowded[0, 0, 3] = 77
    write(sequence / "01_RES/mask000.tif", crowded)
    found = evaluate_challenge(sequence / "01_RES", sequence / "01_GT")
    assert found.seg == 1.0
    assert found.detection.det == 1 - 1 / 60


def test_frames_of_one_slice_are_read_too(tmp_path):
    write(tmp_path / "GT/SEG/man_seg0000.tif", FRAME[0])
    write(tmp_path / "RES/mask0000.tif", FRAME[0])
    found = evaluate_challenge(tmp_path / "RES", tmp_path / "GT")
    assert (found.seg, found.detection) == (1.0, None)


def test_the_command_prints_a_table_and_writes_json(sequence, monkeypatch, capsys):
    monkeypatch.chdir(sequence)
    cli.main(["evaluate", "--ctc-result", "01_RES", "--ctc-reference", "01_GT", "--json", "scores.json"])
    assert capsys.readouterr().out.splitlines()[-2:] == ["SEG   1.000000", "DET   1.000000"]
    assert json.loads((sequence / "scores.json").read_text())["SEG"] == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: (d / "01_RES/mask001.tif").unlink(), "no result for the annotated frame 1"),
        (lambda d: (d / "01_RES/mask000.tif").rename(d / "01_RES/mask003.tif"), "result of frame 2 is missing"),
        (lambda d: write(d / "01_RES/mask000.tif", FRAME[:, :1]), "2 x 1 x 4 voxels .* has 2 x 2 x 4"),
        (lambda d: write(d / "01_RES/mask001.tif", FRAME[:1]), "1 slices, but man_seg_001_001.tif annotates slice 1"),
        (lambda d: write(d / "01_RES/mask000.tif", FRAME - 1.5), "expected ids of objects, which are whole numbers"),
        (lambda d: write(d / "01_RES/mask000.tif", FRAME.astype(np.int16) - 1), "found the id -1"),
        (lambda d: (d / "01_GT/SEG").rename(d / "01_GT/seg"), "no folder SEG in it"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(sequence, change, message):
    change(sequence)
    with pytest.raises(InputError, match=message):
        evaluate_challenge(sequence / "01_RES", sequence / "01_GT")


def test_half_a_command_is_refused():
    for words in (["--ctc-result", "a"], ["--prediction", "a"], ["--prediction", "a", "--ctc-reference", "b"], []):
        with pytest.raises(InputError, match="give --prediction and --reference, or --ctc-result and --ctc-reference"):
            cli.main(["evaluate", *words])
