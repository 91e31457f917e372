"""The scatter shows the trials it is given, the table ranks them."""

import csv
import re

import numpy as np
import pytest

from segkit.report.search_figures import read_trials, search_scatter, search_section

ROWS = [
    {"trial": "0", "num_enhanced": "8", "gain": "250.0", "epochs": "", "score": "0.61", "status": "COMPLETED"},
    {"trial": "1", "num_enhanced": "162", "gain": "1.5", "epochs": "", "score": "0.74", "status": "COMPLETED"},
    {"trial": "2", "num_enhanced": "500", "gain": "900.0", "epochs": "", "score": "", "status": "RUNNING"},
]


def test_the_table_begins_with_the_best_and_leaves_the_unfinished_out():
    body = search_section(ROWS).body
    assert body.index("162") < body.index(">8<")
    assert "900" not in body.split("<details>")[1]
    assert "All 2 trials" in body
    assert search_section(ROWS[2:]).body == ""


@pytest.mark.parametrize(("name", "values"), [("a", (1, 2, 4, 3)), ("a", (1, 30, 1000, 5)), ("b", (4, 900, 70, 10))])
def test_points_lie_where_their_settings_say(name, values):
    """A setting that spans more than a factor of twenty is drawn on a logarithmic axis."""
    other = "b" if name == "a" else "a"
    rows = [{name: value, other: at, "score": at} for value, at in zip(values, (10, 20, 5, 30), strict=True)]
    text = search_scatter(rows, ["a", "b"]).decode()
    places = np.array(re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', text), float)
    found = np.array([place for place in places if place[1] > 10])
    scale = np.log if max(values) > 20 else np.asarray
    expected = {name: scale(np.array(values)), other: np.array([row[other] for row in rows])}
    for drawn, given, sign in ((0, "a", 1), (1, "b", -1)):
        column = found[:4, drawn]
        assert np.corrcoef(column, expected[given])[0, 1] * sign == pytest.approx(1, abs=1e-3)


def test_one_setting_is_drawn_against_the_score_and_three_are_refused():
    assert search_scatter([{"supervision": 0.3, "score": 0.5}], ["supervision"]).startswith(b"<?xml")
    with pytest.raises(ValueError, match="one or two settings"):
        search_scatter(ROWS, ["a", "b", "c"])


def test_trials_are_read_back(tmp_path):
    with open(tmp_path / "trials.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    assert read_trials(tmp_path / "trials.csv") == ROWS
    assert read_trials(tmp_path / "none.csv") == []
