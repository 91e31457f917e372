"""How to build every registered class, what to feed it, and every model builder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tiny_encoder import TINY_ENCODER

import segkit.models
from segkit import layers, losses, metrics


@dataclasses.dataclass(frozen=True)
class Entry:
    """A way to build one class.

    Attributes:
        make: Builds the object; keyword arguments go to the constructor.
        arguments: The arguments that `make` sets, with their values; none at its default.
        channels: For layers: channels of the input, or a list where there are several inputs.
        axes: For layers: numbers of spatial axes of the inputs that it must take.
        outputs: For losses and metrics: channels of the prediction.
        target_channels: For losses and metrics: channels of the target, its weight not counted.
    """

    make: Callable[..., Any]
    arguments: dict[str, Any]
    channels: Any = None
    axes: tuple[int, ...] = (2, 3)
    outputs: int = 1
    target_channels: int = 1


CATALOG = {
    "segkit>BilinearUp2D": Entry(layers.BilinearUp2D, {"factor": 3}, 2, axes=(2,)),
    "segkit>LinearUp": Entry(layers.LinearUp, {"factor": 3}, 2, axes=(1, 2, 3)),
    "segkit>JoinSkip": Entry(layers.JoinSkip, {}, [2, 3], axes=(1, 2, 3)),
    "segkit>ConvBNReLU": Entry(
        layers.ConvBNReLU,
        {"filters": 3, "kernel_size": 5, "strides": 1, "dilation_rate": 2, "l2": 0.01}
        | {"use_bias": True, "normalization": "renorm"},
        2,
    ),
    "segkit>ConvPairSE": Entry(
        layers.ConvPairSE, {"filters": 4, "kernel_size": 1, "reduction": 2, "normalization": "renorm", "l2": 0.01}, 2
    ),
    "segkit>EncoderBlock": Entry(layers.EncoderBlock, {"filters": 4, "kernel_size": 5, "strides": 3, "l2": 0.01}, 2),
    "segkit>FusedBatchNorm": Entry(layers.FusedBatchNorm, {"momentum": 0.9, "epsilon": 0.01}, 2),
    "segkit>MultiScaleCenter": Entry(
        layers.MultiScaleCenter, {"filters": 3, "dilation_rates": (1, 3), "kernel_size": 5, "l2": 0.01}, 2
    ),
    "segkit>MatchStatistics": Entry(layers.MatchStatistics, {"epsilon": 0.01}, [2, 3]),
    "segkit>SqueezeExcite": Entry(layers.SqueezeExcite, {"reduction": 2}, 4),
    "segkit>FusionBlock": Entry(
        layers.FusionBlock,
        {"filters": 3, "factors": (1, 1), "kernel_size": 5, "l2": 0.01, "use_bias": True},
        [2, 1],
    ),
    "segkit>FREnhance": Entry(layers.FREnhance, {"num_enhanced": 1, "gain": 8.0, "redraw": "never", "seed": 3}, 2),
    "segkit>ResizeTo": Entry(layers.ResizeTo, {"height": 5, "width": 11}, 2, axes=(2,)),
    "segkit>ResizeLike": Entry(layers.ResizeLike, {}, [2, 1], axes=(2,)),
    "segkit>Dice": Entry(losses.Dice, {"per_sample": True, "reduction": "mean", "name": "other"}),
    "segkit>HeatmapFocal": Entry(
        losses.HeatmapFocal, {"alpha": 3.0, "beta": 2.0, "reduction": "mean", "name": "other"}
    ),
    "segkit>BCEJaccard": Entry(losses.BCEJaccard, {"per_sample": True, "reduction": "mean", "name": "other"}),
    "segkit>BinaryMeanIoU": Entry(metrics.BinaryMeanIoU, {"threshold": 0.4, "name": "other"}),
    "segkit>MeanIoU": Entry(metrics.MeanIoU, {"num_classes": 3, "class_ids": [1], "name": "other"}, outputs=3),
    "segkit>SoftmaxCrossEntropy": Entry(losses.SoftmaxCrossEntropy, {"reduction": "mean", "name": "other"}, outputs=3),
    "segkit>PredictedForeground": Entry(metrics.PredictedForeground, {"threshold": 0.4, "name": "other"}),
}

MODELS: dict[str, Callable[..., Any]] = {
    "cells_and_centers": lambda **kwargs: segkit.models.cells_and_centers(
        **{"size": 16, "decoder_filters": (4, 2), "encoder": TINY_ENCODER, **kwargs}
    ),
    "efficient_cell_seg": lambda **kwargs: segkit.models.efficient_cell_seg(
        **{"size": 16, "decoder_filters": (4, 2), "encoder": TINY_ENCODER, **kwargs}
    ),
    "seget": lambda **kwargs: segkit.models.seget(filters=(2, 4), dilation_rates=(1, 2), **kwargs),
    "unet": lambda **kwargs: segkit.models.unet(**{"filters": (2, 4), **kwargs}),
    "unet_3d": lambda **kwargs: segkit.models.unet(
        **{"input_shape": (None, None, None, 1), "filters": (2, 4, 4), "strides": [(1, 2, 2), 2], **kwargs}
    ),
    "unet_se": lambda **kwargs: segkit.models.unet_se(**{"num_classes": 3, "filters": (2, 4, 4), **kwargs}),
}
