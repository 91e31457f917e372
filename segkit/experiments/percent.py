"""Scores as people read them."""

from __future__ import annotations


def percent(value: float | None) -> str:
    """Return a share in per cent with one digit; "undefined" for ``None``."""
    return "undefined" if value is None else f"{100 * value:.1f} %"
