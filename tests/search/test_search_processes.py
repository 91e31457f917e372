"""Searches in processes of their own: killed, resumed, shared by workers of which one dies."""

import csv
import pathlib
import signal
import socket

import pytest

PROGRAM = pathlib.Path(__file__).with_name("shared_search.py")


@pytest.fixture
def start(warm_python):
    """Start a search."""
    return lambda folder, trials, *die_at, **variables: warm_python.start(
        [PROGRAM, folder, trials, *die_at], **variables
    )


def finish(program, status=0):
    done = program.wait()
    assert done.returncode == status, done.stderr
    return done.stdout


def rows(folder):
    with open(folder / "trials.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def callers(folder):
    """Who evaluated each point, by its value."""
    found = (folder / "points").glob("*/calls.txt")
    return {int(path.parent.name.removeprefix("b-")): path.read_text().split() for path in found}


def test_killed_in_the_first_trial_and_later_it_ends_as_if_never_killed(tmp_path, start):
    finish(start(tmp_path / "whole", 5))
    finish(start(tmp_path / "killed", 5, 1), -signal.SIGKILL)
    assert len(callers(tmp_path / "killed")) == 1
    finish(start(tmp_path / "killed", 5, 3), -signal.SIGKILL)
    finish(start(tmp_path / "killed", 5))
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    called = callers(tmp_path / "killed")
    assert len(called) == 5
    assert sorted(map(len, called.values())) == [1, 1, 1, 2, 2]  # the two that were cut off, and nothing else, again
    finish(start(tmp_path / "killed", 12))  # may be resumed to more trials, whose numbers are longer
    plain = [{**row, "trial": ""} for row in rows(tmp_path / "whole")]
    assert [{**row, "trial": ""} for row in rows(tmp_path / "killed")[:5]] == plain
    assert [int(row["trial"]) for row in rows(tmp_path / "killed")] == list(range(12))
    assert len({row["b"] for row in rows(tmp_path / "killed")}) == 12


def test_a_chief_and_its_workers_outlive_a_dead_one(tmp_path, start):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(port)}
    chief = start(tmp_path, 8, **place, KERASTUNER_TUNER_ID="chief")
    doomed = start(tmp_path, 8, 2, **place, KERASTUNER_TUNER_ID="doomed")
    worker = start(tmp_path, 8, **place, KERASTUNER_TUNER_ID="worker")
    finish(doomed, -signal.SIGKILL)
    finish(worker)
    assert len(finish(chief).splitlines()) == 8
    found = rows(tmp_path)
    assert [row["status"] for row in found] == ["COMPLETED"] * 8
    called = callers(tmp_path)
    assert len(called) == 8
    assert ["doomed", "worker"] in called.values()  # the dead worker's trial was taken over
    finish(start(tmp_path, 8))  # one process goes on with what a chief has done: nothing is left
    assert rows(tmp_path) == found
    assert callers(tmp_path) == called
    finish(start(tmp_path, 8, **place, KERASTUNER_TUNER_ID="chief"))  # and a chief does not wait for workers in vain
