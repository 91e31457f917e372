"""U-Net with squeeze and excitation: the network of Ando & Hotta (2021)."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from segkit.arguments import finite_number, sequence, true_or_false, whole_number
from segkit.layers.conv_pair_se import ConvPairSE
from segkit.layers.join_skip import JoinSkip
from segkit.layers.linear_up import LinearUp
from segkit.layers.match_statistics import MatchStatistics
from segkit.models.input_shape import check_input_shape


def unet_se(
    input_shape: tuple[int | None, int | None, int] = (None, None, 1),
    num_classes: int = 2,
    *,
    filters: Sequence[int] = (64, 128, 256, 512, 512),
    bottleneck: keras.layers.Layer | Sequence[keras.layers.Layer] = (),
    match_skip: bool = False,
    supervision: bool = False,
    normalization: str = "batch",
    reduction: int = 16,
    l2: float = 0.0,
    name: str = "unet_se",
) -> keras.Model:
    """Build the U-Net with squeeze and excitation after every pair of convolutions.

    Each level but the last halves the resolution by max pooling, so height and width must be divisible by
    ``2 ** (len(filters) - 1)`` (16 by default). Upsampling is bilinear and has no parameters: one that is normalised
    would undo the enhancement in the bottleneck. 13,493,055 parameters with ``input_shape=(256, 256, 3),
    num_classes=3``; 6,070,799 without the deep layers, ``filters=(64, 128, 256, 512)``.

    Args:
        input_shape: ``(y, x, channels)``; ``None`` for a size that is not fixed. Squeeze and excitation looks at the
            whole image, so a network trained on tiles is best used on tiles of that size.
        num_classes: Number of classes, background among them, at least 2.
        filters: Channels of each level of the encoder, from the full resolution down, at least two levels. A decoder
            block has the channels of the encoder level above its own.
        bottleneck: Layers at the end of the encoder, behind its squeeze and excitation: a layer, or several in
            their order, such as ``FREnhance(162, 632.0)`` or ``Dropout(0.3)``.
        match_skip: Give the upsampled bottleneck the mean and variance of the skip it is joined to.
        supervision: Add a second head on the bottleneck, resized to the input.
        normalization: ``"batch"``, or ``"renorm"`` for batch renormalisation.
        reduction: Reduction of squeeze and excitation.
        l2: Strength of the L2 penalty on the kernels.
        name: Name of the model.

    Returns:
        Model from normalised images, shape ``(batch, y, x, channels)``, to ``{"logits": (batch, y, x, num_classes)}``,
        with ``supervision`` also ``"deep_logits"`` of the same shape; float32 under every precision.
        ``softmax(logits)`` is the probability of each class.

    Raises:
        ValueError: If there are fewer than two levels or classes, an argument is of another type, ``input_shape`` is no
            ``(y, x, channels)``, or a fixed size is not divisible. The network, if sizes that it is called with are
            not.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Sec. 4.2 and Fig. 4.
    """
    filters, l2 = sequence("filters", filters), finite_number("l2", l2)
    levels = len(filters)
    if levels < 2:
        raise ValueError(f"`filters` must name at least two levels. Received: filters={tuple(filters)!r}")
    num_classes = whole_number("num_classes", num_classes, least=2)
    true_or_false("match_skip", match_skip)
    true_or_false("supervision", supervision)
    check_input_shape(input_shape)
    multiple = 2 ** (levels - 1)
    if any(size is not None and size % multiple for size in input_shape[:2]):
        raise ValueError(f"`input_shape` must have height and width divisible by {multiple}. Received: {input_shape!r}")
    block = {"reduction": reduction, "normalization": normalization, "l2": l2}

    inputs = keras.Input(input_shape, name="voxels")
    x = inputs
    skips = []
    for level, width in enumerate(filters, start=1):
        x = ConvPairSE(width, **block, name=f"encoder_{level}")(x)
        if level < levels:
            skips.append(x)
            x = keras.layers.MaxPooling2D(data_format="channels_last", name=f"pool_{level}")(x)
    for layer in [bottleneck] if isinstance(bottleneck, keras.layers.Layer) else bottleneck:
        x = layer(x)
    deep = x

    for level in range(levels - 1, 0, -1):
        skip = skips[level - 1]
        x = LinearUp(2, name=f"up_{level}")(x)
        # Only where the bottleneck is joined: Sec. 3.1 is about its ratio to the skip.
        if match_skip and level == levels - 1:
            x = MatchStatistics(name="match_skip")([x, skip])
        x = JoinSkip(name=f"join_{level}")([x, skip])
        # The channels of the level above; at the full resolution those of its own.
        x = ConvPairSE(filters[max(level - 2, 0)], **block, name=f"decoder_{level}")(x)

    outputs = {"logits": _head(num_classes, l2, "logits")(x)}
    if supervision:
        # Sec. 4.3: 1 x 1 convolution at the end of the encoder, resized to the input.
        coarse = _head(num_classes, l2, "deep_head")(deep)
        outputs["deep_logits"] = LinearUp(multiple, dtype="float32", name="deep_logits")(coarse)
    return keras.Model(inputs, outputs, name=name)


def _head(num_classes: int, l2: float, name: str) -> keras.layers.Layer:
    regularizer = keras.regularizers.L2(l2) if l2 else None
    as_logits = {"data_format": "channels_last", "dtype": "float32", "name": name}
    return keras.layers.Conv2D(num_classes, 1, kernel_regularizer=regularizer, **as_logits)
