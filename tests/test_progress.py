"""A line of progress says what is done and how long the rest takes."""

import io

import pytest

from segkit import progress
from segkit.progress import ProgressLine, clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    """The time, which a test moves: a list of one number."""
    time = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time[0])
    return time


def test_durations():
    assert [clock(s) for s in (0, 59.6, 75, 3599.7, 3700)] == ["0:00", "1:00", "1:15", "1:00:00", "1:01:40"]


def test_a_log_file_gets_a_line_every_ten_seconds_and_one_at_the_end(now):
    stream = io.StringIO()
    line = ProgressLine("predicting", "slices", stream)
    for done in range(1, 31):
        line(done, 30)
        now[0] += 1
    assert stream.getvalue().splitlines() == [
        "predicting 1/30 slices",
        "predicting 11/30 slices, 0:19 left",
        "predicting 21/30 slices, 0:09 left",
        "predicting 30/30 slices, 0:29",
    ]


def test_the_time_left_of_a_resumed_job_counts_from_where_it_began(now):
    stream = io.StringIO()
    line = ProgressLine("training", "steps", stream)
    line(80, 100)
    now[0] += 10
    line(90, 100)  # 10 steps took 10 s
    assert stream.getvalue().splitlines()[-1] == "training 90/100 steps, 0:10 left"


def test_a_terminal_is_redrawn_in_place_and_left_on_a_new_line(now):
    stream = Terminal()
    line = ProgressLine("reading", stream=stream)
    line(1, 3)
    now[0] += 0.1
    line(2, 3)  # too soon to redraw
    now[0] += 0.1
    line(3, 3)
    assert stream.getvalue() == "\r\x1b[Kreading 1/3\r\x1b[Kreading 3/3, 0:00\n"


def test_a_second_job_is_timed_by_itself(now):
    stream = io.StringIO()
    line = ProgressLine("a", stream=stream)
    line(1, 1)
    now[0] += 50
    line(0, 1)
    now[0] += 2
    line(1, 1)
    assert stream.getvalue().splitlines()[-1] == "a 1/1, 0:02"
