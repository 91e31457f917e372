"""What a served model offers: functions from slices as they come to probability and mask."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from segkit.models.card import ModelCard
from segkit.models.check_outputs import check_outputs

RAW_DTYPES = ("uint8", "int8", "uint16", "float32")
"""Voxel types that have a ``raw_*`` signature."""

_PNG_CHANNELS = (1, 3, 4)
MAX_PNG_PX = 2**26
"""Most pixels of an image that the signature ``png`` takes, such as 8192 x 8192."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_SIZE_BYTE = 16  # of width and height in the IHDR chunk
_PNG_BIT_DEPTH_BYTE = 24  # in the IHDR chunk, which the PNG standard puts first
_PNG_COLOUR_TYPE_BYTE = 25
_PNG_COLOUR_BIT = 2  # of the colour type: set for RGB and palettes


class Signature(NamedTuple):
    """A function and what it takes."""

    function: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    spec: tf.TensorSpec


def serving_signatures(model: keras.Model, card: ModelCard) -> dict[str, Signature]:
    """Return the signatures of a served network, by name.

    Networks of volumes are served alike, with ``z`` before ``y``, but for ``png``. Any height and width is served:
    inside, slices are padded at the bottom and at the right by repeating
    their last row and column, to a multiple of ``card.multiple_px``, and the result is cropped back. Where a
    network has several input channels, ``(b, y, x)`` below is ``(b, y, x, c)`` for what it takes.

    ``serving_default``
        ``voxels``, float32 ``(b, y, x, c)``, normalised -> ``probability``, float32 ``(b, y, x, 1)`` or
        ``(b, y, x, classes)``, 0..1.
    ``raw_uint8``, ``raw_int8``, ``raw_uint16``, ``raw_float32``
        ``slices`` ``(b, y, x)`` [grey value of the training data] -> ``probability``, float32 ``(b, y, x)``,
        0..1, and ``mask``, uint8 ``(b, y, x)``, 1 where the probability is above the task's threshold.
        Values count as they are sent: bytes of the other sign than ``card.dtype`` are not converted, as a request
        does not prove what they stand for.
        Of a network of several classes: ``probability``, float32 ``(b, y, x, classes)``, summing to 1, and
        ``labels``, uint8 ``(b, y, x)``, the class of the highest probability.
    ``png``
        ``png``, a string ``(b,)`` of encoded PNG images of one size -> as ``raw_*``. A 16-bit image gives its
        16-bit grey values, any other 8-bit ones; both must be on the scale of the training data. Of a network
        trained on int8 (``card.dtype``) 128 is subtracted, as signed bytes are shown. Images of more than
        ``MAX_PNG_PX`` pixels, images of different sizes and, where the network has one input channel, coloured images
        are refused. Offered where the network has 1, 3 or 4 input channels.

    Requests of another number of axes or channels, empty ones, and those with NaN or infinite values are refused.

    A network whose preprocessing a graph cannot hold (coloured slices) has ``serving_default`` alone: ``voxels``,
    float32 ``(b, y, x, 3)``, coloured, 0..1 -> ``probability``, float32 ``(b, y, x)``, and ``mask``, uint8
    ``(b, y, x)``; of a network with centres of cells also ``centers``, float32 ``(b, y, x)``, 0..1. The card's
    preprocessing makes them outside. Other tasks serve their maps and their decision under the names that
    they give them.

    Args:
        model: Float32 network from ``(b, y, x, c)`` to the outputs of the card's task.
        card: Task, preprocessing and the multiple that height and width must have.

    Returns:
        Signatures by name. Their names, and those of what they take and give, are a file format.

    Raises:
        InputError: If the network lacks an output of the task.
    """
    check_outputs(model, card)
    served = _Served(model, card)
    # Asked with any tensor: `None` where no graph can hold the preprocessing.
    if card.preprocessing.in_graph(tf.zeros((1, 1, 1, 1))) is None:
        return {"serving_default": _signature(served.with_decision, served.voxels_spec)}
    *size, channels = served.shape
    raw_shape = (None, *size) if channels == 1 else (None, *size, channels)
    signatures = {"serving_default": _signature(served.from_voxels, served.voxels_spec)}
    for dtype in RAW_DTYPES:
        spec = tf.TensorSpec(raw_shape, dtype, name="slices")
        signatures[f"raw_{dtype}"] = _signature(served.from_grey_values, spec)
    if len(size) == 2 and channels in _PNG_CHANNELS:
        signatures["png"] = _signature(served.from_png, tf.TensorSpec((None,), tf.string, name="png"))
    return signatures


def _signature(function: Callable[[tf.Tensor], dict[str, tf.Tensor]], spec: tf.TensorSpec) -> Signature:
    """Return a signature that refuses requests of another shape than its own, and empty ones.

    The runtime does not compare them: operations that were laid out for other axes would answer wrongly, or end the
    whole server.
    """

    @functools.wraps(function)
    def of_its_shape(values: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.raw_ops.EnsureShape(input=values, shape=spec.shape)
        message = f"{spec.name}: nothing to predict; send at least one slice, of at least one pixel"
        return function(checked(values, tf.reduce_all(tf.shape(values) > 0), message))

    return Signature(of_its_shape, spec)


class _Served:
    """The functions behind the signatures."""

    def __init__(self, model: keras.Model, card: ModelCard) -> None:
        self.model = model
        self.card = card
        self.task = card.task
        self.shape = tuple(model.inputs[0].shape[1:])  # (y, x, c), None where free
        self.voxels_spec = tf.TensorSpec((None, *self.shape), tf.float32, name="voxels")
        # As a function of its own the network is traced and stored once, not once per signature.
        self.maps = tf.function(self._maps, autograph=False).get_concrete_function(self.voxels_spec)

    def _maps(self, voxels: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = self.model(repeat_edge(voxels, self.card.multiple_px), training=False)
        cropped = {name: crop_to(values, voxels) for name, values in outputs.items()}
        maps = self.task.maps(cropped, self.card.preprocessing)
        counts = [output.channels for output in self.task.predicted]
        # Joined along the channels by `Task.maps`, separated again under the names that they are served by.
        parts = tf.split(maps, counts, axis=-1) if len(counts) > 1 else [maps]
        return {output.served: part for output, part in zip(self.task.predicted, parts, strict=True)}

    def from_voxels(self, voxels: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.maps(finite(voxels, "voxels"))

    def from_grey_values(self, slices: tf.Tensor) -> dict[str, tf.Tensor]:
        slices = finite(slices, "slices") if slices.dtype.is_floating else slices
        voxels = self.card.preprocessing.in_graph(slices)
        return self.with_decision(voxels[..., tf.newaxis] if self.shape[-1] == 1 else voxels)

    def with_decision(self, voxels: tf.Tensor) -> dict[str, tf.Tensor]:
        parts = self.maps(voxels)
        # Maps of one channel are served without an axis for it.
        found = {name: part[..., 0] if part.shape[-1] == 1 else part for name, part in parts.items()}
        if self.task.served_decision is None:
            return found
        decided = self.task.decide(tf.concat(list(parts.values()), axis=-1), keras.ops)
        return {**found, self.task.served_decision: tf.cast(decided, self.task.result_dtype)}

    def from_png(self, png: tf.Tensor) -> dict[str, tf.Tensor]:
        png = of_one_size(png, self.shape[:2])
        slices = tf.map_fn(
            lambda encoded: decode_png(encoded, self.shape[-1]),
            png,
            fn_output_signature=tf.TensorSpec(self.shape, tf.float32),
        )
        # A PNG holds no negative numbers: viewers and converters show a signed byte v as v + 128.
        slices = slices - 128.0 if self.card.dtype == "int8" else slices
        return self.from_grey_values(slices[..., 0] if self.shape[-1] == 1 else slices)


def finite(values: tf.Tensor, name: str) -> tf.Tensor:
    """Refuse a request with NaN or infinite values: a single one would make a whole slice NaN, and its mask empty."""
    message = f"{name} hold NaN or infinite values; replace them by the mean of the volume"
    return tf.debugging.check_numerics(values, message)


def checked(values: tf.Tensor, condition: tf.Tensor, message: str) -> tf.Tensor:
    """Return the values, which cannot be used where a condition does not hold.

    Args:
        values: Any tensor.
        condition: Scalar, boolean.
        message: What the request is refused with.

    Raises:
        InvalidArgumentError: When it is run and the condition does not hold.
    """
    with tf.control_dependencies([tf.debugging.Assert(condition, [message])]):
        return tf.identity(values)


def repeat_edge(voxels: tf.Tensor, multiple_px: int) -> tf.Tensor:
    """Pad at the far ends to a multiple, by repeating the last row and column (of volumes, slice too).

    Unlike a mirror image this works for every size, even where more is added than there is. It is the graph form of
    ``segkit.geometry.tiles.clamped``: extents are tensors here, and in prediction indices by which only the part of a
    slice that is needed is read.

    Args:
        voxels: Shape ``(b, y, x, c)`` or ``(b, z, y, x, c)``, extents at least 1.
        multiple_px: Extents of the result are multiples of this [px].

    Returns:
        Tensor of the dtype of ``voxels``, with the least such extents.
    """
    for axis in range(1, len(voxels.shape) - 1):
        size = tf.shape(voxels)[axis]
        padded_size = -(-size // multiple_px) * multiple_px
        voxels = tf.gather(voxels, tf.minimum(tf.range(padded_size), size - 1), axis=axis)
    return voxels


def crop_to(padded: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Return the near part of ``padded`` of the extents of ``like``, both ``(b, ..., c)``."""
    # The dynamic shape, as sizes are unknown when the graph is traced.
    size = tf.shape(like)
    return padded[(slice(None), *(slice(0, size[axis]) for axis in range(1, len(like.shape) - 1)))]


def of_one_size(png: tf.Tensor, size: Sequence[int | None]) -> tf.Tensor:
    """Return encoded images, all of which are PNG and of one size, as their headers say.

    Args:
        png: Strings ``(b,)``, at least one.
        size: Height and width that they must have [px], ``None`` where it is not fixed.

    Raises:
        InvalidArgumentError: When it is run, if one is no PNG image or too large, or sizes differ.
    """
    sizes = tf.map_fn(png_size, png, fn_output_signature=tf.TensorSpec((2,), tf.int64))
    message = "png: images of different sizes; send images of one size together"
    png = checked(png, tf.reduce_all(sizes == sizes[:1]), message)
    for axis, (name, px) in enumerate(zip(("height", "width"), size, strict=True)):
        if px is not None:
            png = checked(png, sizes[0, axis] == px, f"png: the network takes images of a {name} of {px} pixels only")
    return png


def png_size(encoded: tf.Tensor) -> tf.Tensor:
    """Return height and width of one PNG image as its header says, int64 ``(2,)`` [px].

    Args:
        encoded: Scalar string, the bytes of a PNG file.

    Raises:
        InvalidArgumentError: When it is run, if the bytes are not those of a PNG file, or the image is of more than
            ``MAX_PNG_PX`` pixels.
    """
    is_png = tf.strings.substr(encoded, 0, len(_PNG_SIGNATURE)) == _PNG_SIGNATURE
    is_png &= tf.strings.length(encoded) > _PNG_COLOUR_TYPE_BYTE
    encoded = checked(encoded, is_png, "png: not a PNG image; encode the slice as PNG, or send it as raw slices")
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, _PNG_SIZE_BYTE, 8), tf.uint8), tf.int64)
    # Width and height, four bytes each, the highest first.
    width, height = tf.unstack(tf.reduce_sum(tf.reshape(header, (2, 4)) * [2**24, 2**16, 2**8, 1], axis=-1))
    # A small file may unpack to more than the memory of the server.
    message = f"png: an image of more than {MAX_PNG_PX} pixels; send it in parts, or as raw slices"
    return checked(tf.stack([height, width]), width * height <= MAX_PNG_PX, message)


def decode_png(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Return the grey values of one PNG image as the file holds them, 0..255 or 0..65535.

    Args:
        encoded: Scalar string, the bytes of a PNG file that ``png_size`` has found good.
        channels: 1, 3 or 4. Three or four are made of a grey image; one is made of an image of three whose channels
            are equal.

    Returns:
        Tensor ``(y, x, channels)``, float32.

    Raises:
        InvalidArgumentError: When it is run, if the file is damaged, or ``channels`` is 1 and the image is coloured.
    """
    header = tf.io.decode_raw(tf.strings.substr(encoded, _PNG_BIT_DEPTH_BYTE, 2), tf.uint8)
    is_of_16_bit = header[0] == 16

    def decoded(count: int) -> tf.Tensor:
        return tf.cond(
            is_of_16_bit,
            lambda: tf.cast(tf.io.decode_png(encoded, count, tf.uint16), tf.float32),
            lambda: tf.cast(tf.io.decode_png(encoded, count, tf.uint8), tf.float32),
        )

    def has_equal_channels() -> tf.Tensor:
        colours = decoded(3)
        return tf.reduce_all(colours == colours[..., :1])

    grey = decoded(channels)
    if channels != 1:
        return grey
    # Colour would be mixed to a luminance that no training image has. Grey files are not decoded twice.
    is_coloured = tf.bitwise.bitwise_and(header[1], _PNG_COLOUR_BIT) != 0
    is_grey = tf.cond(is_coloured, has_equal_channels, lambda: tf.constant(True))
    return checked(grey, is_grey, "png: a coloured image; convert it to grey")
