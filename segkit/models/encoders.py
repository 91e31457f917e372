"""Pretrained encoders: networks of Keras, where they are cut, and how ImageNet weights get into them."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import keras

from segkit.errors import InputError

WHITE = 255.0
"""Keras's networks, or their ``preprocess_input``, expect images from 0 to 255."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Encoder:
    """A functional network of ``keras.applications`` and the layers whose outputs are taken from it.

    Attributes:
        build: Called as ``build(include_top=False, weights=None, input_tensor=...)``.
        cut: Name of the layer whose output is the end of the encoder.
        skips: Names of the layers whose outputs are joined in the decoder, the coarsest first, each of twice the
            resolution of the one before.
        weights_file: Name under which Keras keeps the ImageNet weights without the top.
        first_convolution: Name of the first layer with a kernel.
        channel_factors: What Keras multiplies red, green and blue by before that layer, only with its own
            ``weights="imagenet"``.
        preprocess: Called with images from 0 to 255; returns what the network wants, such as
            ``keras.applications.mobilenet_v2.preprocess_input``. ``None`` for networks that scale by themselves, as
            those of ``ENCODERS`` do.
    """

    build: Callable[..., keras.Model]
    cut: str
    skips: tuple[str, ...]
    weights_file: str
    first_convolution: str = "stem_conv"
    channel_factors: tuple[float, float, float] | None = None
    preprocess: Callable[[Any], Any] | None = None

    def extend(self, images: Any, weights: str | os.PathLike[str] | None) -> tuple[keras.Model, Any, list[Any]]:
        """Build the network on a tensor.

        Args:
            images: Symbolic tensor, shape ``(batch, y, x, 3)``, from 0 to 255.
            weights: As ``efficient_cell_seg`` takes it.

        Returns:
            The network, the end of the encoder, and its skips, the coarsest first.

        Raises:
            InputError: If the weights are missing or of another network.
            ValueError: If a layer is unknown, a skip has not twice the resolution of what comes before it, or Keras is
                set to channels first.
        """
        if keras.config.image_data_format() != "channels_last":
            raise ValueError(
                "networks of keras.applications are built with the axes that Keras is set to, and segkit's have "
                "channels last; call keras.config.set_image_data_format('channels_last') before"
            )
        if self.preprocess is not None:
            images = self.preprocess(images)
        network = self.build(include_top=False, weights=None, input_tensor=images)
        cut, *skips = (self._layer(network, name).output for name in (self.cut, *self.skips))
        # Heights from the coarsest on; `None` where the images have no fixed size.
        sides = [tensor.shape[1] for tensor in (cut, *skips)]
        if None not in sides and any(fine != 2 * coarse for coarse, fine in itertools.pairwise(sides)):
            raise ValueError(
                "`skips` must each have twice the resolution of the one before, the first that of `cut`. "
                f"Received: heights {sides} px of {(self.cut, *self.skips)!r}"
            )
        if self.channel_factors is not None and not hasattr(self._layer(network, self.first_convolution), "kernel"):
            raise ValueError(f"`first_convolution` must be a layer with a kernel. Received: {self.first_convolution!r}")
        if weights is not None:
            self._load(network, self.find_weights(weights))
        return network, cut, skips

    def find_weights(self, weights: str | os.PathLike[str]) -> pathlib.Path:
        """Return the file of ImageNet weights; nothing is downloaded.

        Args:
            weights: ``"imagenet"`` for the file in Keras's cache, or the path of such a file.

        Raises:
            InputError: If it is not there.
        """
        home = os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras"
        in_cache = pathlib.Path(home) / "models" / self.weights_file
        path = in_cache if weights == "imagenet" else pathlib.Path(weights)
        if not path.is_file():
            raise InputError(
                f"{path}: no such file; on a machine with internet access run "
                f'`python -c "import keras; keras.applications.{self.build.__name__}(include_top=False)"` once, which '
                f"leaves {self.weights_file} in {in_cache.parent}, and copy it to this machine"
            )
        return path

    def _layer(self, network: keras.Model, name: str) -> keras.layers.Layer:
        if name not in {layer.name for layer in network.layers}:
            raise ValueError(f"{self.build.__name__} has no layer {name!r}; `summary()` lists them")
        return network.get_layer(name)

    def _load(self, network: keras.Model, path: pathlib.Path) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # Keras only warns of layers that it finds no weights for
                network.load_weights(path)
        except (ValueError, OSError, KeyError, UserWarning) as fault:
            raise InputError(
                f"{path}: not the weights of {self.build.__name__} without its top; give {self.weights_file} as Keras "
                "publishes it"
            ) from fault
        if self.channel_factors is not None:
            # A factor before a convolution is the same factor on its kernel; there is no layer for it without
            # weights="imagenet".
            layer = network.get_layer(self.first_convolution)
            kernel = keras.ops.convert_to_numpy(layer.kernel)
            factors = keras.ops.convert_to_numpy(self.channel_factors).astype(kernel.dtype)
            layer.kernel.assign(kernel * factors[None, None, :, None])


# keras.applications.efficientnet: 1 / sqrt(standard deviation) of red, green and blue
_EFFICIENTNET_FACTORS = tuple(1 / math.sqrt(deviation) for deviation in (0.229, 0.224, 0.225))

ENCODERS = {
    "efficientnet_b5": Encoder(
        build=keras.applications.EfficientNetB5,
        cut="block6a_expand_activation",
        skips=("block4a_expand_activation", "block3a_expand_activation", "block1a_activation"),
        weights_file="efficientnetb5_notop.h5",
        channel_factors=_EFFICIENTNET_FACTORS,
    ),
    "efficientnet_b0": Encoder(
        build=keras.applications.EfficientNetB0,
        cut="block6a_expand_activation",
        skips=("block4a_expand_activation", "block3a_expand_activation", "block1a_activation"),
        weights_file="efficientnetb0_notop.h5",
        channel_factors=_EFFICIENTNET_FACTORS,
    ),
    "efficientnet_v2s": Encoder(
        build=keras.applications.EfficientNetV2S,
        cut="block6a_expand_activation",
        skips=("block4a_expand_activation", "block2d_add", "block1b_add"),
        weights_file="efficientnetv2-s_notop.h5",
    ),
}
