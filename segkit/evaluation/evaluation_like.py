"""What the scores of every kind of result have in common."""

from __future__ import annotations

from typing import Any, Protocol, Self, runtime_checkable


@runtime_checkable
class EvaluationLike(Protocol):
    """Scores of a prediction, in total and by slice."""

    def to_dict(self) -> dict[str, Any]:
        """Return the scores for ``json``: over everything that was scored under ``"total"``, by slice ``"slices"``."""

    def to_table(self) -> str:
        """Return the scores as a plain-text table."""

    def __add__(self, other: Self) -> Self:
        """Return what both have scored as one evaluation."""
