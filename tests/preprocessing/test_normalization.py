import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.errors import InputError
from segkit.preprocessing.normalization import measure_normalization


@given(st.integers(0, 2**31), st.floats(-1e6, 1e6))
def test_equals_numpy_over_the_chosen_slices(seed, offset):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(offset, 3, (4, 5, 6)), rng.normal(offset, 1, (2, 3, 3))
    mean, std = measure_normalization([(first, [0, 3]), (second, [1])])
    chosen = np.concatenate([first[[0, 3]].ravel(), second[1].ravel()])
    assert mean == pytest.approx(chosen.mean(), rel=1e-9, abs=1e-9)
    assert std == pytest.approx(chosen.std(), rel=1e-6)


def test_what_can_not_be_learnt_from_is_refused():
    with pytest.raises(InputError, match="all voxels of the training slices equal 7"):
        measure_normalization([(np.full((2, 3, 3), 7), [0, 1])])
    with pytest.raises(InputError, match="slice 1 holds NaN"):
        measure_normalization([(np.array([[[1.0, 2.0]], [[np.nan, 1.0]]]), [0, 1])])


def test_slices_are_reported_and_none_is_nothing_to_learn_from():
    seen = []
    measure_normalization([(np.arange(24.0).reshape(2, 3, 4), [1, 0])], lambda *step: seen.append(step))
    assert seen == [(1, 2), (2, 2)]
    with pytest.raises(InputError, match="nothing to learn from"):
        measure_normalization([])


def test_values_may_differ_by_less_than_one():
    assert measure_normalization([(np.array([[[0.25, 0.75]]]), [0])]) == (0.5, 0.25)
