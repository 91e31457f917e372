"""A lock on a file that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some shared file systems


class FileLock:
    """A lock between processes, exclusive or shared, that the system releases when its process ends, however it ends.

    Locks of two instances exclude each other within one process too. Where the system or the file system has no locks,
    every lock is granted: callers must stay correct, if slower, without them.

    Args:
        path: The file that represents the lock; created where it is missing. Its folder must exist.

    Attributes:
        is_real: Whether the lock that is held excludes anybody.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.is_real = False
        self._file: int | None = None

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Take the lock, or change the one that is held.

        Changing is not atomic: without ``wait`` the lock that was held is lost where the other one is refused.

        Args:
            shared: Let others share the lock.
            wait: Wait for those who hold it.

        Returns:
            Whether the lock is held now; always true with ``wait``.

        Raises:
            FileNotFoundError: If the folder of the file is missing.
        """
        while True:
            if self._file is None:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                self.is_real = _lock(self._file, shared=shared, wait=wait)
            except BaseException as fault:
                self._close()
                if isinstance(fault, BlockingIOError):
                    return False
                raise
            if self._is_in_place():
                return True
            self._close()  # its last holder has removed the file meanwhile: it locks nothing

    @property
    def held(self) -> bool:
        """Whether this instance holds the lock."""
        return self._file is not None

    def release(self, *, remove: bool = False) -> None:
        """Release the lock.

        Args:
            remove: Delete the file. Only for exclusive locks: sharers would lose theirs.
        """
        if self._file is not None:
            if remove and self.is_real:
                self.path.unlink(missing_ok=True)  # while it is held, so that no other process's file is removed
            self._close()
            if remove and not self.is_real:
                with contextlib.suppress(PermissionError):  # on Windows, where another process has the file open
                    self.path.unlink(missing_ok=True)

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _is_in_place(self) -> bool:  # whether the path still leads to the file that is locked
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        os.close(self._file)
        self._file = None


def _lock(file: int, *, shared: bool, wait: bool) -> bool:
    """Lock an open file; return whether there are locks at all."""
    if fcntl is None:
        return False
    try:
        # `flock` and not `lockf`, whose locks belong to the process: two instances in it would not exclude each other.
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except OSError as fault:
        if fault.errno in _NO_LOCKS:
            return False
        raise
    return True
