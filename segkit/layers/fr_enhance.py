"""Feature random enhancement: some feature maps are amplified, only during training."""

from __future__ import annotations

import random
import sys
from typing import Any, Literal

import keras
from keras import ops

from segkit.arguments import finite_number, plain, whole_number
from segkit.ops.mix_bits import mix_bits

_LARGEST_FLOAT16_GAIN = 64.0  # beyond it the next convolution sums to more than float16's largest number, 65504


@keras.saving.register_keras_serializable(package="segkit")
class FREnhance(keras.layers.Layer):
    """Multiply randomly chosen feature maps by a constant while training; do nothing at inference.

    Put it on the features that are farthest from the loss (the end of a U-Net's encoder, after the activation and
    after squeeze-and-excitation): enhanced maps dominate where they are joined to a skip, so their errors reach the
    weights behind them. Nothing is rescaled at inference, and no operation of the layer is left in a served graph.

    Batch normalisation behind this layer learns the statistics of enhanced maps, which inference never sees:
    re-estimate them before the network is used, with ``segkit.training.ReestimateStatistics``.

    Args:
        num_enhanced: Number of feature maps to enhance (the paper's B), from 1 to the number of channels.
        gain: Factor of the enhanced maps (the paper's X), positive. At most 64 under float16: the next convolution
            would overflow; bfloat16 has no such limit.
        redraw: When a new set of maps is drawn. ``"epoch"``: when ``draw()`` is called, which
            ``segkit.training.RedrawEnhanced`` does at the beginning of every epoch; training without any draw, and
            ``fit`` without one by a callback, is an error. Callbacks of your own that draw are subclasses of
            ``RedrawEnhanced``: see ``require_draw``. A whole number: every that many training steps, counted by the
            layer itself. ``"never"``: one set, drawn when the layer is built.
        seed: Seed of the draws, a whole number; drawn itself if not given. Two layers of one seed and size draw the
            same sets.

    Call arguments:
        inputs: Tensor, shape ``(batch, ..., channels)``, any rank from 2 on.
        training: Enhance only if true.

    Returns:
        Tensor of the same shape and dtype.

    Attributes:
        active: False where the layer is to do nothing while training either; not saved. Looked at when a training step
            is compiled: change it before the first, or recompile the step (``model.make_train_function(force=True)``).
        enhanced: 1 at the feature maps of the current set, else 0, float32, shape ``(channels,)``.

    Raises:
        ValueError: If an argument is out of range, or there are fewer channels than ``num_enhanced``.
        RuntimeError: If ``redraw="epoch"`` and the network is trained before anything was drawn, or by ``fit`` without
            a callback that draws: one set for the whole training is no random enhancement. Looked at when a training
            step is compiled: a step that was compiled after a draw continues with the last set, unless it is compiled
            again, as ``RedrawEnhanced`` asks for when its training ends. Compile a model again after this error; on
            JAX, build it again, as a step that failed leaves it without its weights.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Sec. 3.

    Example:
        >>> layer = FREnhance(2, 250.0, redraw="never", seed=1)
        >>> enhanced = layer(keras.ops.ones((1, 4, 4, 8)), training=True)
        >>> sorted({float(value) for value in keras.ops.ravel(enhanced)})
        [1.0, 250.0]
    """

    def __init__(
        self,
        num_enhanced: int,
        gain: float,
        *,
        redraw: int | Literal["epoch", "never"] = "epoch",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        num_enhanced, redraw = plain(num_enhanced), plain(redraw)
        if not (_is_whole(num_enhanced) and num_enhanced >= 1):
            raise ValueError(f"`num_enhanced` must be a positive whole number. Received: num_enhanced={num_enhanced!r}")
        if finite_number("gain", gain) <= 0:
            raise ValueError(f"`gain` must be positive. Received: gain={gain!r}")
        if self.compute_dtype == "float16" and gain > _LARGEST_FLOAT16_GAIN:
            raise ValueError(
                f"`gain` must be at most {_LARGEST_FLOAT16_GAIN:g} under float16, or the next convolution overflows; "
                f"train under mixed_bfloat16. Received: gain={gain!r}"
            )
        if not (redraw in ("epoch", "never") or (_is_whole(redraw) and redraw >= 1)):
            raise ValueError(
                f"`redraw` must be 'epoch', 'never' or a positive number of steps. Received: redraw={redraw!r}"
            )
        self.num_enhanced = num_enhanced
        self.gain = float(gain)
        self.redraw = redraw
        self.seed = random.randrange(2**31) if seed is None else whole_number("seed", seed)
        self.supports_masking = True
        self.active = True
        self._is_drawn = redraw != "epoch"
        self._is_drawn_in_fit = False
        self._early_draws = 0  # before the layer was built

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None or channels < self.num_enhanced:
            raise ValueError(
                f"`num_enhanced` must be at most the number of channels. Received: num_enhanced={self.num_enhanced}, "
                f"input_shape={tuple(input_shape)}"
            )
        draws = 1 if self.redraw == "never" else self._early_draws
        self.enhanced = self.add_weight(
            shape=(channels,),
            initializer=(lambda shape, dtype: self._random_set(shape, draws - 1)) if draws else "zeros",
            dtype="float32",
            trainable=False,
            name="enhanced",
        )
        # Draws, or training steps where the layer counts them; saved, so that a resumed run continues its sequence.
        count = keras.initializers.Constant(self._early_draws)
        self.count = self.add_weight(initializer=count, shape=(), dtype="int32", trainable=False, name="count")

    def draw(self) -> None:
        """Draw a new set of enhanced maps, now, or when the layer is built; for ``redraw="epoch"`` alone.

        For your own training loop. A callback of your own that decides when ``fit`` draws is best a subclass of
        ``segkit.training.RedrawEnhanced``, which asks for a draw again when the training ends.

        Raises:
            RuntimeError: If the layer draws by itself.
        """
        if self.redraw != "epoch":
            raise RuntimeError(f"{self.name}: draws by itself (redraw={self.redraw!r}); draw() is for redraw='epoch'")
        if self.built:
            self.enhanced.assign(self._random_set(self.enhanced.shape, ops.convert_to_tensor(self.count)))
            self.count.assign(self.count + 1)
        else:
            self._early_draws += 1
        self._is_drawn = True
        self._is_drawn_in_fit = _is_in_fit()

    def require_draw(self) -> None:
        """Make training an error again until the next ``draw()``; without effect unless ``redraw="epoch"``.

        The layer looks for a draw when a training step is compiled. A step that is compiled already continues with the
        last set, so compile it again as well (``model.make_train_function(force=True)``), which
        ``segkit.training.RedrawEnhanced`` and its subclasses do when a training ends.
        """
        self._is_drawn = self.redraw != "epoch"

    def call(self, inputs, training=False):
        if not (training and self.active):
            return inputs
        # A draw before `fit` is one for all its epochs.
        if not self._is_drawn or (self.redraw == "epoch" and not self._is_drawn_in_fit and _is_in_fit()):
            raise RuntimeError(
                f"{self.name}: redraw='epoch', but no maps have been drawn. Add segkit.training.RedrawEnhanced() to "
                "the callbacks of fit, or call draw() at the beginning of every epoch of your own training loop, and "
                "compile the model again (on JAX, build it again too)"
            )
        if _is_whole(self.redraw):
            self._count_step()
        # (channels,), broadcast over batch and positions.
        factors = ops.where(ops.convert_to_tensor(self.enhanced) > 0.5, self.gain, 1.0)
        return inputs * ops.cast(factors, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_enhanced": self.num_enhanced,
            "gain": self.gain,
            "redraw": self.redraw,
            "seed": self.seed,
        }

    def _count_step(self) -> None:
        """Take the set of this training step, and count the step."""
        self.enhanced.assign(self._random_set(self.enhanced.shape, ops.convert_to_tensor(self.count) // self.redraw))
        self.count.assign(self.count + 1)

    def _random_set(self, shape: tuple[int, ...], number: Any) -> Any:
        """Return 1 at ``num_enhanced`` channels drawn without replacement, else 0; ``number`` counts the draws.

        The channels are ranked by a hash. Keras's random numbers would do, were they the same with and without XLA and
        on every backend, and were their state in the files of a model.
        """
        key = mix_bits(ops.convert_to_tensor(self.seed % 2**32, dtype="uint32"))
        # Seed, number of the draw and channel are mixed in one after the other.
        key = mix_bits(ops.bitwise_xor(key, ops.cast(number, "uint32")))
        keys = mix_bits(ops.bitwise_xor(key, ops.cast(ops.arange(shape[0]), "uint32")))
        # 31 of the bits, as not every backend sorts unsigned numbers.
        keys = ops.cast(ops.right_shift(keys, ops.convert_to_tensor(1, dtype="uint32")), "int32")
        # The inverse of a sorting permutation: rank of every channel. Those of the lowest ranks are drawn.
        ranks = ops.argsort(ops.argsort(keys))
        return ops.cast(ranks < self.num_enhanced, "float32")


def _is_in_fit() -> bool:
    """Return whether Keras's ``fit`` is running, in which callbacks draw.

    Keras tells its layers nothing about it, so the callers are looked at; in a compiled step while it is traced.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and frame.f_globals.get("__name__", "").startswith("keras."):
            return True
        frame = frame.f_back
    return False


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
