"""EfficientCellSeg: the network of Wagner & Rohr (2022)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras

from segkit.arguments import finite_number, sequence, true_or_false, whole_number
from segkit.errors import InputError
from segkit.layers.fusion_block import FusionBlock
from segkit.layers.resize_like import ResizeLike
from segkit.layers.resize_to import ResizeTo
from segkit.models.encoders import ENCODERS, WHITE, Encoder
from segkit.models.input_shape import check_input_shape
from segkit.models.precision import take_weights

DECODER_FILTERS = (64, 48, 32, 16)
"""Filters of the decoder's blocks from the coarsest on, Table 1."""


def efficient_cell_seg(
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    *,
    size: int = 384,
    decoder_filters: Sequence[int] = DECODER_FILTERS,
    encoder: str | Encoder = "efficientnet_b5",
    encoder_weights: str | os.PathLike[str] | None = None,
    freeze_encoder: bool = False,
    fusion_block: Callable[..., keras.layers.Layer] = FusionBlock,
    l2: float = 0.0,
    prior: float = 0.5,
    name: str = "efficient_cell_seg",
) -> keras.Model:
    """Build EfficientCellSeg: a large encoder that may be pretrained, a small decoder, four skips.

    Images of any size are resized to ``size`` x ``size``, and the logits back; both are part of the network. Every
    block of the decoder upsamples by two, joins a skip and convolves twice; the last skip is the resized image itself.
    By default 6,697,824 parameters, of which 1,064,193 in the decoder.

    EfficientNets expect 0 to 255 and scale by themselves, so images are multiplied by 255 before them: pseudocoloured
    images are 0 to 1, and the statistics of pretrained weights hold. Encoders that do not scale by themselves name what
    does (``Encoder.preprocess``).

    Args:
        input_shape: ``(y, x, 3)``; ``None`` for a size that is not fixed.
        size: Height and width at which the network computes [px], a multiple of the encoder's stride (16).
        decoder_filters: Filters of each block of the decoder, the coarsest first; one more than the encoder has skips.
        encoder: A name of ``segkit.models.encoders.ENCODERS`` (``"efficientnet_b5"``, ``"efficientnet_b0"``,
            ``"efficientnet_v2s"``), or an ``Encoder`` that describes another network of ``keras.applications``.
        encoder_weights: ``None`` for random ones; ``"imagenet"`` for the file in Keras's cache; or the path of a file
            of ImageNet weights as Keras publishes them, without the top. Nothing is downloaded.
        freeze_encoder: Train the decoder alone; the encoder's normalisation then uses its moving statistics.
        fusion_block: Called as ``fusion_block(filters, factors=(2, 1), l2=..., use_bias=True, name=...)`` for each
            block of the decoder, which is then called with what it upsamples and the skip.
        l2: Strength of the L2 penalty on the decoder's kernels.
        prior: Probability that an untrained network gives everywhere, in (0, 1); small ones help where positives are
            as rare as the centres of cells.
        name: Name of the model.

    Returns:
        Model from pseudocoloured images, shape ``(batch, y, x, 3)``, in [0, 1], to ``{"logits": (batch, y, x, 1)}``,
        float32 under every precision. ``sigmoid(logits)`` is the probability of cells.

    Raises:
        ValueError: If an argument is of another type, the images have not three channels, ``size`` is no multiple of
            the stride, the filters are not one for each skip and one more, ``prior`` is out of range, the encoder is
            none or its layers do not fit, or Keras is set to channels first, which the encoders would follow.
        InputError: If the encoder has another name, or its weights are missing or of another network.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 2.1, Fig. 2 and Table 1.
    """
    if isinstance(encoder, str):
        if encoder not in ENCODERS:
            raise InputError(f"encoder {encoder!r}; give one of {', '.join(ENCODERS)}")
        encoder = ENCODERS[encoder]
    if not isinstance(encoder, Encoder):
        raise ValueError(f"`encoder` must be a name or an `Encoder`. Received: {encoder!r}")
    stride = 2 ** (len(encoder.skips) + 1)
    check_input_shape(input_shape)
    if input_shape[-1] != 3:
        raise ValueError(f"`input_shape` must have 3 channels. Received: input_shape={input_shape!r}")
    if whole_number("size", size, least=1) < stride or size % stride:
        raise ValueError(f"`size` must be a multiple of {stride} [px]. Received: size={size!r}")
    decoder_filters = sequence("decoder_filters", decoder_filters)
    true_or_false("freeze_encoder", freeze_encoder)
    if len(decoder_filters) != len(encoder.skips) + 1:
        raise ValueError(
            f"`decoder_filters` must be {len(encoder.skips) + 1} numbers. Received: {tuple(decoder_filters)!r}"
        )
    if not 0 < finite_number("prior", prior) < 1:
        raise ValueError(f"`prior` must be in (0, 1). Received: prior={prior!r}")
    inputs = keras.Input(input_shape, name="voxels")
    resized = ResizeTo(size, size, name="resize_in")(inputs)
    network, x, skips = encoder.extend(keras.layers.Rescaling(WHITE, name="to_255")(resized), encoder_weights)
    # Keras runs frozen batch normalisation at inference: its moving statistics stay those of the pretraining.
    network.trainable = not freeze_encoder
    # 24 x 24 x 1056 -> 384 x 384 x 16 by default (Sec. 2.1); each block doubles the side.
    for number, (filters, skip) in enumerate(zip(decoder_filters, [*skips, resized], strict=True), start=1):
        x = fusion_block(filters, factors=(2, 1), l2=l2, use_bias=True, name=f"decoder_{number}")([x, skip])
    penalty = keras.regularizers.L2(l2) if l2 else None
    head = keras.layers.Conv2D(
        1,
        1,
        data_format="channels_last",
        kernel_regularizer=penalty,
        # The logit of the prior.
        bias_initializer=keras.initializers.Constant(math.log(prior / (1 - prior))),
        dtype="float32",
        name="head",
    )
    logits = ResizeLike(dtype="float32", name="logits")([head(x), inputs])
    return keras.Model(inputs, {"logits": logits}, name=name)


CENTER_PRIOR = 0.01
"""What an untrained network takes any pixel for the centre of a cell with."""


def cells_and_centers(
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    *,
    name: str = "cells_and_centers",
    **settings: Any,
) -> keras.Model:
    """Build two EfficientCellSeg networks on one input: one of cells, one of the centres of cells.

    They share no weight; one model holds both, so that they are trained, saved, served and used together.

    Args:
        input_shape: As ``efficient_cell_seg`` takes it.
        name: Name of the model.
        **settings: What else ``efficient_cell_seg`` takes, for both; not ``prior``.

    Returns:
        Model from pseudocoloured images, shape ``(batch, y, x, 3)``, in [0, 1], to ``{"logits": (batch, y, x, 1),
        "centers": (batch, y, x, 1)}``, both logits.

    Raises:
        ValueError: As ``efficient_cell_seg`` does.
        InputError: Likewise.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 3.3 (data set MDA231).
    """
    cells = efficient_cell_seg(input_shape, **settings)
    second = efficient_cell_seg(input_shape, **settings, prior=CENTER_PRIOR)

    def renamed(layer: keras.layers.Layer) -> keras.layers.Layer:
        name = "centers" if layer.name == "logits" else f"centers_{layer.name}"
        return type(layer).from_config({**layer.get_config(), "name": name})

    # Names must be unique within one model.
    centers = keras.models.clone_model(second, input_tensors=cells.input, clone_function=renamed)
    take_weights(centers, second)
    return keras.Model(cells.input, {"logits": cells.output["logits"], "centers": centers.output["logits"]}, name=name)
