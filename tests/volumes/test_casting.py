"""Values are stored in a type that holds them, or not at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.errors import InputError
from segkit.volumes.casting import stored_dtype

MRC = ("int8", "uint16", "int16", "float32", "float16")
IMAGEJ = ("uint8", "uint16", "float32")


def stored(dtype, low, high, known=MRC):
    return stored_dtype(np.dtype(dtype), known, lambda: (low, high), target="out", remedy="do otherwise")


@pytest.mark.parametrize(
    ("dtype", "low", "high", "known", "expected"),
    [
        ("int16", 0, 1, MRC, "int16"),  # a known type stays, whatever it holds
        ("bool", 0, 1, MRC, "int8"),
        ("bool", 0, 1, IMAGEJ, "uint8"),
        ("uint8", 0, 127, MRC, "int8"),
        ("uint8", 0, 128, MRC, "uint16"),
        ("int64", -1, 300, MRC, "int16"),
        ("int64", 0, 65535, MRC, "uint16"),
        ("int64", 0, 2**24, MRC, "float32"),
        ("int8", -1, 1, IMAGEJ, "float32"),
        ("float16", 0, 1, IMAGEJ, "float32"),
        ("float64", -1e30, 1e30, MRC, "float32"),
        (">u2", 0, 9, MRC, "uint16"),
    ],
)
def test_choice(dtype, low, high, known, expected):
    assert stored(dtype, low, high, known).name == expected


@given(st.integers(-(2**40), 2**40), st.integers(-(2**40), 2**40), st.sampled_from([MRC, IMAGEJ]))
def test_no_integer_is_changed(one, other, known):
    values = np.sort(np.array([one, other]))
    try:
        dtype = stored("int64", *values.tolist(), known)
    except InputError:
        assert np.abs(values).max() > 2**24
    else:
        np.testing.assert_array_equal(values.astype(dtype).astype(np.int64), values)


@pytest.mark.parametrize(("dtype", "low", "high"), [("int64", 0, 2**24 + 1), ("float64", 0, 1e39), ("complex64", 0, 1)])
def test_what_fits_nowhere_is_refused(dtype, low, high):
    with pytest.raises(InputError, match=r"out: found .*, expected what fits int8, .*; do otherwise"):
        stored(dtype, low, high)
