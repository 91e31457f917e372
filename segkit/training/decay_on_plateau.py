"""The papers' learning rate: time decay times a factor that falls on plateaus."""

from __future__ import annotations

from typing import Any, Literal

import keras


class DecayOnPlateau(keras.callbacks.Callback):
    """Set the step size to ``learning_rate * scale / (1 + decay * step)``.

    ``scale`` starts at 1 and is multiplied by ``factor`` whenever the monitored score has not improved for
    ``patience`` epochs. Keras's ``ReduceLROnPlateau`` cannot do this, as it refuses a schedule. The rate is set before
    every step; under JAX, whose training state cannot be touched cheaply between steps, before every epoch.

    Args:
        learning_rate: Step size at the start.
        decay: Time decay per step, not negative.
        monitor: Name of a score in the logs.
        mode: Whether the score should rise (``"max"``) or fall (``"min"``).
        factor: Factor in (0, 1].
        patience: Epochs without an improvement before ``scale`` falls.
        min_delta: A smaller improvement does not count.

    Attributes:
        best: Best score so far.
        wait: Epochs since ``best``, or since ``scale`` last fell.
        scale: The plateau factor in force.

    Raises:
        ValueError: If ``factor``, ``mode`` or ``decay`` is out of its range.
    """

    STATE = ("best", "wait", "scale")
    """Attributes that a resumed run must put back."""

    def __init__(
        self,
        learning_rate: float,
        decay: float = 0.0,
        *,
        monitor: str = "val_loss",
        mode: Literal["max", "min"] = "min",
        factor: float = 0.5,
        patience: int = 3,
        min_delta: float = 1e-4,
    ) -> None:
        super().__init__()
        if not 0 < factor <= 1:
            raise ValueError(f"`factor` must be in (0, 1]. Received: factor={factor!r}")
        if mode not in ("max", "min"):
            raise ValueError(f"`mode` must be 'max' or 'min'. Received: mode={mode!r}")
        if decay < 0:
            raise ValueError(f"`decay` must not be negative. Received: decay={decay!r}")
        self.learning_rate = learning_rate
        self.decay = decay
        self.monitor = monitor
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.min_delta = min_delta
        self.best = float("-inf" if mode == "max" else "inf")
        self.wait = 0
        self.scale = 1.0
        self._step = 0

    def rate(self, step: int) -> float:
        """Return the step size of a step, counted from 0."""
        return self.learning_rate * self.scale / (1 + self.decay * step)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the rate; the optimizer's own counter says where a resumed run stands."""
        self._step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        self.model.optimizer.learning_rate = self.rate(self._step)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the rate of the coming step."""
        if keras.backend.backend() != "jax":
            self.model.optimizer.learning_rate = self.rate(self._step)
        self._step += 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look for a plateau, and log the rate that was in force."""
        logs = {} if logs is None else logs
        # Logged before `scale` may fall, as the rate of this epoch.
        logs["learning_rate"] = self.rate(self._step)
        score = logs[self.monitor]
        gain = score - self.best if self.mode == "max" else self.best - score
        if gain > self.min_delta:
            self.best, self.wait = score, 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.scale *= self.factor
            self.wait = 0
