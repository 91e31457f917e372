"""Keras metrics, one per file."""

from segkit.metrics.binary_mean_iou import BinaryMeanIoU
from segkit.metrics.mean_iou import MeanIoU
from segkit.metrics.predicted_foreground import PredictedForeground

__all__ = ["BinaryMeanIoU", "MeanIoU", "PredictedForeground"]
