"""Whole numbers are told from others."""

import numpy as np
import pytest

from segkit.layers.whole_number import whole_number


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_whole_numbers_come_back_as_they_are(value):
    assert whole_number("filters", value, least=2) is value


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
