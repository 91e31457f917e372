"""Network builders, the encoders they may have, and what a model needs to be opened or to run in another precision."""

from segkit.models.efficient_cell_seg import cells_and_centers, efficient_cell_seg
from segkit.models.encoders import ENCODERS, Encoder
from segkit.models.files import register_all
from segkit.models.precision import with_precision
from segkit.models.seget import seget
from segkit.models.unet import unet
from segkit.models.unet_se import unet_se

__all__ = [
    "ENCODERS",
    "Encoder",
    "cells_and_centers",
    "efficient_cell_seg",
    "register_all",
    "seget",
    "unet",
    "unet_se",
    "with_precision",
]
