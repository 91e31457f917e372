"""How much memory this process holds, and how much it could still take."""

from __future__ import annotations

import os
import pathlib
import re

_UNKNOWN_RSS = 1024 * 2**20
_UNKNOWN_FREE = 4096 * 2**20


def resident_bytes() -> int:
    """Return the memory that this process holds now [byte]; 1 GiB where the system does not report it."""
    try:
        # The second field is the resident set, in pages.
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return _UNKNOWN_RSS
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """Return the most memory that this process has held so far [byte]; what it holds now where that is unknown.

    ``resource.getrusage`` is no help: a process inherits the number of the one that started it.
    """
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return resident_bytes()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024


def free_bytes() -> int:
    """Return the memory that programs could still take [byte]; 4 GiB where the system does not report it."""
    try:
        meminfo = pathlib.Path("/proc/meminfo").read_text()
    except OSError:
        return _UNKNOWN_FREE
    free = int(re.search(r"MemAvailable:\s*(\d+) kB", meminfo)[1]) * 1024
    group = pathlib.Path("/sys/fs/cgroup")  # the bound of a container
    try:
        # cgroup v2; without it the files are missing.
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
    except OSError:
        return free
    return free if limit == "max" else min(free, max(0, int(limit) - used))
