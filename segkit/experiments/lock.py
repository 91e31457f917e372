"""One process per run folder: two that train in one would mix their snapshots."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

from segkit.errors import InputError
from segkit.volumes.file_lock import FileLock

LOCK_NAME = "lock"


@contextlib.contextmanager
def only_process_in(folder: pathlib.Path) -> Iterator[None]:
    """Keep a run folder for this process; it is released when the block or the process ends, in whatever way.

    A run holds its folder from before it removes an earlier one until its end. Nobody but the holder deletes the file
    of the lock: a lock on a deleted file would exclude no process that comes later. Where the system or the file system
    has no locks, nothing is kept.

    Raises:
        InputError: If another process trains in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_NAME)
    if not lock.acquire(wait=False):
        raise InputError(
            f"{folder}: another process is training in this folder; wait for it, or choose another folder (--out)"
        )
    try:
        yield
    finally:
        lock.release(remove=True)


def check_free(folder: pathlib.Path) -> None:
    """Check that no process trains in a run folder.

    Raises:
        InputError: If one does.
    """
    if (folder / LOCK_NAME).exists():
        with only_process_in(folder):
            pass
