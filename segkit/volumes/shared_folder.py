"""A folder in which several processes work on one thing, and which the last of them removes."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from segkit.errors import InputError
from segkit.json_object import read_object
from segkit.volumes.block_file import write_parts
from segkit.volumes.file_lock import FileLock

_IDENTITY = "identity.json"
# Locks: `setup` while a process enters or leaves, `use` shared by all that are inside (whoever has it exclusively is
# alone).
_SETUP, _USE = "setup.lock", "use.lock"
_UNFINISHED = re.compile(r"\.(.+)\.[0-9a-f]{8}\.tmp")  # what a file is called until it is whole
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}

_log = logging.getLogger(__name__)


class SharedFolder:
    """A folder of unfinished work that processes enter and leave.

    The work is known by its identity, a file in the folder. Processes of one identity are in the folder together.
    Another identity is refused while a process is inside, and takes the folder over afterwards. Where the file system
    has no locks, it is unknown whether others are inside: another identity is refused then too.

    Args:
        path: The folder; created when it is entered.
        folders: Names of the folders in it.
        files: Names of the files in it, besides those of this class.
        before: Names that an older version has used; removed with the rest.
    """

    def __init__(
        self, path: pathlib.Path, *, folders: Sequence[str], files: Sequence[str], before: Sequence[str] = ()
    ) -> None:
        self.path = path
        self._folders, self._files, self._before = tuple(folders), tuple(files), tuple(before)
        self._own = {_IDENTITY, _SETUP, _USE, *folders, *files}
        self._use = FileLock(path / _USE)

    def enter(
        self, describe: Callable[[dict[str, Any] | None], Mapping[str, Any]], check: Callable[[bool], None]
    ) -> None:
        """Join the processes in the folder, or take it over where there are none; one process at a time does so.

        Args:
            describe: Called with the identity in the folder, ``None`` without one; returns that of this process.
            check: Called where this process resumes the work it finds, with whether it is known to be alone.

        Raises:
            InputError: If the folder holds something else, or another process works in it on something else.
        """
        setup = FileLock(self.path / _SETUP)
        while not setup.held:
            self._make_folder()
            # The last process in it may be removing the folder just now.
            with contextlib.suppress(FileNotFoundError):
                if not (self.path / _IDENTITY).exists():
                    self._refuse_foreign_files()  # before the lock, whose file would stay in somebody else's folder
                setup.acquire()
        with setup:
            found = self._identity()
            self._join(found, dict(describe(found)), check)

    def leave(self, is_over: Callable[[bool], bool]) -> None:
        """Leave the folder; the last process removes it when the work is over.

        Args:
            is_over: Called where no other process is seen inside, with whether this one is known to be alone.
        """
        if not self._use.held:
            return
        setup = FileLock(self.path / _SETUP)
        try:
            setup.acquire()
            # From shared to exclusive: granted only where no other process is inside; `setup` keeps others out.
            if self._use.acquire(wait=False) and is_over(self._use.is_real):
                self._clear()
                (self.path / _IDENTITY).unlink(missing_ok=True)
                self._use.release(remove=True)
                setup.release(remove=True)
                with contextlib.suppress(OSError):  # the next process is there already
                    self.path.rmdir()
        except FileNotFoundError:
            pass  # without locks, another process has removed it
        except PermissionError:
            if self._use.is_real:
                raise
            # On Windows, files that another process has open cannot be removed: it removes the folder.
        finally:
            self._use.release()
            setup.release()

    def write_whole(self, path: pathlib.Path, parts: Sequence[Any], *, state: str = "") -> None:
        """Write a file in the folder, whole or not at all.

        Args:
            path: The file.
            parts: Its content, as buffers.
            state: How far the work is, for the message of a full disk.

        Raises:
            InputError: If the disk is full, or the folder was removed.
        """
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with self.removal_told():
                write_parts(partial, parts)
                os.replace(partial, path)
        except OSError as fault:
            if fault.errno in _FULL:
                raise InputError(
                    f"{self.path}: the disk is full{state}; free some space and run the same command again, it "
                    "resumes from there"
                ) from fault
            raise
        finally:
            partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def removal_told(self) -> Iterator[None]:
        """Say in one line that the folder was removed: by hand, or where another process could not see this one.

        Raises:
            InputError: If a file is missing because the folder is.
        """
        try:
            yield
        except FileNotFoundError as fault:
            if all((self.path / name).exists() for name in self._folders):
                raise
            raise InputError(
                f"{self.path}: was removed meanwhile, by another process that has finished the result or by hand; "
                "run the same command again if there is no result"
            ) from fault

    def _make_folder(self) -> None:
        try:
            self.path.mkdir(exist_ok=True)
        except FileExistsError as fault:  # also where another process removed the folder in between
            if os.path.lexists(self.path) and not self.path.is_dir():
                raise InputError(
                    f"{self.path}: is a file, expected a folder for unfinished blocks; move it away"
                ) from fault

    def _join(
        self, found: Mapping[str, Any] | None, identity: Mapping[str, Any], check: Callable[[bool], None]
    ) -> None:
        different = _differences(found, identity)
        if not self._use.acquire(wait=False):
            # Others are inside: join them if they compute the same.
            self._use.acquire(shared=True)
            if different:
                self._use.release()
                raise InputError(
                    f"{self.path}: another process is computing something else here (different "
                    f"{' and '.join(different)}); wait for it, or choose another output"
                )
            return
        is_begun = (self.path / _IDENTITY).exists()
        if not self._use.is_real and is_begun:
            # Others may be in the folder unseen, so nothing in it is removed.
            if different:
                raise InputError(
                    f"{self.path}: holds unfinished work with different {' and '.join(different)}, and the file "
                    "system has no locks that tell whether a process is still computing it; delete the folder if "
                    "none is, or choose another output"
                )
            check(False)
        elif is_begun and not different:
            self._make_folders()  # a process that was killed while it removed them may have left some
            check(True)
        else:
            self._start(identity, different if is_begun else [])
        self._use.acquire(shared=True)

    def _start(self, identity: Mapping[str, Any], different: Sequence[str]) -> None:
        """Begin new work in the folder, in place of what is there."""
        if different:
            _log.warning(
                "%s: holds unfinished work with different %s; starting over", self.path, " and ".join(different)
            )
        elif any((self.path / name).exists() for name in self._before):
            _log.warning("%s: holds unfinished work of an older version; starting over", self.path)
        self._refuse_foreign_files()
        # The identity comes last: without it the folder counts as new.
        (self.path / _IDENTITY).unlink(missing_ok=True)
        self._clear()
        self._make_folders()
        self.write_whole(self.path / _IDENTITY, [json.dumps(identity, indent=2).encode()])

    def _identity(self) -> dict[str, Any] | None:
        try:
            return read_object(self.path / _IDENTITY, "the identity of unfinished work")
        except (FileNotFoundError, InputError):
            return None

    def _refuse_foreign_files(self) -> None:
        names = {entry.name for entry in self.path.iterdir()} - self._own - set(self._before)
        # Another process may be writing a file just now, or may have been killed while it did.
        if foreign := {name for name in names if not ((own := _UNFINISHED.fullmatch(name)) and own[1] in self._own)}:
            raise InputError(
                f"{self.path}: holds {min(foreign)}, expected nothing but unfinished blocks; move the folder away"
            )

    def _make_folders(self) -> None:
        for name in self._folders:
            (self.path / name).mkdir(exist_ok=True)

    def _clear(self) -> None:
        """Remove everything but the locks that are held and the identity."""
        for name in (*self._folders, *self._before):
            if (self.path / name).is_dir():
                shutil.rmtree(self.path / name)
            else:
                (self.path / name).unlink(missing_ok=True)
        for name in self._files:
            (self.path / name).unlink(missing_ok=True)
        for path in self.path.glob(".*.tmp"):
            path.unlink(missing_ok=True)


def _differences(found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> list[str]:
    """Return which entries of two identities differ."""
    if found is None:
        return ["identity"]
    return [key for key in {**wanted, **found} if found.get(key) != wanted.get(key)]
