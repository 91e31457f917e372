"""What each stack, or each slice of a stack, is for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segkit.data.labeled_stacks import LabeledStack
from segkit.data.sources import Source, write_slices
from segkit.data.splits import parse_slices
from segkit.errors import InputError
from segkit.experiments.shares import split_counts


def sources_of(
    stacks: Sequence[LabeledStack],
    *,
    tests: Sequence[LabeledStack] = (),
    train_z: str | None = None,
    validation_z: str | None = None,
    test_z: str | None = None,
) -> tuple[Source, ...]:
    """Return the stacks with what each is for.

    Three stacks or more are split as wholes, in their order; the annotated slices of fewer are split in theirs, as
    neighbours look alike and must not be mixed.

    Args:
        stacks: The stacks.
        tests: Stacks that are only scored; then none of the others are.
        train_z: Slices of a single stack to train on, such as ``"0-9"``.
        validation_z: Slices that choose the checkpoint.
        test_z: Slices that are only scored.

    Raises:
        InputError: If there are too few to train, choose and score.
    """
    scored = tuple(_source(stack, test=write_slices(stack.annotated)) for stack in tests)
    if train_z or validation_z or test_z:
        if len(stacks) != 1:
            raise InputError(f"--train-z, --validation-z and --test-z are for a single stack; found {len(stacks)}")
        if not (train_z and validation_z):
            raise InputError("--train-z and --validation-z belong together; give both")
        (stack,) = stacks
        for text in filter(None, (train_z, validation_z, test_z)):
            if unknown := set(parse_slices(text, stack.count)) - set(stack.annotated):
                raise InputError(f"{stack.labels}: slice {min(unknown)} is not annotated; choose others")
        return (_source(stack, train_z, validation_z, test_z or ""), *scored)
    # Enough stacks to split them as wholes.
    if len(stacks) >= (2 if scored else 3):
        shares = split_counts(len(stacks), has_test=not scored)
        uses = [use for use, share in zip(("train", "validation", "test"), shares, strict=True) for _ in range(share)]
        return (
            tuple(
                _source(stack, **{use: write_slices(stack.annotated)}) for stack, use in zip(stacks, uses, strict=True)
            )
            + scored
        )
    return tuple(_split_slices(stack, has_test=not scored) for stack in stacks) + scored


def _split_slices(stack: LabeledStack, *, has_test: bool) -> Source:
    count, least = len(stack.annotated), 3 if has_test else 2
    if count < least:
        what = f"{count} annotated slice" + ("s" if count != 1 else "")
        raise InputError(
            f"{stack.image}: {what}; at least {least} slices or {least} stacks are needed to train, validate and test"
        )
    trained, validated, _ = split_counts(count, has_test=has_test)
    parts = np.split(np.array(stack.annotated), [trained, trained + validated])
    return _source(stack, *(write_slices(part.tolist()) for part in parts))


def _source(stack: LabeledStack, train: str = "", validation: str = "", test: str = "") -> Source:
    return Source(
        tomogram=stack.image,
        mask=stack.labels,
        train=train,
        validation=validation,
        test=test,
        annotated_in_part=len(stack.annotated) < stack.count,
    )
