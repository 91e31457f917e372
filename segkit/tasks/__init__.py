"""What a network learns: target, outputs, the score that chooses the checkpoint, and the final decision."""

from segkit.monitor import Monitor
from segkit.tasks.cells import CellsTask
from segkit.tasks.centers import CentersTask
from segkit.tasks.classes import ClassesTask
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.output import Output
from segkit.tasks.task import TASKS, Task

__all__ = ["TASKS", "CellsTask", "CentersTask", "ClassesTask", "ForegroundTask", "Monitor", "Output", "Task"]
