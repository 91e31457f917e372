"""The split of images or stacks into training, validation and test: 70, 10 and 20 %."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from segkit.data.sources import write_slices
from segkit.errors import InputError

SHARES = (0.7, 0.1)
"""Shares of training and validation; the rest is for the test. 50 images give 35, 5 and 10."""


def split_counts(count: int, *, has_test: bool = True) -> tuple[int, int, int]:
    """Return how many of some images, in their order, are for training, validation and test.

    Each gets at least one.

    Args:
        count: Number of images, at least 3, or 2 without a test.
        has_test: Keep some for the test; otherwise what would be tested on is trained on.

    Raises:
        InputError: If there are too few.

    Example:
        >>> split_counts(50), split_counts(3), split_counts(10, has_test=False)
        ((35, 5, 10), (1, 1, 1), (9, 1, 0))
    """
    least = 3 if has_test else 2
    if count < least:
        raise InputError(f"{count} images; at least {least} are needed to train, validate and test")
    validated = max(1, round(SHARES[1] * count))
    if not has_test:
        return count - validated, validated, 0
    trained = min(max(1, round(SHARES[0] * count)), count - validated - 1)
    return trained, validated, count - trained - validated


def split_in_order(name: str, images: Sequence[int]) -> list[str]:
    """Return which images of a stack are for training, validation and test, in blocks: neighbours look alike.

    Args:
        name: Name of the stack, for the message.
        images: Indices of its images that are annotated.

    Raises:
        InputError: If there are fewer than three.

    Example:
        >>> split_in_order("images.tif", range(10))
        ['0-6', '7', '8-9']
    """
    count = len(images)
    if count < 3:
        raise InputError(f"{name}: {count} images; at least 3 are needed to train, validate and test")
    trained, validated, _ = split_counts(count)
    ends = (0, trained, trained + validated, count)
    return [write_slices(images[first:end]) for first, end in itertools.pairwise(ends)]
