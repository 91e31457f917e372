"""One process per run folder: two that train in one would mix their snapshots."""

from __future__ import annotations

import contextlib
import errno
import pathlib
from collections.abc import Iterator

from segkit.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK_NAME = "lock"

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # file systems, some shared ones, that have none


@contextlib.contextmanager
def only_process_in(folder: pathlib.Path) -> Iterator[None]:
    """Keep a run folder for this process; it is released when the block or the process ends, in whatever way.

    Where the system or the file system has no locks, nothing is kept.

    Raises:
        InputError: If another process trains in the folder.
    """
    if fcntl is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_NAME).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise InputError(
                f"{folder}: another process trains in this folder; wait for it, or choose another --out"
            ) from fault
        except OSError as fault:
            if fault.errno not in _NO_LOCKS:
                raise
        yield


def check_free(folder: pathlib.Path) -> None:
    """Check that no process trains in a run folder.

    Raises:
        InputError: If one does.
    """
    if (folder / LOCK_NAME).exists():
        with only_process_in(folder):
            pass
