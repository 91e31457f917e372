"""Outputs appear whole or not at all."""

import errno
import os

import pytest

from segkit.errors import InputError
from segkit.volumes.whole_output import check_output, whole_file, whole_folder


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_file_appears_when_it_is_done(tmp_path):
    target = tmp_path / "out.mrc"
    with whole_file(target) as partial:
        partial.write_bytes(b"half")
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert names(tmp_path) == ["out.mrc"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_of_a_failure(tmp_path, error):
    (tmp_path / "out.mrc").write_bytes(b"old")
    with pytest.raises(error, match="stop"), whole_file(tmp_path / "out.mrc", overwrite=True) as partial:
        partial.write_bytes(b"half")
        raise error("stop")
    with pytest.raises(error, match="stop"), whole_folder(tmp_path / "slices", suffixes=(".png",)) as partial:
        (partial / "1.png").write_bytes(b"half")
        raise error("stop")
    assert names(tmp_path) == ["out.mrc"]
    assert (tmp_path / "out.mrc").read_bytes() == b"old"


def test_files_are_readable_as_the_user_set_it(tmp_path):
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "out"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


def test_existing_output(tmp_path):
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(InputError, match=r"out: already exists; choose another output or .*--overwrite"):
        check_output(tmp_path / "out")
    with whole_file(tmp_path / "out", overwrite=True) as partial:
        partial.write_bytes(b"new")
    assert (tmp_path / "out").read_bytes() == b"new"


def test_link_is_followed(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with whole_file(tmp_path / "link", overwrite=True) as partial:
        partial.write_bytes(b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"


def test_folder_replaces_folder(tmp_path):
    (tmp_path / "slices").mkdir()
    (tmp_path / "slices" / "1.png").write_bytes(b"old")
    with whole_folder(tmp_path / "slices", suffixes=(".png",), overwrite=True) as partial:
        (partial / "2.png").write_bytes(b"new")
    assert names(tmp_path) == ["slices"] and names(tmp_path / "slices") == ["2.png"]


def test_folder_and_file_do_not_replace_each_other(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match="is a folder, expected a file"),
        whole_file(tmp_path / "folder", overwrite=True),
    ):
        pass
    with (
        pytest.raises(InputError, match="is a file, expected a folder"),
        whole_folder(tmp_path / "file", suffixes=(".png",), overwrite=True),
    ):
        pass


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"there is no folder .*missing; create it"):
        check_output(tmp_path / "missing" / "out")


def test_folder_that_is_not_writable(tmp_path, monkeypatch):
    # A superuser may write everywhere: ask as somebody else.
    monkeypatch.setattr("segkit.volumes.whole_output.os.access", lambda path, mode: False)
    with pytest.raises(InputError, match="is not writable; choose another output"):
        check_output(tmp_path / "out")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_writing_is_refused(tmp_path, number):
    with pytest.raises(InputError, match=r"out: cannot be written \("), whole_file(tmp_path / "out"):
        raise OSError(number, os.strerror(number))


def test_too_little_room_is_found_before_writing(tmp_path):
    with pytest.raises(InputError, match=r"the disk is full: [\d,]+ bytes free, 1,000,000,000,000,000,000 bytes"):
        check_output(tmp_path / "out", expected_bytes=10**18)


FULL = (OSError(errno.ENOSPC, "No space left on device"), OSError("1048576 requested and 1048240 written"))


@pytest.mark.parametrize("fault", FULL, ids=["system", "numpy"])
@pytest.mark.parametrize("expected_bytes", [0, 100])
def test_disk_that_runs_full(tmp_path, expected_bytes, fault):
    need = "100 bytes needed" if expected_bytes else "more needed"
    with (
        pytest.raises(InputError, match=rf"out: the disk is full: [\d,]+ bytes free, {need}; free some space"),
        whole_file(tmp_path / "out", expected_bytes=expected_bytes) as partial,
    ):
        partial.write_bytes(b"half")
        raise fault
    assert names(tmp_path) == []


def test_other_faults_are_not_dressed_up(tmp_path):
    with pytest.raises(OSError, match="strange"), whole_file(tmp_path / "out"):
        raise OSError(errno.EIO, "strange")
