import json
import logging

import pytest

from segkit.errors import InputError
from segkit.volumes.shared_folder import SharedFolder


@pytest.fixture
def path(tmp_path):
    return tmp_path / "work"


def folder(path):
    return SharedFolder(path, folders=("parts",), files=("made.json",), before=("old.json",))


def enter(path, identity, seen=None):
    """Enter with an identity; ``seen`` gets what was found, and how it was checked."""
    seen = [] if seen is None else seen
    entered = folder(path)
    entered.enter(lambda found: seen.append(found) or identity, seen.append)
    return entered


def test_who_comes_first_makes_the_folder_and_the_last_removes_it(path):
    first = enter(path, {"what": "a"})
    assert (path / "parts").is_dir()
    assert json.loads((path / "identity.json").read_text()) == {"what": "a"}
    second = enter(path, {"what": "a"})
    first.leave(lambda is_alone: True)
    assert path.exists()
    second.leave(lambda is_alone: True)
    assert not path.exists()


def test_unfinished_work_stays_and_is_checked_by_who_goes_on(path):
    enter(path, {"what": "a"}).leave(lambda is_alone: False)
    (path / "parts" / "1").write_text("kept")
    seen = []
    entered = enter(path, {"what": "a"}, seen)
    assert seen == [{"what": "a"}, True]
    assert (path / "parts" / "1").read_text() == "kept"
    joined = []
    enter(path, {"what": "a"}, joined).leave(lambda is_alone: True)
    assert joined == [{"what": "a"}], "others are inside and have checked it"
    entered.leave(lambda is_alone: True)


def test_another_identity_is_refused_while_somebody_is_inside_and_begins_anew_afterwards(path, caplog):
    first = enter(path, {"what": "a", "size": 1})
    (path / "parts" / "1").write_text("of a")
    with pytest.raises(InputError, match=r"another process is computing something else here \(different what\)"):
        enter(path, {"what": "b", "size": 1})
    first.leave(lambda is_alone: False)
    with caplog.at_level(logging.WARNING, logger="segkit"):
        enter(path, {"what": "b", "size": 1})
    assert "holds unfinished work with different what; starting over" in caplog.text
    assert list((path / "parts").iterdir()) == []


def test_what_is_not_ours_is_left_alone(path):
    path.mkdir()
    (path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds thesis\.txt, expected nothing but unfinished blocks"):
        enter(path, {})
    assert [entry.name for entry in path.iterdir()] == ["thesis.txt"]


def test_files_of_an_older_version_are_replaced(path, caplog):
    path.mkdir()
    (path / "old.json").write_text("{}")
    with caplog.at_level(logging.WARNING, logger="segkit"):
        enter(path, {})
    assert "of an older version; starting over" in caplog.text
    assert not (path / "old.json").exists()


def test_a_file_is_whole_or_absent(path):
    entered = enter(path, {})
    entered.write_whole(path / "made.json", [b"1", b"2"])
    assert (path / "made.json").read_bytes() == b"12"
    with pytest.raises(TypeError):
        entered.write_whole(path / "made.json", [b"3", "no bytes"])
    assert (path / "made.json").read_bytes() == b"12"
    assert not list(path.glob(".*.tmp"))
