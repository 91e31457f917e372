"""A plain U-Net for images and volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from segkit.arguments import finite_number, plain, sequence, whole_number
from segkit.geometry.per_axis import PerAxis, along_axes, positive_per_axis
from segkit.layers.conv_bn_relu import ConvBNReLU
from segkit.layers.convolution import convolution
from segkit.layers.fusion_block import FusionBlock
from segkit.models.input_shape import check_input_shape


def unet(
    input_shape: tuple[int | None, ...] = (None, None, 1),
    out_channels: int = 1,
    *,
    filters: Sequence[int] = (16, 32, 64, 128),
    kernel_sizes: int | Sequence[PerAxis] = 3,
    strides: int | Sequence[PerAxis] = 2,
    l2: float = 0.0,
    name: str = "unet",
) -> keras.Model:
    """Build a U-Net of the rank of ``input_shape``: two convolutions per level, strided ones between levels.

    Upsampling is linear. The first levels of a network for anisotropic volumes leave the coarse axis alone: with
    voxels of 40 nm along z and 10 nm along y and x, ``strides=[(1, 2, 2), (1, 2, 2), 2]`` and
    ``kernel_sizes=[(1, 3, 3), (1, 3, 3), 3, 3]`` bring the voxels of the third level to 40 nm along all axes.

    Args:
        input_shape: ``(y, x, channels)`` for images, ``(z, y, x, channels)`` for volumes; ``None`` for a size that is
            not fixed.
        out_channels: Number of logits per position, positive.
        filters: Channels of each level, from the full resolution down; at least two levels.
        kernel_sizes: Side of all kernels, or one entry per level: a number, or one per axis.
        strides: All steps from a level to the next, or one entry per step: a number, or one per axis. So ``(1, 2)``
            with three levels is 1 for the first step and 2 for the second, along all axes; for one number per axis at
            both steps give ``[(1, 2), (1, 2)]``.
        l2: Strength of the L2 penalty on the kernels.
        name: Name of the model.

    Returns:
        Model from normalised voxels, shape ``(batch, ..., channels)``, to ``{"logits": (batch, ..., out_channels)}``,
        float32 under every precision. Sizes must be divisible by the product of the strides along their axis.

    Raises:
        ValueError: If there are fewer than two levels, there is not one entry per level, an argument is of another
            type, ``input_shape`` has not one to three spatial axes or an unknown number of channels, or a fixed size
            is not divisible.

    Reference:
        Ronneberger, Fischer & Brox (2015), "U-Net"; Çiçek et al. (2016), "3D U-Net". Strided convolutions in place of
        max pooling, batch normalisation throughout, convolutions that keep the size.
    """
    axes = len(sequence("input_shape", input_shape, "sizes")) - 1
    head = convolution(axes)
    check_input_shape(input_shape, axes)
    out_channels = whole_number("out_channels", out_channels, least=1)
    filters, l2 = sequence("filters", filters), finite_number("l2", l2)
    levels = len(filters)
    if levels < 2:
        raise ValueError(f"`filters` must name at least two levels. Received: filters={tuple(filters)!r}")
    kernels = _per_level("kernel_sizes", kernel_sizes, levels, axes)
    steps = _per_level("strides", strides, levels - 1, axes)
    # Per axis, the product of its strides over all levels.
    multiples = tuple(map(math.prod, zip(*steps, strict=True)))
    if any(size is not None and size % m for size, m in zip(input_shape[:-1], multiples, strict=True)):
        raise ValueError(f"`input_shape` must have sizes divisible by {multiples}. Received: {input_shape!r}")

    inputs = keras.Input(input_shape, name="voxels")
    x = inputs
    skips = []
    for level, (width, kernel) in enumerate(zip(filters, kernels, strict=True), start=1):
        # The first convolution of a lower level is the strided one that leads to it.
        if level > 1:
            x = ConvBNReLU(width, kernel, strides=steps[level - 2], l2=l2, name=f"down_{level}")(x)
        else:
            x = ConvBNReLU(width, kernel, l2=l2, name="first")(x)
        x = ConvBNReLU(width, kernel, l2=l2, name=f"encoder_{level}")(x)
        skips.append(x)
    for level in range(levels - 1, 0, -1):
        block = FusionBlock(
            filters[level - 1],
            factors=(steps[level - 1], 1),
            kernel_size=kernels[level - 1],
            l2=l2,
            name=f"decoder_{level}",
        )
        x = block([x, skips[level - 1]])
    penalty = keras.regularizers.L2(l2) if l2 else None
    as_logits = {"data_format": "channels_last", "dtype": "float32", "name": "logits"}
    logits = head(out_channels, 1, kernel_regularizer=penalty, **as_logits)(x)
    return keras.Model(inputs, {"logits": logits}, name=name)


def _per_level(name: str, values: int | Sequence[PerAxis], levels: int, axes: int) -> list[tuple[int, ...]]:
    """Return one number per axis for every level."""
    values = plain(values)
    given = [values] * levels if isinstance(values, int) else sequence(name, values)
    if len(given) != levels:
        raise ValueError(f"`{name}` must be one number, or {levels} entries. Received: {name}={values!r}")
    return [along_axes(name, positive_per_axis(name, value), axes) for value in given]
