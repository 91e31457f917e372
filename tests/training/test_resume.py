"""A run that is killed, and resumed, ends with bitwise the same weights, optimizer slots and log."""

import json
import pathlib
import signal

import numpy as np
import pytest

from segkit.models.files import load_model

PROGRAM = pathlib.Path(__file__).with_name("tiny_run.py")


@pytest.fixture(scope="module")
def run(warm_python):
    """Run the training, killed at a point if one is given."""
    return lambda folder, *kill_point: warm_python.run([PROGRAM, folder, *kill_point])


def weights_in(path):
    return load_model(path).get_weights()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, run):
    folder = tmp_path_factory.mktemp("uninterrupted")
    finished = run(folder)
    assert finished.returncode == 0, finished.stderr
    return folder


def test_three_kills_leave_no_trace(uninterrupted, tmp_path, run):
    left = {}
    for point in ("1:step", "2:checkpoint", "3:validation"):
        killed = run(tmp_path, point)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        left[point] = sorted(path.name for path in (tmp_path / "state").glob("epoch-*"))
    assert left["1:step"] == ["epoch-00001.npz"]
    assert left["2:checkpoint"] == ["epoch-00001.npz", "epoch-00002.npz", "epoch-00003.unfinished"]
    assert left["3:validation"] == ["epoch-00002.npz", "epoch-00003.npz"]
    resumed = run(tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "log.csv").read_bytes() == (uninterrupted / "log.csv").read_bytes()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 6
    memory = (tmp_path / "memory.json").read_text()
    assert memory == (uninterrupted / "memory.json").read_text()
    assert json.loads(memory)["ReestimateStatistics"]["running"]
    with np.load(tmp_path / "final.npz") as mine, np.load(uninterrupted / "final.npz") as other:
        assert mine.files == other.files
        assert sum(name.startswith("optimizer/") for name in mine.files) > 15
        assert sum("seed_generator" in name for name in mine.files) == 1
        for name in mine.files:
            np.testing.assert_array_equal(mine[name], other[name], err_msg=name)


def test_a_kill_while_the_best_model_is_written_and_a_damaged_snapshot(uninterrupted, tmp_path, run):
    assert run(tmp_path, "0:best").returncode == -signal.SIGKILL
    assert run(tmp_path, "3:step").returncode == -signal.SIGKILL
    newest = tmp_path / "state" / "epoch-00003.npz"
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    resumed = run(tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "epoch-00003.npz: cannot be read" in resumed.stderr
    assert (tmp_path / "log.csv").read_bytes() == (uninterrupted / "log.csv").read_bytes()
    best, expected = (weights_in(folder / "model.keras") for folder in (tmp_path, uninterrupted))
    for mine, other in zip(best, expected, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_finished_run_is_not_run_again(uninterrupted, run):
    newest = sorted((uninterrupted / "state").glob("epoch-*.npz"))[-1]
    before = newest.stat().st_mtime_ns, weights_in(uninterrupted)
    again = run(uninterrupted)
    assert again.returncode == 0, again.stderr
    assert newest.stat().st_mtime_ns == before[0]
    for mine, other in zip(weights_in(uninterrupted), before[1], strict=True):
        np.testing.assert_array_equal(mine, other)
