"""Slices and frames that a run has learnt from are known from the plan beside its results."""

import pytest

from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments.plan import RunPlan, write_plan
from segkit.experiments.seen_slices import seen_frames, seen_slices


def plan(folder, *sources):
    folder.mkdir(parents=True)
    write_plan(RunPlan(recipe="r", structure="s", preset="p", data=tuple(sources)), folder / "plan.json")
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return plan(
        tmp_path / "run",
        Source(tomogram="T.mrc", mask="M.mrc", train="1-4", validation="5", test="6"),
        Source(tomogram="U.mrc", mask="N.h5:labels", train="0-1"),
    )


def test_slices_that_were_trained_on_or_chose_the_checkpoint(run, tmp_path):
    (tmp_path / "link.mrc").symlink_to("M.mrc")
    (tmp_path / "M.mrc").touch()
    for reference in ("M.mrc", tmp_path / "M.mrc", "link.mrc"):
        assert seen_slices("run/mask.mrc", reference, range(8), 8) == [1, 2, 3, 4, 5]
    assert seen_slices(run / "mask.mrc", "M.mrc", (0, 4, 6), 8) == [4]
    assert seen_slices("run/mask.h5:a/mask", "N.h5:labels", range(8), 8) == [0, 1]
    assert seen_slices("run/mask.mrc", "other.mrc", range(8), 8) == []
    assert seen_slices("mask.mrc", "M.mrc", range(8), 8) == []
    with pytest.raises(InputError, match="slice"):
        seen_slices("run/mask.mrc", "M.mrc", range(3), 3)


def test_frames_of_the_sequence_alone(tmp_path):
    frames = (("01/t000", "train"), ("01/t001", "test"), ("02/t000", "train"), ("01/t002", "validation"))
    folder = plan(tmp_path / "run", *(Source(tomogram=f"d/{n}.tif", mask="m.tif", **{use: "0"}) for n, use in frames))
    assert (seen_frames(folder / "01_RES"), seen_frames(folder / "02_RES")) == (2, 1)
    assert seen_frames(tmp_path / "01_RES") == 0
