"""Network builders, and the model file."""

from segkit.models.seget import seget

__all__ = ["seget"]
