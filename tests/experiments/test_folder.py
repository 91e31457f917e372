"""Whose run folder it is, and what is removed from it."""

import pytest

from segkit.errors import InputError
from segkit.experiments.folder import claim_folder, has_begun, is_foreign, nothing_left_of, remove_run
from segkit.experiments.lock import only_process_in


@pytest.mark.parametrize("trace", ["state", "model.keras", "cells", "search"])
def test_a_run_that_has_begun_is_not_replaced_unasked(trace, tmp_path):
    assert not has_begun(tmp_path)
    claim_folder(tmp_path, resume=False, overwrite=False)
    (tmp_path / trace).mkdir()
    assert has_begun(tmp_path)
    with pytest.raises(InputError, match=r"already holds a run; resume it with --resume.*in Python resume=True"):
        claim_folder(tmp_path, resume=False, overwrite=False)
    claim_folder(tmp_path, resume=False, overwrite=True)
    with pytest.raises(InputError, match="no run to resume here"):
        claim_folder(tmp_path, resume=True, overwrite=False)


def test_a_plan_that_waits_is_kept_where_that_is_asked_for(tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    claim_folder(tmp_path, resume=False, overwrite=False)
    with pytest.raises(InputError, match=r"holds a plan; start it with --resume.*in Python overwrite=True"):
        claim_folder(tmp_path, resume=False, overwrite=False, keeps_plan=True)
    claim_folder(tmp_path, resume=True, overwrite=False, keeps_plan=True)


def test_a_users_files_stay(tmp_path):
    for name in ("state", "01_RES", "cells", "notes"):
        (tmp_path / name).mkdir()
    for name in ("model.keras", "scores.json", "ablation.md", "mode.json", "export.json", "mine.txt", "plan.json"):
        (tmp_path / name).write_text("")
    remove_run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "notes", "plan.json"]


def test_a_folder_of_other_files_is_no_run_folder(tmp_path):
    (tmp_path / "notes.md").write_text("mine")
    for name in ("cells", "search", "01_RES", "phantoms"):
        (tmp_path / name).mkdir()
    (tmp_path / "report.html").write_text("mine")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert is_foreign(tmp_path)
    for name in ("cells", "search"):  # as a run that has begun would leave it
        (tmp_path / name).rmdir()
    with pytest.raises(InputError, match=r"holds other files and no run; choose another --out, or give --overwrite"):
        claim_folder(tmp_path, resume=False, overwrite=False)
    for name in ("cells", "search"):
        (tmp_path / name).mkdir()
    claim_folder(tmp_path, resume=False, overwrite=True)
    remove_run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["plan.json", "mode.json", "cross_validation.json", "state", "model.keras"])
def test_other_files_beside_a_run_do_not_make_it_less_of_one(name, tmp_path):
    (tmp_path / "notes.md").write_text("mine")
    (tmp_path / name).write_text('{"folds": 3}')
    assert not is_foreign(tmp_path)


@pytest.mark.parametrize("name", ["", ".DS_Store", "phantoms", "simulated", "annotated", "tensorboard", "log.csv"])
def test_what_was_left_before_a_plan_was_written_is_nobody_elses(name, tmp_path):
    (tmp_path / name).mkdir(exist_ok=True)
    with only_process_in(tmp_path):  # whose lock is a file in it, too
        assert not is_foreign(tmp_path)
    claim_folder(tmp_path, resume=False, overwrite=False)
    assert not is_foreign(tmp_path / "nowhere")


@pytest.mark.parametrize("was_there", [True, False])
def test_only_a_folder_of_its_own_is_taken_back(was_there, tmp_path):
    folder = tmp_path / "run"
    if was_there:
        folder.mkdir()
    with pytest.raises(InputError), nothing_left_of(folder):
        (folder / "simulated").mkdir(parents=True)
        raise InputError("wrong")
    assert folder.exists() == was_there
