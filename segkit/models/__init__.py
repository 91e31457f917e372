"""Network builders, and the model file."""

from segkit.models.efficient_cell_seg import efficient_cell_seg
from segkit.models.seget import seget
from segkit.models.unet_se import unet_se

__all__ = ["efficient_cell_seg", "seget", "unet_se"]
