"""SegET: the network of Zhang et al. (2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras

from segkit.layers.encoder_block import EncoderBlock
from segkit.layers.fusion_block import FusionBlock
from segkit.layers.multi_scale_center import MultiScaleCenter

SEGET_HALO_PX = 288
"""Context that decides a pixel, rounded up to a multiple of 16: the theoretical reach is 284 px to a side."""


def seget(
    *,
    input_shape: tuple[int | None, int | None, int] = (None, None, 1),
    filters: Sequence[int] = (16, 32, 64, 128),
    dilation_rates: Sequence[int] = (1, 2, 4, 8),
    l2: float = 1e-5,
    encoder_block: Callable[..., keras.layers.Layer] = EncoderBlock,
    center: Callable[..., keras.layers.Layer] = MultiScaleCenter,
    fusion_block: Callable[..., keras.layers.Layer] = FusionBlock,
    name: str = "seget",
) -> keras.Model:
    """Build SegET: strided encoder, multi-scale dilated center, decoder with multi-level context fusion.

    Each level halves the resolution, so height and width must be divisible by ``2 ** len(filters)`` (16 by default).
    4,841,537 parameters by default.

    Args:
        input_shape: ``(y, x, channels)``; ``None`` for a size that is not fixed.
        filters: Channels of the encoder blocks, from the full resolution down; at least two levels. The center has
            twice the last.
        dilation_rates: Dilation of the center's branches [px at the center's resolution].
        l2: Strength of the L2 penalty on the kernels, the paper's lambda (its value is not printed).
        encoder_block: Called as ``encoder_block(filters, l2=l2, name=...)``; the layer returns ``(down, skip)``.
            Pass a subclass of ``EncoderBlock`` to change the encoder.
        center: Called as ``center(filters, dilation_rates=..., l2=..., name=...)``.
        fusion_block: Called as ``fusion_block(filters, factors=..., l2=..., name=...)``; used for the decoder blocks
            and for both fusions.
        name: Name of the model.

    Returns:
        Model from normalised voxels, shape ``(batch, y, x, channels)``, to ``{"logits": (batch, y, x, 1)}``, float32
        under every precision. ``sigmoid(logits)`` is the probability of foreground.

    Raises:
        ValueError: If ``filters`` has fewer than two levels, or a fixed size is not divisible.

    Reference:
        Zhang et al. (2019), SegET, Sec. 2 and Fig. 2. Where the paper is silent: the first fusion runs at half
        resolution, two convolutions follow each stack, no bias stands before batch normalisation.
    """
    levels = len(filters)
    if levels < 2:
        raise ValueError(f"`filters` must name at least two levels. Received: filters={tuple(filters)!r}")
    multiple = 2**levels
    if any(size is not None and size % multiple for size in input_shape[:2]):
        raise ValueError(f"`input_shape` must have height and width divisible by {multiple}. Received: {input_shape!r}")

    inputs = keras.Input(input_shape, name="voxels")
    x = inputs
    skips = []
    for level, width in enumerate(filters, start=1):
        x, skip = encoder_block(width, l2=l2, name=f"encoder_{level}")(x)
        skips.append(skip)
    x = center(2 * filters[-1], dilation_rates=dilation_rates, l2=l2, name="center")(x)

    decoded = []  # from the coarsest level to the full resolution
    for level in range(levels, 0, -1):
        x = fusion_block(filters[level - 1], factors=(2, 1), l2=l2, name=f"decoder_{level}")([x, skips[level - 1]])
        decoded.append(x)

    *higher, last = decoded
    factors = tuple(2**i for i in range(len(higher) - 1, -1, -1))
    context = fusion_block(filters[1], factors=factors, l2=l2, name="fuse_context")(higher)
    fused = fusion_block(filters[0], factors=(1, 2), l2=l2, name="fuse_last")([last, context])
    logits = keras.layers.Conv2D(1, 1, kernel_regularizer=keras.regularizers.L2(l2), dtype="float32", name="logits")(
        fused
    )
    return keras.Model(inputs, {"logits": logits}, name=name)
