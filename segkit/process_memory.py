"""How much memory this process holds, and how much it could still take."""

from __future__ import annotations

import os
import pathlib
import re
import sys

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
    """Return the most memory that this process has held so far [byte]; what it holds now where that is unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return resident_bytes()
    # In KiB, but on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


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
