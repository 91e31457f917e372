"""The callback that redraws the enhanced feature maps in every epoch."""

from __future__ import annotations

from typing import Any

import keras

from segkit.layers.fr_enhance import FREnhance


class RedrawEnhanced(keras.callbacks.Callback):
    """Draw a new set in every ``FREnhance`` layer with ``redraw="epoch"`` at the beginning of every epoch.

    After the training its layers ask for a draw again, so that a later ``fit`` without this callback is an error and
    does not silently continue with the last set. To draw at other times, subclass it: a callback of another kind that
    calls ``draw()`` leaves a compiled training step behind that continues with its last set.

    Raises:
        ValueError: When the training begins, if the model has no such layer.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Sec. 3.2.
    """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Find the layers."""
        self._layers = [layer for layer in enhancing_layers(self.model) if layer.redraw == "epoch"]
        if not self._layers:
            raise ValueError(
                f"RedrawEnhanced found no FREnhance layer with redraw='epoch' in the model {self.model.name!r}"
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw."""
        for layer in self._layers:
            layer.draw()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Ask for a draw before any other training."""
        for layer in self._layers:
            layer.require_draw()
        # The compiled training step looks for a draw only while it is traced.
        self.model.make_train_function(force=True)


def enhancing_layers(model: keras.Model) -> list[FREnhance]:
    """Return all ``FREnhance`` layers of a model, those inside other layers and models too."""
    # The walk that Keras itself takes; `model.layers` stops at the outermost.
    return [layer for layer in model._flatten_layers() if isinstance(layer, FREnhance)]
