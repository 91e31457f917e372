import pytest

from segkit.errors import InputError
from segkit.experiments.folder import claim_folder, remove_run
from segkit.experiments.lock import LOCK_NAME, check_free, only_process_in

pytest.importorskip("fcntl")


def test_a_folder_is_one_processs_at_a_time(tmp_path):
    folder = tmp_path / "run"
    check_free(folder)
    assert not folder.exists()
    with only_process_in(folder):
        for ask in ({"resume": False, "overwrite": True}, {"resume": False, "overwrite": False}):
            with pytest.raises(InputError, match="run: another process is training in this folder; wait for it"):
                claim_folder(folder, **ask)
        with pytest.raises(InputError, match="another process is training"), only_process_in(folder):
            pass
    claim_folder(folder, resume=False, overwrite=False)
    with only_process_in(folder):
        pass
    remove_run(folder)
    assert not (folder / LOCK_NAME).exists()


def test_the_lock_of_a_run_outlives_what_is_removed(tmp_path):
    """A lock on a deleted file would exclude nobody who opens the file that takes its name."""
    with only_process_in(tmp_path):
        remove_run(tmp_path)
        assert (tmp_path / LOCK_NAME).exists()
        with pytest.raises(InputError, match="another process is training"), only_process_in(tmp_path):
            pass
        assert (tmp_path / LOCK_NAME).exists()
    assert not (tmp_path / LOCK_NAME).exists()
