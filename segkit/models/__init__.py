"""Network builders, and the model file."""

from segkit.models.efficient_cell_seg import cells_and_centers, efficient_cell_seg
from segkit.models.seget import seget
from segkit.models.unet import unet
from segkit.models.unet_se import unet_se

__all__ = ["cells_and_centers", "efficient_cell_seg", "seget", "unet", "unet_se"]
