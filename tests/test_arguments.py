"""Arguments of a wrong type are refused by name."""

import dataclasses
import json

import numpy as np
import pytest

from segkit.arguments import finite_number, make_fields_plain, plain, sequence, true_or_false, whole_number


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_whole_numbers_come_back_as_pythons_own(value):
    assert type(whole_number("filters", value, least=2)) is int


@pytest.mark.parametrize("value", [1, 2.0, 2.5, True, "2", None, float("nan")])
def test_others_are_refused(value):
    with pytest.raises(ValueError, match=r"`filters` must be a whole number of at least 2. Received: filters="):
        whole_number("filters", value, least=2)


def test_a_least_number_of_one_is_called_positive():
    with pytest.raises(ValueError, match=r"`filters` must be a positive whole number. Received: filters=0"):
        whole_number("filters", 0, least=1)


def test_without_a_least_number_negative_ones_are_taken():
    assert whole_number("seed", -3) == -3
    with pytest.raises(ValueError, match=r"`seed` must be a whole number. Received: seed=1.5"):
        whole_number("seed", 1.5)


@pytest.mark.parametrize("value", [2, -0.5, np.float32(2), np.int64(2)])
def test_finite_numbers_come_back_as_pythons_own(value):
    found = finite_number("l2", value)
    assert found == value and type(found) in (int, float)


@pytest.mark.parametrize("value", ["1e-4", None, True, float("nan"), float("inf"), 1j, [1.0]])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ValueError, match=r"`l2` must be a finite number. Received: l2="):
        finite_number("l2", value)


def test_booleans_alone_are_true_or_false():
    assert [true_or_false("use_bias", value) for value in (True, False)] == [True, False]
    for value in ("no", 1, None, [True]):
        with pytest.raises(ValueError, match=r"`use_bias` must be True or False. Received: use_bias="):
            true_or_false("use_bias", value)


@pytest.mark.parametrize("value", [(1, 2), [1, 2], range(1, 3), np.array([1, 2])])
def test_sequences_become_tuples(value):
    assert sequence("filters", value) == (1, 2)


@pytest.mark.parametrize("value", [8, "12", b"12", {1: 2}, {1, 2}, None, np.array(8), np.ones((2, 2))])
def test_what_is_no_sequence_is_refused(value):
    with pytest.raises(ValueError, match=r"`filters` must be a sequence of whole numbers. Received: filters="):
        sequence("filters", value)


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e39, float("inf"), float("nan"), np.float64(1e39)])
def test_numbers_that_float32_does_not_hold_are_refused(value):
    with pytest.raises(ValueError, match="`gain` must be a finite number"):
        finite_number("gain", value)


def test_numbers_of_numpy_become_plain():
    found = [
        whole_number("n", np.int64(3)),
        finite_number("x", np.float32(0.5)),
        true_or_false("b", np.True_),
        *sequence("s", np.array([1, 2])),
        *sequence("s", [np.int64(3), 4]),
        *plain({"a": (np.uint8(5), [np.float32(0.5)])})["a"],
    ]
    assert found == [3, 0.5, True, 1, 2, 3, 4, 5, [0.5]]
    assert [type(value) for value in found] == [int, float, bool, int, int, int, int, int, list]
    assert json.loads(json.dumps(found)) == found


@dataclasses.dataclass(frozen=True)
class Settings:
    count: int
    share: float = np.float32(0.25)

    def __post_init__(self):
        make_fields_plain(self)


def test_fields_become_plain():
    assert [type(value) for value in vars(Settings(np.int32(2))).values()] == [int, float]
