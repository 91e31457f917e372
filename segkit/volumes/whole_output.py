"""Outputs that are written atomically."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Iterator

from segkit.errors import InputError

_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
# What numpy says of a full disk, without an error number.
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def check_output(path: str | os.PathLike, *, overwrite: bool = False, expected_bytes: int = 0) -> pathlib.Path:
    """Check in advance whether an output can be written.

    Args:
        path: File or folder to be written.
        overwrite: Whether an existing one may be replaced.
        expected_bytes: Room it will need [byte]; 0 where that is not known.

    Returns:
        The path that will be written, links followed.

    Raises:
        InputError: If it exists and may not be replaced, its folder is missing or not writable, or the disk
            has not enough room.
    """
    # Links are followed: replacing a link by a file would leave what it leads to as it was.
    target = pathlib.Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise InputError(f"{path}: there is no folder {target.parent}; create it or choose another output")
    if os.path.lexists(target) and not overwrite:
        raise InputError(f"{path}: already exists; choose another output or allow replacing it (--overwrite)")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise InputError(f"{path}: the folder {target.parent} is not writable; choose another output")
    free = shutil.disk_usage(target.parent).free
    if free < expected_bytes:
        raise InputError(_no_room(path, free, expected_bytes))
    return target


@contextlib.contextmanager
def whole_file(path: str | os.PathLike, *, overwrite: bool = False, expected_bytes: int = 0) -> Iterator[pathlib.Path]:
    """Yield a temporary path next to ``path``; the file written there replaces it once the block succeeds.

    Args:
        path: File to be written.
        overwrite: Whether an existing one may be replaced.
        expected_bytes: Room it will need [byte]; 0 where that is not known.

    Yields:
        Path of an empty file to write to. It is removed if the block raises, Ctrl-C included.

    Raises:
        InputError: Under the conditions of ``check_output``, or if the disk runs full.
    """
    target = check_output(path, overwrite=overwrite, expected_bytes=expected_bytes)
    if target.is_dir():
        raise InputError(f"{path}: is a folder, expected a file to write; choose another output")
    partial = _partial_name(target)
    with _told_plainly(path, expected_bytes):
        try:
            # Next to the target: renaming is atomic within one file system only.
            partial.touch(exist_ok=False)
            yield partial
            # Before the rename: after a power cut the new name could lead to a file without its content.
            _force_to_disk(partial)
            _replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(
    path: str | os.PathLike, *, suffixes: tuple[str, ...], overwrite: bool = False, expected_bytes: int = 0
) -> Iterator[pathlib.Path]:
    """Yield a temporary folder next to ``path`` that replaces it once the block succeeds.

    Args:
        path: Folder to be written.
        suffixes: File names a folder to be replaced may hold. One with anything else in it is never replaced.
        overwrite: Whether an existing one may be replaced.
        expected_bytes: Room it will need [byte]; 0 where that is not known.

    Yields:
        Path of an empty folder to write to. It is removed if the block raises, Ctrl-C included.

    Raises:
        InputError: Under the conditions of ``check_output``, if the disk runs full, or if the folder to be
            replaced holds other files.
    """
    target = check_output(path, overwrite=overwrite, expected_bytes=expected_bytes)
    if target.exists():
        _check_replaceable(target, suffixes)
    partial = _partial_name(target)
    with _told_plainly(path, expected_bytes):
        try:
            partial.mkdir()
            yield partial
            for file in partial.iterdir():
                _force_to_disk(file)
            _replace(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def move_into_place(
    whole: pathlib.Path, path: str | os.PathLike, *, suffixes: tuple[str, ...] = (), overwrite: bool = False
) -> None:
    """Give a file or folder that is complete its name; it is the same file before and after.

    Args:
        whole: The file or folder, on the disk of ``path``.
        path: Where it is to be.
        suffixes: As ``whole_folder`` takes them.
        overwrite: Whether an existing one may be replaced.

    Raises:
        InputError: Under the conditions of ``whole_file`` or ``whole_folder``.
    """
    target = check_output(path, overwrite=overwrite)
    if whole.is_dir() and target.exists():
        _check_replaceable(target, suffixes)
    elif target.is_dir():
        raise InputError(f"{path}: is a folder, expected a file to write; choose another output")
    with _told_plainly(path, 0):
        _replace(whole, target)


def _replace(whole: pathlib.Path, target: pathlib.Path) -> None:
    if target.is_dir():  # a folder that holds files cannot be replaced in one step
        old = _partial_name(target)
        os.replace(target, old)
        try:
            os.replace(whole, target)
        except BaseException:
            os.replace(old, target)
            raise
        shutil.rmtree(old)
    else:
        os.replace(whole, target)


@contextlib.contextmanager
def _told_plainly(path: str | os.PathLike, expected_bytes: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # NumPy raises short writes without an error number.
        if error.errno in _FULL or (error.errno is None and _SHORT_WRITE.fullmatch(str(error))):
            free = shutil.disk_usage(pathlib.Path(os.path.realpath(path)).parent).free
            raise InputError(_no_room(path, free, expected_bytes)) from error
        if error.errno in _REFUSED:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another output") from error
        raise


def _no_room(path: str | os.PathLike, free: int, needed: int) -> str:
    need = f"{needed:,} bytes needed" if needed else "more needed"
    return f"{path}: the disk is full: {free:,} bytes free, {need}; free some space or choose another disk"


def _partial_name(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")


def _force_to_disk(path: pathlib.Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _check_replaceable(folder: pathlib.Path, suffixes: tuple[str, ...]) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file, expected a folder of slices to replace; choose another output")
    for entry in folder.iterdir():
        if not entry.name.lower().endswith(suffixes):
            raise InputError(f"{folder}: holds {entry.name}, which is no slice, and is not replaced; empty it first")
