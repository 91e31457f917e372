"""Keras losses, one a file."""

from segkit.losses.bce_jaccard import BCEJaccard

__all__ = ["BCEJaccard"]
