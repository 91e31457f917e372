"""Numbers that look random, as a pure function of whole numbers."""

from __future__ import annotations

from typing import Any

from keras import ops


def mix_bits(x: Any) -> Any:
    """Return uint32 numbers that look unrelated to the given ones: the end of MurmurHash3, twice.

    Draws that must be the same on every backend, with and without XLA, and whose state is one counter in a model's
    file, come from here; Keras's own generators are neither.

    Args:
        x: uint32 tensor, any shape.

    Returns:
        uint32 tensor of the same shape; equal numbers give equal ones, different numbers different ones.

    Reference:
        Appleby (2011), MurmurHash3, ``fmix32``. The last constant is the golden ratio's, so that 0 does not stay 0.
    """
    for _ in range(2):
        x = ops.bitwise_xor(x, ops.right_shift(x, _uint32(16))) * _uint32(0x85EBCA6B)
        x = ops.bitwise_xor(x, ops.right_shift(x, _uint32(13))) * _uint32(0xC2B2AE35)
        x = ops.bitwise_xor(x, ops.right_shift(x, _uint32(16)))
        x = ops.bitwise_xor(x, _uint32(0x9E3779B9))
    return x


def _uint32(value: int) -> Any:
    return ops.convert_to_tensor(value, dtype="uint32")
