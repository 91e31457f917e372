"""Keras losses, one per file."""

from segkit.losses.bce_jaccard import BCEJaccard
from segkit.losses.dice import Dice
from segkit.losses.heatmap_focal import HeatmapFocal
from segkit.losses.softmax_cross_entropy import SoftmaxCrossEntropy

__all__ = ["BCEJaccard", "Dice", "HeatmapFocal", "SoftmaxCrossEntropy"]
