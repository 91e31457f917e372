"""One line of progress with the time left, for programs that show it."""

from __future__ import annotations

import sys
import time
from typing import ClassVar, TextIO


class ProgressLine:
    """A callable ``(done, total)`` that keeps a line on a stream up to date.

    On a terminal the line is redrawn in place a few times a second; elsewhere (a log file) a new line is written at
    most every ten seconds, and at the end.

    Args:
        label: What is being done, such as ``"predicting"``.
        unit: What is counted, such as ``"slices"``.
        stream: Where to write; standard error by default.

    Attributes:
        is_shown: False, set on the class, where a program is to be quiet.
    """

    is_shown: ClassVar[bool] = True

    def __init__(self, label: str, unit: str = "", stream: TextIO | None = None) -> None:
        self._label = label
        self._unit = unit
        self._stream = sys.stderr if stream is None else stream
        self._redraws = self._stream.isatty()
        self._start: float | None = None
        self._first_done = 0
        self._shown = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are done."""
        if not self.is_shown:
            return
        now = time.monotonic()
        if self._start is None:
            self._start, self._first_done = now, done  # a resumed job starts above 0
        last = done >= total
        if not (last or now - self._shown >= (0.2 if self._redraws else 10.0)):
            return
        self._shown = now
        elapsed = now - self._start
        fresh = done - self._first_done
        line = f"{self._label} {done}/{total} {self._unit}".rstrip()
        if last:
            line += f", {clock(elapsed)}"
        elif fresh > 0:
            line += f", {clock(elapsed * (total - done) / fresh)} left"
        self._stream.write(f"\r\x1b[K{line}" if self._redraws else f"{line}\n")
        if last:
            self._start = None  # what comes next is another job
            self._stream.write("\n" if self._redraws else "")
        self._stream.flush()


def clock(seconds: float) -> str:
    """Return a duration as ``m:ss`` or ``h:mm:ss``.

    Example:
        >>> clock(75), clock(3700)
        ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
