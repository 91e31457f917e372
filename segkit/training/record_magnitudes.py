"""How large the features at the end of an encoder are compared with those of the skip they are joined to."""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import pathlib
from typing import Any

import keras
import numpy as np

from segkit.training.redraw_enhanced import enhancing_layers
from segkit.training.reestimate_statistics import as_at_inference
from segkit.volumes.whole_output import whole_file

MAGNITUDES_NAME = "magnitudes.csv"


class RecordMagnitudes(keras.callbacks.Callback):
    """Record mean magnitudes of two layers before the training and after each epoch.

    A U-Net learns through its skips; the features at the end of its encoder shrink meanwhile. This callback shows
    whether they do: the mean of their absolute values over some images, and that of the skip. Normalisation works by
    the batch, as while training, with enhancement and dropout off, so that networks with and without them compare. Of a
    network with ``FREnhance`` the maps of the current set are reported separately from the others, both without the
    gain.

    Writes ``magnitudes.csv`` (one row per epoch; row 0 is the untrained network) and, where TensorFlow is installed,
    scalars for TensorBoard.

    Args:
        images: A batch of what the network takes; the same every epoch.
        bottleneck: Name of the layer at the end of the encoder, in front of any ``FREnhance``.
        skip: Name of the layer whose output it is joined to.
        folder: Where the files go; made when the training begins.

    Attributes:
        rows: One dict per epoch: ``epoch``, ``bottleneck``, ``skip``, and with ``FREnhance`` also ``enhanced`` and
            ``not_enhanced``.

    Raises:
        ValueError: When the training begins, if the model has no such layers.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Figs. 2 and 9.

    Example:
        >>> magnitudes = RecordMagnitudes(images[:8], "encoder_5", "encoder_4", "runs/mine")  # doctest: +SKIP
        >>> model.fit(..., callbacks=[RedrawEnhanced(), magnitudes])  # doctest: +SKIP
    """

    STATE = ("rows",)
    """Attributes that a resumed run must put back."""

    def __init__(self, images: Any, bottleneck: str, skip: str, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        self.images = images
        self.layers = {"bottleneck": bottleneck, "skip": skip}
        self.folder = pathlib.Path(folder)
        self.rows: list[dict[str, float]] = []
        self._pass: _ChannelMeans | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Find the layers."""
        self.rows = []
        self._pass = _ChannelMeans(self.model, self.layers)
        self._writer = _summary_writer(self.folder / "tensorboard" / "magnitudes")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the network as it begins."""
        # A resumed run has this row already.
        if not self.rows:
            self._record(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record what the epoch has made of it."""
        self._record(epoch + 1)

    def _record(self, epoch: int) -> None:
        with as_at_inference(self.model, momentum=1.0):
            means = {name: np.asarray(values) for name, values in self._pass.predict_on_batch(self.images).items()}
        row = {"epoch": epoch, **{name: float(values.mean()) for name, values in means.items()}}
        chosen = self._enhanced()
        if chosen is not None and chosen.any():
            row["enhanced"] = float(means["bottleneck"][chosen].mean())
            row["not_enhanced"] = float(means["bottleneck"][~chosen].mean()) if not chosen.all() else float("nan")
        self.rows.append(row)
        self._write_csv()
        if self._writer is not None:
            self._write_scalars(row)

    def _enhanced(self) -> np.ndarray | None:
        """Return which maps of the bottleneck the layer behind it enhances; ``None`` without such a layer."""
        bottleneck = self.model.get_layer(self.layers["bottleneck"]).output
        found = [layer for layer in enhancing_layers(self.model) if layer.enhanced.shape == bottleneck.shape[-1:]]
        # The layer that the bottleneck feeds, else any that enhances as many maps.
        fed = [layer for layer in found if layer.input is bottleneck]
        return keras.ops.convert_to_numpy((fed or found)[0].enhanced) > 0.5 if found else None

    def _write_csv(self) -> None:
        text = io.StringIO()
        # All names in the order in which they first occur, as rows may differ in them.
        columns = dict.fromkeys(name for row in self.rows for name in row)
        writer = csv.DictWriter(text, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(self.folder / MAGNITUDES_NAME, overwrite=True) as unfinished:
            unfinished.write_text(text.getvalue())

    def _write_scalars(self, row: dict[str, float]) -> None:
        import tensorflow as tf

        with self._writer.as_default():
            for name, value in row.items():
                if name != "epoch":
                    tf.summary.scalar(f"magnitude/{name}", value, step=row["epoch"])
        self._writer.flush()


def read_magnitudes(folder: str | os.PathLike[str]) -> list[dict[str, float]]:
    """Return the rows that ``RecordMagnitudes`` has written into a folder; none if it has not."""
    path = pathlib.Path(folder, MAGNITUDES_NAME)
    if not path.exists():
        return []
    with open(path, newline="") as stream:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)]


class _ChannelMeans(keras.Model):
    """The mean magnitude of every channel of some layers, as the network runs while it is trained.

    Only the part of the network that leads to them is run. ``predict_on_batch`` is compiled on every backend.
    """

    def __init__(self, network: keras.Model, layers: dict[str, str]) -> None:
        super().__init__(name="channel_means")
        self.inner = keras.Model(network.inputs, {key: network.get_layer(name).output for key, name in layers.items()})
        if keras.backend.backend() == "tensorflow":
            self.jit_compile = False  # XLA is slower on CPUs

    def call(self, inputs):
        # `training=True`: normalisation works by the batch, as it does while training.
        outputs = self.inner(inputs, training=True)
        return {
            name: keras.ops.mean(keras.ops.abs(keras.ops.cast(x, "float32")), axis=tuple(range(len(x.shape) - 1)))
            for name, x in outputs.items()
        }


def _summary_writer(folder: pathlib.Path) -> Any:
    if importlib.util.find_spec("tensorflow") is None:
        return None
    import tensorflow as tf

    return tf.summary.create_file_writer(str(folder))
