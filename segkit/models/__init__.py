"""Network builders, and the model file."""

from segkit.models.seget import seget
from segkit.models.unet_se import unet_se

__all__ = ["seget", "unet_se"]
