"""SegET: the network of Zhang et al. (2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from segkit.arguments import finite_number, sequence
from segkit.layers.encoder_block import EncoderBlock
from segkit.layers.fusion_block import FusionBlock
from segkit.layers.multi_scale_center import MultiScaleCenter
from segkit.models.input_shape import check_input_shape


def seget_multiple_px(levels: int = 4) -> int:
    """Return what height and width that SegET takes are multiples of [px].

    Args:
        levels: Number of encoder blocks, each of which halves the resolution.
    """
    return 2**levels


def seget_halo_px(levels: int = 4, dilation_rates: Sequence[int] = (1, 2, 4, 8)) -> int:
    """Return the context that decides a pixel of SegET, rounded up to a multiple of its stride.

    Follows which input pixels can reach an output pixel through the layers, along one axis. A tile whose origin is a
    multiple of ``2 ** levels`` and that has this halo gives what the whole slice gives.

    Args:
        levels: Number of encoder blocks.
        dilation_rates: Dilation of the center's branches.

    Returns:
        Halo [px]; 288 for the network of the paper, which reaches 284 px to one side and 269 px to the other.
    """
    stride = seget_multiple_px(levels)
    # Far more than enough: the encoder and decoder reach less than 20 strides, the center its dilation and two.
    radius = (24 + max(dilation_rates)) * stride
    position = np.arange(-radius, radius)
    reach = 0
    for phase in range(stride):  # where the output pixel is within a pixel of the coarsest level
        spike = position == phase
        touched = _inputs_of(spike, levels, max(dilation_rates))
        reach = max(reach, *np.abs(position[touched] - phase))
    return -(-int(reach) // stride) * stride


def _inputs_of(output: np.ndarray, levels: int, dilation: int) -> np.ndarray:
    """Return the input pixels that the marked output pixels look at, walking the layers backwards."""
    wanted = [np.zeros(len(output) // 2**level, bool) for level in range(levels + 1)]
    last = _widen(output, 2)  # fuse_last
    context = _widen(_before_up(last), 2)  # fuse_context, at half resolution
    # Positions that are wanted of the decoder's output, by level.
    wanted[0] |= last
    wanted[1] |= context
    for level in range(2, levels):
        context = _before_up(context)
        wanted[level] |= context
    for level in range(levels):  # decoder blocks, from the full resolution down
        joined = _widen(wanted[level], 2)
        wanted[level + 1] |= _before_up(joined)
        wanted[level] = joined  # what is wanted of the skip
    below = _widen(wanted[levels], 2 + dilation)
    for level in range(levels - 1, -1, -1):
        strided = np.zeros(len(below) * 2, bool)  # 3 x 3, stride 2, padded at the end: output i sees 2 i to 2 i + 2
        for tap in range(3):
            strided |= np.roll(np.repeat(below, 2) & (np.arange(len(strided)) % 2 == 0), tap)
        below = _widen(strided | wanted[level], 3)
    return below


def _widen(marked: np.ndarray, steps: int) -> np.ndarray:
    """Mark all pixels within ``steps`` of a marked one: that many 3 x 3 convolutions, or one of that dilation."""
    # A running sum tells whether any pixel of the window is marked.
    sums = np.cumsum(np.pad(marked.astype(int), (steps + 1, steps)))
    return sums[2 * steps + 1 :] > sums[: -2 * steps - 1]


def _before_up(marked: np.ndarray) -> np.ndarray:
    """Return the coarse pixels that bilinear upsampling by 2 makes the marked ones of."""
    # Half-pixel centres: output 2 i is made of i - 1 and i, output 2 i + 1 of i and i + 1.
    first, second = marked[0::2], marked[1::2]
    return first | second | np.append(first[1:], False) | np.append([False], second[:-1])


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
        ValueError: If ``filters`` is no sequence or has fewer than two levels, ``input_shape`` is another, a fixed size
            is not divisible, or a layer refuses its arguments.

    Reference:
        Zhang et al. (2019), SegET, Sec. 2 and Fig. 2. Where the paper is silent: the first fusion runs at half
        resolution, two convolutions follow each stack, there is no bias before batch normalisation.
    """
    filters, l2 = sequence("filters", filters), finite_number("l2", l2)
    levels = len(filters)
    if levels < 2:
        raise ValueError(f"`filters` must name at least two levels. Received: filters={tuple(filters)!r}")
    check_input_shape(input_shape)
    multiple = seget_multiple_px(levels)
    if any(size is not None and size % multiple for size in input_shape[:2]):
        raise ValueError(f"`input_shape` must have height and width divisible by {multiple}. Received: {input_shape!r}")

    inputs = keras.Input(input_shape, name="voxels")
    x = inputs
    skips = []
    for level, width in enumerate(filters, start=1):
        x, skip = encoder_block(width, l2=l2, name=f"encoder_{level}")(x)
        skips.append(skip)
    # Decoder: (batch, y / 16, x / 16, 256) by default, back to the full resolution.
    x = center(2 * filters[-1], dilation_rates=dilation_rates, l2=l2, name="center")(x)

    decoded = []  # from the coarsest level to the full resolution
    for level in range(levels, 0, -1):
        x = fusion_block(filters[level - 1], factors=(2, 1), l2=l2, name=f"decoder_{level}")([x, skips[level - 1]])
        decoded.append(x)

    # Sec. 2.4: the higher levels are fused first (here at half resolution), then the result with the last level.
    *higher, last = decoded
    factors = tuple(2**i for i in range(len(higher) - 1, -1, -1))
    context = fusion_block(filters[1], factors=factors, l2=l2, name="fuse_context")(higher)
    fused = fusion_block(filters[0], factors=(1, 2), l2=l2, name="fuse_last")([last, context])
    penalty = keras.regularizers.L2(l2)
    as_logits = {"data_format": "channels_last", "dtype": "float32", "name": "logits"}
    logits = keras.layers.Conv2D(1, 1, kernel_regularizer=penalty, **as_logits)(fused)
    return keras.Model(inputs, {"logits": logits}, name=name)
