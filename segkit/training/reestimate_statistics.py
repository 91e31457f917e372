"""The statistics of batch normalisation, re-estimated from data."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from segkit.arguments import whole_number
from segkit.layers.fr_enhance import FREnhance

_DROPOUTS = (
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)


class ReestimateStatistics(keras.callbacks.Callback):
    """Re-estimate the statistics of batch normalisation before every validation, as inference will meet them.

    While a network is trained with ``FREnhance`` or dropout, its normalisation learns the statistics of features that
    inference never sees. This callback runs some batches of training images through the network with both switched
    off, and puts means and variances over all of them in place of the moving ones. Behind another normalisation,
    which works by the batch meanwhile, they are those of inference as closely as the batches resemble each other.
    Validation, checkpoints and exports that follow use them. At the beginning of the next epoch the running statistics
    are put back, so that the training is the same, bit for bit, as without this callback. A network without batch
    normalisation is left unchanged.

    If the last epoch is not validated, statistics are re-estimated when the training ends, so that the network has them
    in any case. A checkpoint at the end of any other epoch without validation holds the running ones.

    Use it the same way on every network of a comparison: running statistics lag behind quick changes in any training.

    Args:
        batches: What can be iterated repeatedly: a list of batches, a ``tf.data.Dataset``, a ``PyDataset``. A
            batch is what the network takes, or a tuple that begins with it. All of one shape, or the network is
            compiled for each. Images in one array are made batches by ``[images[:8], images[8:16]]``.
        steps: Number of batches that are taken of it; all by default, so give it for a stream without end.

    Attributes:
        running: The running statistics of the training that were put aside, by layer: means, then variances; ``None``
            while the network has them itself. ``use_running_statistics`` puts them into a network.

    Raises:
        ValueError: If ``batches`` is one array, which would be iterated image by image, or can be iterated only once,
            such as a generator, or ``steps`` is no positive whole number.

    Reference:
        Ando & Hotta (2021) do not say how their network is scored. Measured with the spec of segkit: without this,
        enhancement costs far more than it brings.

    Example:
        >>> statistics = ReestimateStatistics([images[:8], images[8:16]])  # doctest: +SKIP
        >>> model.fit(..., callbacks=[RedrawEnhanced(), statistics])  # doctest: +SKIP
    """

    STATE = ("running",)
    """Attributes that a resumed run must put back."""

    def __init__(self, batches: Iterable[Any], *, steps: int | None = None) -> None:
        super().__init__()
        if hasattr(batches, "shape") or isinstance(batches, Iterator):
            raise ValueError(
                "`batches` must be what can be iterated repeatedly and gives batches, such as a list of batches. "
                f"Received: one {type(batches).__name__}"
            )
        self.batches = batches
        self.steps = None if steps is None else whole_number("steps", steps, least=1)
        self.running: list[list[list[float]]] | None = None
        self._is_behind = False  # trained since the last time
        self._pass: _TrainingPass | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget another training."""
        self.running = None
        self._is_behind = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Put the running statistics back."""
        if self.running is not None:
            use_running_statistics(self.model, self.running)
            self.running = None
        self._is_behind = True

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put the running statistics aside, and take new ones."""
        # A second validation within an epoch must not put aside statistics that are re-estimated already.
        if self.running is None:
            self.running = _running_statistics(self.model)
        if self._pass is None or self._pass.inner is not self.model:
            self._pass = _TrainingPass(self.model)
        _reestimate(self._pass, itertools.islice(self.batches, self.steps))
        self._is_behind = False

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Make up for a validation that the last epoch did not have."""
        if self._is_behind:
            self.on_test_begin()


def use_running_statistics(model: keras.Model, running: list[list[list[float]]]) -> None:
    """Put the statistics that ``ReestimateStatistics`` has put aside into a network, to see what they are worth.

    Args:
        model: Built network of the same layers; changed in place.
        running: ``ReestimateStatistics.running``.
    """
    for norm, values in zip(_norms(model), running, strict=True):
        for variable, kept in zip(_statistics(norm), values, strict=True):
            variable.assign(np.asarray(kept, np.float32))


def _running_statistics(model: keras.Model) -> list[list[list[float]]]:
    return [[_values(variable).tolist() for variable in _statistics(norm)] for norm in _norms(model)]


def _norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    layers = model._flatten_layers()  # Keras's own walk; `.layers` stops at the outermost
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable]


def _statistics(norm: keras.layers.BatchNormalization) -> list[Any]:
    """Return the variables of the statistics: mean, variance, and with renormalisation the standard deviation."""
    extra = [norm.moving_stddev] if norm.renorm else []
    return [norm.moving_mean, norm.moving_variance, *extra]


def reestimate_batch_statistics(model: keras.Model, batches: Iterable[Any]) -> None:
    """Re-estimate the statistics of batch normalisation once, as ``ReestimateStatistics`` does.

    Args:
        model: Built network; changed in place.
        batches: Batches of images, or tuples that begin with them.

    Raises:
        ValueError: If there is no batch.
    """
    _reestimate(_TrainingPass(model), batches)


class _TrainingPass(keras.Model):
    """A network as it runs while it is trained, without a loss.

    ``predict_on_batch`` of this model is compiled on every backend and lets layers keep what they count.
    """

    def __init__(self, inner: keras.Model) -> None:
        super().__init__(name="training_pass")
        self.inner = inner
        if keras.backend.backend() == "tensorflow":
            self.jit_compile = False  # XLA is slower on CPUs

    def call(self, inputs):
        # One number, as the output is not used; running the network is what updates the statistics.
        return keras.ops.mean(keras.tree.flatten(self.inner(inputs, training=True))[0])


def _reestimate(training_pass: _TrainingPass, batches: Iterable[Any]) -> None:
    norms = _norms(training_pass.inner)
    if not norms:
        return
    before = _running_statistics(training_pass.inner)
    means = [np.zeros(norm.moving_mean.shape) for norm in norms]
    squares = [np.zeros(norm.moving_mean.shape) for norm in norms]
    total = 0
    try:
        with as_at_inference(training_pass.inner, momentum=0.0):
            for batch in batches:
                images = batch[0] if isinstance(batch, tuple) else batch
                training_pass.predict_on_batch(images)
                count = len(keras.tree.flatten(images)[0])
                total += count
                for norm, mean_sum, square_sum in zip(norms, means, squares, strict=True):
                    mean = _values(norm.moving_mean).astype(np.float64)
                    # Momentum 0 leaves mean and variance of this batch alone in the moving variables.
                    mean_sum += count * mean
                    square_sum += count * (_values(norm.moving_variance) + mean**2)
        if not total:
            raise ValueError("`batches` must hold at least one batch. Received: none")
    except BaseException:
        use_running_statistics(training_pass.inner, before)
        raise
    for norm, mean_sum, square_sum in zip(norms, means, squares, strict=True):
        mean = mean_sum / total
        # Law of total variance: the mean over batches of variance and squared mean, less the squared mean of all.
        variance = np.maximum(square_sum / total - mean**2, 0.0)
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
        if norm.renorm:  # keeps both; its training continues from them
            norm.moving_stddev.assign(np.sqrt(variance + norm.epsilon))


def _values(variable: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(variable)


@contextlib.contextmanager
def as_at_inference(model: keras.Model, *, momentum: float) -> Iterator[None]:
    """Switch enhancement and dropout off in a training pass; looked at when it is compiled, by its first call.

    Args:
        model: The network.
        momentum: What normalisation keeps of its moving statistics: with 0 it has those of the last batch alone, with
            1 nothing is changed.
    """
    changed = []
    for layer in model._flatten_layers():
        if isinstance(layer, FREnhance):
            changed.append((layer, "active", layer.active, False))
        elif isinstance(layer, _DROPOUTS):
            # A rate of 0 passes everything, while `training=True` keeps normalisation at work on the batch.
            changed.append((layer, "rate", layer.rate, 0.0))
        elif isinstance(layer, keras.layers.BatchNormalization):
            changed.append((layer, "momentum", layer.momentum, momentum))
            changed.append((layer, "renorm", layer.renorm, False))  # inference knows nothing of its corrections
    for layer, name, _, value in changed:
        setattr(layer, name, value)
    try:
        yield
    finally:
        for layer, name, value, _ in changed:
            setattr(layer, name, value)
