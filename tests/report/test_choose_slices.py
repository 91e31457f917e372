"""Best, median and worst slice, on evaluations small enough to rank by hand."""

from __future__ import annotations

import math

import pytest

from segkit.report.choose_slices import ChosenSlice, choose_slices


def evaluation(*scores: float, empty: tuple[int, ...] = ()) -> dict:
    return {
        "slices": [
            {"z": z, "foreground_iou": score, "true_positives": 5 * (z not in empty), "false_negatives": 0}
            for z, score in enumerate(scores)
        ]
    }


def test_ranked_by_hand() -> None:
    assert choose_slices(evaluation(0.5, 0.9, 0.1, 0.7, 0.6)) == [
        ("best", 1, 0.9),
        ("median", 4, 0.6),
        ("worst", 2, 0.1),
    ]


def test_of_an_even_number_the_median_is_the_lower() -> None:
    assert choose_slices(evaluation(0.1, 0.2, 0.3, 0.4))[1] == ("median", 1, 0.2)


def test_slices_without_reference_do_not_count() -> None:
    chosen = choose_slices(evaluation(1.0, 0.3, 0.0, 0.4, 0.5, empty=(0, 2)))
    assert chosen == [("best", 4, 0.5), ("median", 3, 0.4), ("worst", 1, 0.3)]


@pytest.mark.parametrize("undefined", [None, math.nan])
def test_without_counts_the_recall_tells(undefined: float | None) -> None:
    slices = [
        {"z": 3, "foreground_iou": 0.0, "recall": undefined},
        {"z": 4, "foreground_iou": 0.2, "recall": 0.3},
    ]
    assert choose_slices({"slices": slices}) == [("only", 4, 0.2)]


def test_a_missed_slice_counts() -> None:
    missed = {"z": 2, "foreground_iou": 0.0, "true_positives": 0, "false_negatives": 9}
    assert choose_slices({"slices": [missed]}) == [("only", 2, 0.0)]


def test_undefined_scores_do_not_count() -> None:
    assert choose_slices(evaluation(math.nan, 0.4)) == [("only", 1, 0.4)]


def test_fewer_than_three() -> None:
    assert choose_slices(evaluation(0.2, 0.4)) == [("best", 1, 0.4), ("worst", 0, 0.2)]
    assert choose_slices(evaluation()) == []
    assert choose_slices({}) == []


def test_ties_go_by_z_and_every_slice_is_chosen_once() -> None:
    assert [chosen.z for chosen in choose_slices(evaluation(0.5, 0.5, 0.5))] == [0, 1, 2]


def test_another_score() -> None:
    slices = [{"z": 0, "dice": 0.1, "recall": 1.0}, {"z": 1, "dice": 0.9, "recall": 1.0}]
    assert choose_slices({"slices": slices}, "dice")[0] == ChosenSlice("best", 1, 0.9)
