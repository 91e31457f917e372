import json
import logging

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.inference.slice_store import SliceStore

SHAPE = (3, 4)


def open_store(folder, task=None, dtype=np.uint8):
    return SliceStore(folder, task or {"input": 1}, slice_shape=SHAPE, dtype=np.dtype(dtype), num_labels=2)


def filled(value, dtype=np.uint8):
    return np.full(SHAPE, value, dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_slices_and_counts_come_back(tmp_path, dtype):
    with open_store(tmp_path / "p", dtype=dtype) as store:
        store.append(np.arange(12).reshape(SHAPE), np.array([5, 6]), 7)
        store.append(filled(9), np.array([10**12, 0]), 1)
    with open_store(tmp_path / "p", dtype=dtype) as store:
        assert store.done == 2
        assert store.read_slice(0).tolist() == np.arange(12).reshape(SHAPE).tolist()
        assert store.read_slice(1).dtype == dtype
        voxels, overlap = store.totals()
        assert voxels.tolist() == [5 + 10**12, 6]
        assert overlap == 8
        store.append(filled(1), np.array([0, 0]), 0)
        assert store.done == 3
        assert (store.read_slice(2) == 1).all()


@pytest.mark.parametrize("cut", [1, 20, 35])
def test_a_half_written_slice_is_cut_off(tmp_path, cut):
    with open_store(tmp_path / "p") as store:
        for value in (1, 2):
            store.append(filled(value), np.array([0, 0]), 0)
    file = tmp_path / "p" / "slices.bin"
    file.write_bytes(file.read_bytes()[:-cut])
    with open_store(tmp_path / "p") as store:
        assert store.done == 1
        store.append(filled(3), np.array([0, 0]), 0)
    with open_store(tmp_path / "p") as store:
        assert [store.read_slice(i)[0, 0] for i in range(store.done)] == [1, 3]


def test_another_task_starts_anew_and_says_what_changed(tmp_path, caplog):
    with open_store(tmp_path / "p", {"input": 1, "options": "a"}) as store:
        store.append(filled(1), np.array([0, 0]), 0)
    with caplog.at_level(logging.WARNING), open_store(tmp_path / "p", {"input": 1, "options": "b"}) as store:
        assert store.done == 0
    assert "another options; starting anew" in caplog.text


def test_a_spoilt_task_starts_anew(tmp_path):
    with open_store(tmp_path / "p") as store:
        store.append(filled(1), np.array([0, 0]), 0)
    (tmp_path / "p" / "task.json").write_text('{"input"')
    with open_store(tmp_path / "p") as store:
        assert store.done == 0
    assert json.loads((tmp_path / "p" / "task.json").read_text()) == {"input": 1}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds thesis\.tex, expected nothing but unfinished slices"):
        open_store(tmp_path / "p")
    assert (tmp_path / "p" / "thesis.tex").read_text() == "years of work"
    (tmp_path / "q").write_text("a file")
    with pytest.raises(InputError, match=r"is a file, expected a place for unfinished slices"):
        open_store(tmp_path / "q")


def test_a_full_disk_is_one_line_that_says_how_to_go_on(tmp_path):
    class Full:
        def write(self, _):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    with open_store(tmp_path / "p") as store:
        store.append(filled(1), np.array([0, 0]), 0)
        store._file.close()
        store._file = Full()
        with pytest.raises(InputError, match=r"the disk is full after 1 slices; free some room and give the same"):
            store.append(filled(2), np.array([0, 0]), 0)
        assert store.done == 1


def test_slices_of_another_shape_are_refused(tmp_path):
    with open_store(tmp_path / "p") as store:
        with pytest.raises(ValueError, match=r"`slice` must have the shape \(3, 4\). Received: shape=\(4, 3\)"):
            store.append(np.zeros((4, 3)), np.array([0, 0]), 0)
        with pytest.raises(IndexError, match=r"one of 0 finished slices. Received: 0"):
            store.read_slice(0)


def test_removal_leaves_nothing(tmp_path):
    with open_store(tmp_path / "p") as store:
        store.append(filled(1), np.array([0, 0]), 0)
        store.remove()
    assert list(tmp_path.iterdir()) == []
