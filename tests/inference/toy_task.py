"""A kind of task that is registered by a user's module."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.task import TASKS


@TASKS.register("toy background")
@dataclasses.dataclass(frozen=True, kw_only=True)
class BackgroundTask(ForegroundTask):
    """Foreground is learnt, and background is written."""

    def decide(self, maps: Any, xp: Any = np) -> Any:
        return maps[..., 0] <= self.threshold
