"""The mixing of bits, beside the same sums in Python's own whole numbers."""

import numpy as np
import pytest
from keras import ops

from segkit.ops.mix_bits import mix_bits


def fmix32(x):
    x = (x ^ (x >> 16)) * 0x85EBCA6B % 2**32
    x = (x ^ (x >> 13)) * 0xC2B2AE35 % 2**32
    return x ^ (x >> 16)


@pytest.mark.parametrize("value", [0, 1, 2, 12345, 2**31, 2**32 - 1])
def test_murmur_hash_twice(value):
    found = mix_bits(ops.convert_to_tensor(np.array([value], np.uint32)))
    assert int(ops.convert_to_numpy(found)[0]) == fmix32(fmix32(value) ^ 0x9E3779B9) ^ 0x9E3779B9


def test_a_changed_bit_changes_half_of_the_bits():
    numbers = np.arange(4096, dtype=np.uint32)
    mixed = ops.convert_to_numpy(mix_bits(ops.convert_to_tensor(numbers)))
    for bit in range(12):
        other = ops.convert_to_numpy(mix_bits(ops.convert_to_tensor(numbers ^ np.uint32(1 << bit))))
        flipped = np.unpackbits((mixed ^ other).view(np.uint8)).mean()
        assert abs(flipped - 0.5) < 0.01
