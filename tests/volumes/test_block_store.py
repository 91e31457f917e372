import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.geometry.block_grid import BlockGrid
from segkit.volumes import shared_folder
from segkit.volumes.block_store import BlockStore

GRID = BlockGrid((5, 7), (2, 4), (1, 1))
COUNTS = {"voxels": (2,), "overlap": ()}


def open_store(folder, identity=None, dtype=np.uint8, **changes):
    return BlockStore(folder, identity or {"input": 1}, grid=GRID, dtype=dtype, **{"counts": COUNTS, **changes})


def filled(position, value):
    return np.full([part.stop - part.start for part in GRID.core(position)], value)


def test_blocks_of_an_earlier_run_are_told_from_those_of_this_one(tmp_path):
    with open_store(tmp_path / "p") as store:
        first, second = list(np.ndindex(*GRID.counts))[:2]
        for position in (first, second):
            assert store.claim(position)
            store.write(position, filled(position, 1))
        began = time.time()
        for position, written in ((first, began - 5), (second, began + 5)):
            os.utime(store._path(position), (written, written))
        assert store.finished_before(began) == {first}
        assert store.finished() == {first, second}


def write_all(store, whole):
    for core in GRID.cores():
        store.write([part.start // size for part, size in zip(core, GRID.block_shape, strict=True)], whole[core])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, ">i2", bool])
def test_blocks_and_counts_come_back(tmp_path, dtype):
    with open_store(tmp_path / "p", dtype=dtype) as store:
        assert store.was_empty
        store.write((0, 1), np.arange(6).reshape(2, 3), {"voxels": [5, 6], "overlap": 7})
        store.write((2, 0), filled((2, 0), 9), {"voxels": np.array([10**12, 0])})
    with open_store(tmp_path / "p", dtype=dtype) as store:
        assert not store.was_empty
        assert store.finished() == {(0, 1), (2, 0)}
        found = store.read_block((0, 1))
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.arange(6).reshape(2, 3).astype(dtype))
        totals = store.totals()
        assert totals["voxels"].tolist() == [5 + 10**12, 6]
        assert totals["overlap"] == 7
        with pytest.raises(KeyError):
            store.read_block((1, 1))


@pytest.mark.parametrize("channels", [(), (2,)])
def test_any_box_is_that_of_the_whole_array_and_missing_blocks_are_zero(tmp_path, channels):
    whole = np.random.default_rng(0).random((5, 7, *channels)).astype(np.float32)
    with open_store(tmp_path / "p", dtype=np.float32, channels=channels, counts=None) as store:
        write_all(store, whole)
        for y, x in np.ndindex(5, 7):
            box = (slice(y, 5), slice(x // 2, x + 1))
            np.testing.assert_array_equal(store.read(box), whole[box])
        for y in range(5):
            np.testing.assert_array_equal(store.read_slice(y), whole[y])
        with pytest.raises(IndexError, match=r"from 0 to below 5\. Received: 5"):
            store.read_slice(5)
        (tmp_path / "p" / "blocks" / "1.0.npy").unlink()
        whole[2:4, :4] = 0
        np.testing.assert_array_equal(store.read((slice(0, 5), slice(0, 7))), whole)


def test_a_block_is_a_numpy_file(tmp_path):
    with open_store(tmp_path / "p") as store:
        store.write((0, 0), filled((0, 0), 3))
        np.testing.assert_array_equal(np.load(tmp_path / "p" / "blocks" / "0.0.npy"), filled((0, 0), 3))


@pytest.mark.parametrize("damage", ["cut", "empty", "bit", "counts"])
def test_a_torn_block_is_computed_again(tmp_path, caplog, damage):
    """As a power cut may leave it: the name is there, the bytes are not."""
    with open_store(tmp_path / "p") as store:
        store.write((0, 0), filled((0, 0), 1), {"overlap": 3})
        store.write((1, 0), filled((1, 0), 2))
    file = tmp_path / "p" / "blocks" / "0.0.npy"
    spoilt = bytearray(file.read_bytes())
    if damage == "bit":
        spoilt[130] ^= 1
    elif damage == "counts":
        spoilt[spoilt.index(b'"overlap": 3') + 11] = ord("4")
    file.write_bytes({"cut": spoilt[:-1], "empty": b""}.get(damage, spoilt))
    with open_store(tmp_path / "p") as store:
        assert store.finished() == {(1, 0)}
        assert store.claim((0, 0))
    assert "block 0.0 is damaged; computing it again" in caplog.text


def test_another_identity_starts_over_and_says_what_changed(tmp_path, caplog):
    with open_store(tmp_path / "p", {"input": 1, "options": "a"}) as store:
        store.write((0, 0), filled((0, 0), 1))
    with open_store(tmp_path / "p", {"input": 1, "options": "b"}) as store:
        assert store.was_empty
        store.write((0, 0), filled((0, 0), 1))
    assert "different options; starting over" in caplog.text
    with open_store(tmp_path / "p", {"input": 1, "options": "b"}, dtype=np.float32) as store:
        assert store.was_empty
    assert "different blocks; starting over" in caplog.text


def test_whoever_opens_first_decides_how_the_array_is_cut(tmp_path):
    asked = []

    def grid(begun):
        asked.append(begun)
        return BlockGrid((5, 7), begun or (3, 3), (1, 1))

    with BlockStore(tmp_path / "p", {"input": 1}, grid=grid, dtype=int) as first:
        assert first.shape == (5, 7)
        first.write((1, 2), np.ones((2, 1)))
        with BlockStore(tmp_path / "p", {"input": 1}, grid=grid, dtype=int) as second:
            assert second.grid.block_shape == (3, 3)
    with BlockStore(tmp_path / "p", {"input": 1}, grid=grid, dtype=int) as store:
        assert store.finished() == {(1, 2)}
        with pickle.loads(pickle.dumps(store)) as other:
            assert other.grid.block_shape == (3, 3)
    with BlockStore(tmp_path / "p", {"input": 2}, grid=grid, dtype=int) as store:
        assert store.was_empty
    assert asked == [None, (3, 3), (3, 3), None]


def test_a_spoilt_identity_starts_over(tmp_path):
    with open_store(tmp_path / "p") as store:
        store.write((0, 0), filled((0, 0), 1))
    (tmp_path / "p" / "identity.json").write_text('{"input"')
    with open_store(tmp_path / "p") as store:
        assert store.was_empty
        assert json.loads((tmp_path / "p" / "identity.json").read_text())["input"] == 1


def test_slices_that_the_version_before_left_are_thrown_away(tmp_path, caplog):
    (tmp_path / "p" / "objects").mkdir(parents=True)
    for name in ("task.json", "slices.bin", "objects/labels.npy"):
        (tmp_path / "p" / name).write_text("{}")
    with open_store(tmp_path / "p") as store:
        assert store.was_empty
        store.write((0, 0), filled((0, 0), 1))
    assert "unfinished work of an older version; starting over" in caplog.text
    assert not {"task.json", "slices.bin", "objects"} & {path.name for path in (tmp_path / "p").iterdir()}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds thesis\.tex, expected nothing but unfinished blocks"):
        open_store(tmp_path / "p")
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["thesis.tex"]
    (tmp_path / "q").write_text("a file")
    with pytest.raises(InputError, match=r"is a file, expected a folder for unfinished blocks"):
        open_store(tmp_path / "q")


def test_a_file_that_is_being_written_is_not_foreign(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / ".identity.json.0a1b2c3d.tmp").write_text("{")
    with open_store(tmp_path / "p") as store:
        assert store.was_empty
        assert not list((tmp_path / "p").glob(".*.tmp"))
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / ".thesis.0a1b2c3d.tmp").write_text("years of work")
    with pytest.raises(InputError, match="expected nothing but unfinished blocks"):
        open_store(tmp_path / "q")
    assert [path.name for path in (tmp_path / "q").iterdir()] == [".thesis.0a1b2c3d.tmp"]


def test_stores_may_be_opened_and_left_at_the_same_time(tmp_path):
    """Each of several processes makes the folder, writes its identity or removes it while the others look at it."""
    code = """
        import sys, time
        from segkit.geometry.block_grid import BlockGrid
        from segkit.volumes.block_store import BlockStore

        print("ready", flush=True)
        start = float(sys.stdin.readline())
        for number in range(200):
            while time.time() < start + 0.003 * number:
                pass
            BlockStore(f"{sys.argv[1]}/{number}", {}, grid=BlockGrid((5,), (2,), (0,)), dtype=int).close()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in running:
        process.stdout.readline()
    start = time.time() + 0.2
    told = []
    for process in running:
        process.stdin.write(f"{start}\n")
        process.stdin.flush()
    for process in running:
        told.append(process.communicate(timeout=60)[1])
    assert told == [""] * 3
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_that_says_how_to_resume(tmp_path, monkeypatch):
    def half(path, parts):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with open_store(tmp_path / "p") as store:
        store.write((0, 0), filled((0, 0), 1))
        monkeypatch.setattr(shared_folder, "write_parts", half)
        with pytest.raises(InputError, match=r"the disk is full after 1 of 6 blocks; free some space and run the same"):
            store.write((1, 0), filled((1, 0), 2))
        assert store.finished(refresh=True) == {(0, 0)}
        assert [path.name for path in (tmp_path / "p" / "blocks").iterdir()] == ["0.0.npy"]


def test_blocks_of_another_shape_and_unknown_counts_are_refused(tmp_path):
    with open_store(tmp_path / "p") as store:
        with pytest.raises(ValueError, match=r"block \(0, 1\) must have the shape \(2, 3\). Received: shape=\(3, 2\)"):
            store.write((0, 1), np.zeros((3, 2)))
        with pytest.raises(ValueError, match=r"`counts\['voxels'\]` must have the shape \(2,\)"):
            store.write((0, 1), np.zeros((2, 3)), {"voxels": [1, 2, 3]})
        with pytest.raises(ValueError, match="Received: \\['voxel'\\]"):
            store.write((0, 1), np.zeros((2, 3)), {"voxel": [1, 2]})


def test_a_finished_result_and_an_empty_store_leave_nothing(tmp_path):
    with open_store(tmp_path / "p") as store:
        assert list(store.work_folder.iterdir()) == []
        (store.work_folder / "scratch").write_text("")
        store.claim((0, 0))
    assert list(tmp_path.iterdir()) == []
    with open_store(tmp_path / "p") as store:
        store.write((0, 0), filled((0, 0), 1))
        assert store.finish(lambda: {"objects": 3}) == {"objects": 3}
    assert list(tmp_path.iterdir()) == []


def test_a_claim_keeps_others_away_until_it_is_written_or_given_back(tmp_path):
    with open_store(tmp_path / "p") as first, open_store(tmp_path / "p") as second:
        assert first.claim((0, 0))
        assert not second.claim((0, 0))
        assert second.claim((0, 1))
        first.release((0, 0))
        assert second.claim((0, 0))
        second.write((0, 0), filled((0, 0), 1))
        assert not first.claim((0, 0))
        assert first.finished() == {(0, 0)}
        assert second.claims == {(0, 1)}
    assert list((tmp_path / "p" / "claims").iterdir()) == []


def test_another_identity_is_refused_while_a_store_is_open(tmp_path):
    with open_store(tmp_path / "p", {"options": "a"}) as first:
        first.write((0, 0), filled((0, 0), 1))
        with pytest.raises(InputError, match=r"computing something else here \(different options\); wait for it, or"):
            open_store(tmp_path / "p", {"options": "b"})
        with open_store(tmp_path / "p", {"options": "a"}) as second:
            assert second.finished() == {(0, 0)}
    with open_store(tmp_path / "p", {"options": "b"}) as third:
        assert third.was_empty


def test_one_of_two_finishes_and_the_last_one_removes(tmp_path):
    with open_store(tmp_path / "p") as second:
        with open_store(tmp_path / "p") as first:
            first.write((0, 0), filled((0, 0), 1))
            assert first.finish(lambda: {"by": "first"}) == {"by": "first"}
        assert second.finish(lambda: pytest.fail("made twice")) == {"by": "first"}
        np.testing.assert_array_equal(second.read_block((0, 0)), filled((0, 0), 1))
    assert list(tmp_path.iterdir()) == []


def test_who_fails_to_finish_leaves_it_to_the_next(tmp_path):
    def fail():
        raise InputError("the disk is full")

    with open_store(tmp_path / "p") as store:
        store.write((0, 0), filled((0, 0), 1))
        with pytest.raises(InputError, match="the disk is full"):
            store.finish(fail)
    with open_store(tmp_path / "p") as store:
        assert store.finished() == {(0, 0)}
        assert store.finish(lambda: {"by": "second"}) == {"by": "second"}


def test_what_was_made_is_published_by_the_next_and_made_again_only_if_it_is_lost(tmp_path):
    made, published = [], []

    def finish(store, publish):
        return store.finish(lambda: made.append(1) or {"number": len(made)}, publish)

    def die(found):
        raise InputError("killed")

    with open_store(tmp_path / "p") as store:
        store.write((0, 0), filled((0, 0), 1))
        (store.work_folder / "result").write_text("prepared")
        with pytest.raises(InputError, match="killed"):
            finish(store, die)
    assert BlockStore.outcome_in(tmp_path / "p") == {"number": 1}
    with open_store(tmp_path / "p") as store:
        assert store.finished() == {(0, 0)}
        assert (store.work_folder / "result").read_text() == "prepared"
        assert finish(store, lambda found: not published.append(found)) == {"number": 1}
        assert finish(store, lambda found: not published.append(found)) == {"number": 1}
        assert finish(store, lambda found: found["number"] > 1) == {"number": 2}
    assert published == [{"number": 1}] * 2
    assert list(tmp_path.iterdir()) == []
    assert BlockStore.outcome_in(tmp_path / "p") is None


def test_without_locks_blocks_are_computed_twice_and_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.volumes.file_lock.fcntl", None)
    with open_store(tmp_path / "p") as first, open_store(tmp_path / "p") as second:
        assert first.claim((0, 0))
        assert second.claim((0, 0))
        for store in (first, second):
            store.write((0, 0), filled((0, 0), 1))
        assert first.finish(lambda: {}) == {}


def test_without_locks_nothing_of_another_process_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("segkit.volumes.file_lock.fcntl", None)
    with open_store(tmp_path / "p", {"options": "a"}) as first:
        with open_store(tmp_path / "p", {"options": "a"}):
            pass
        with pytest.raises(InputError, match=r"different options, and the file system has no locks .* delete the fold"):
            open_store(tmp_path / "p", {"options": "b"})
        assert first.claim((0, 0))
        first.write((0, 0), filled((0, 0), 1))
        np.testing.assert_array_equal(first.read_block((0, 0)), filled((0, 0), 1))
    with open_store(tmp_path / "p", {"options": "a"}) as later:
        assert later.finished() == {(0, 0)}
        later.finish(lambda: {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.finished(refresh=True),
        lambda store: store.claim((1, 0)),
        lambda store: store.write((1, 0), filled((1, 0), 1)),
        lambda store: store.read_slice(0),
        lambda store: store.read_block((0, 0)),
        lambda store: store.totals(),
        lambda store: store.finish(lambda: {}),
    ],
)
def test_a_folder_that_was_removed_is_one_clear_line(tmp_path, monkeypatch, use):
    """As the first of two does without locks when the result is finished."""
    monkeypatch.setattr("segkit.volumes.file_lock.fcntl", None)
    with open_store(tmp_path / "p") as second:
        with open_store(tmp_path / "p") as first:
            first.write((0, 0), filled((0, 0), 1))
            first.finish(lambda: {})
        with pytest.raises(InputError, match=r"p: was removed meanwhile, by another process .* or by hand"):
            use(second)
    assert list(tmp_path.iterdir()) == []


def test_a_pickled_store_opens_the_same_folder(tmp_path):
    with open_store(tmp_path / "p") as store, pickle.loads(pickle.dumps(store)) as other:
        store.write((0, 0), filled((0, 0), 1))
        assert other.finished(refresh=True) == {(0, 0)}


def test_killed_while_it_writes_leaves_whole_blocks_and_free_claims(tmp_path):
    """A process writes blocks of one value over and over; killed at any moment, what it left is whole."""
    code = """
        import itertools, sys
        import numpy as np
        from segkit.geometry.block_grid import BlockGrid
        from segkit.volumes.block_store import BlockStore

        grid = BlockGrid((64, 300, 300), (1, 300, 300), (0, 0, 0))
        store = BlockStore(sys.argv[1], {}, grid=grid, dtype=np.float32, counts={"sum": ()})
        for position in ((z, 0, 0) for z in range(64)):
            if store.claim(position):
                store.write(position, np.full((1, 300, 300), position[0], np.float32), {"sum": position[0]})
                print(position[0], flush=True)
        store.claim((63, 0, 0))
        import time; time.sleep(60)
    """
    grid = BlockGrid((64, 300, 300), (1, 300, 300), (0, 0, 0))
    written = set()
    for kill_after in (0, 3, 11):
        command = [sys.executable, "-c", textwrap.dedent(code), tmp_path / "p"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(kill_after + 1):
                written.add((int(process.stdout.readline()), 0, 0))
            os.kill(process.pid, signal.SIGKILL)
            written |= {(int(line), 0, 0) for line in process.stdout}
        with BlockStore(tmp_path / "p", {}, grid=grid, dtype=np.float32, counts={"sum": ()}) as store:
            # The one more was renamed, but not yet reported.
            assert written <= store.finished()
            assert len(store.finished() - written) <= 1
            written = store.finished()
            for z, _, _ in written:
                assert (store.read_slice(z) == z).all()
            assert store.totals()["sum"] == sum(z for z, _, _ in written)
            assert not list((tmp_path / "p" / "blocks").glob(".*"))
            assert all(map(store.claim, ((z, 0, 0) for z in range(64) if (z, 0, 0) not in written)))
