import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.geometry.window_origins import window_origins


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 60))
def test_windows_cover_every_row_and_stay_inside(size, patch, stride):
    patch = min(size, patch)
    stride = min(stride, patch)
    origins = window_origins(size, patch, stride)
    covered = np.zeros(size, bool)
    for origin in origins:
        covered[origin : origin + patch] = True
    assert covered.all()
    assert origins[0] == 0
    assert origins[-1] + patch == size
    assert (np.diff(origins) > 0).all()
    assert (np.diff(origins) <= stride).all()


def test_the_papers_slices_give_seven_by_seven():
    assert len(window_origins(2048, 512, 256)) == 7


@pytest.mark.parametrize(("size", "patch", "stride"), [(4, 5, 1), (4, 0, 1), (4, 2, 0)])
def test_windows_without_meaning_are_refused(size, patch, stride):
    with pytest.raises(ValueError, match=r"`patch` must be in 1\.\.size"):
        window_origins(size, patch, stride)
