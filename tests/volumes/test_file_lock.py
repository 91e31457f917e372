import errno
import threading

import pytest

from segkit.volumes import file_lock
from segkit.volumes.file_lock import FileLock


def test_an_exclusive_lock_excludes_and_shared_ones_do_not(tmp_path):
    first, second, third = (FileLock(tmp_path / "lock") for _ in range(3))
    assert first.acquire(shared=True)
    assert second.acquire(shared=True, wait=False)
    assert not third.acquire(wait=False)
    assert not third.held
    second.release()
    assert first.acquire(wait=False)  # made exclusive
    assert not second.acquire(shared=True, wait=False)
    assert first.is_real


def test_a_lock_whose_file_was_removed_by_its_holder_is_taken_on_a_new_file(tmp_path):
    holder, waiting = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    holder.acquire()
    thread = threading.Thread(target=waiting.acquire)
    thread.start()
    holder.release(remove=True)
    thread.join(10)
    assert waiting.held
    assert not FileLock(tmp_path / "lock").acquire(wait=False)  # the one who comes next opens the same file
    waiting.release()


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "none" / "lock").acquire()


def test_where_there_are_no_locks_the_file_is_removed_after_it_was_closed(tmp_path, monkeypatch):
    """Windows removes no file that is open."""
    monkeypatch.setattr(file_lock, "fcntl", None)
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    unlink = type(tmp_path).unlink

    def unlink_closed(path, **ask):
        if lock.held:
            raise PermissionError(13, "The process cannot access the file")
        unlink(path, **ask)

    monkeypatch.setattr(type(tmp_path), "unlink", unlink_closed)
    lock.release(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks_all_are_granted(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock.fcntl, "flock", refuse)
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert second.acquire()
    assert not second.is_real
    for lock in (first, second):
        lock.release()
