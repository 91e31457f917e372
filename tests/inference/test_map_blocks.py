import os
import pathlib
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import toy_engines
from toy_engines import HALO, EndSlowly, InPairs, Slow, StayUntilEnded, Threads, noise, smooth, smooth_core

from segkit.errors import InputError
from segkit.geometry.block_grid import BlockGrid
from segkit.inference.engines import Block, Deferred
from segkit.inference.executors import Processes
from segkit.inference.map_blocks import map_blocks
from segkit.volumes.block_store import BlockStore

GRID = BlockGrid((9, 20, 24), (4, 7, 24), (HALO, HALO, HALO))
COUNTS = {"voxels": (), "process": (1,)}


def open_store(folder, grid=GRID, **identity):
    return BlockStore(folder / "p", identity, grid=grid, dtype=np.float64, counts=COUNTS)


def whole_of(store):
    return store.read(tuple(slice(0, size) for size in store.grid.shape))


@pytest.fixture(scope="module")
def expected():
    return smooth(noise(), None)


@pytest.mark.parametrize("engine", [smooth, smooth_core])
@pytest.mark.parametrize("block_shape", [(4, 7, 24), (9, 20, 24), (1, 20, 24), (3, 3, 3)])
def test_blocks_with_their_halo_are_the_whole_volume(tmp_path, expected, engine, block_shape):
    grid = BlockGrid((9, 20, 24), block_shape, (HALO,) * 3)
    seen = []
    with open_store(tmp_path, grid) as store:
        map_blocks(engine, noise(), store, progress=lambda *at: seen.append(at))
        np.testing.assert_allclose(whole_of(store), expected, atol=1e-12)
        if engine is smooth_core:
            assert store.totals()["voxels"] == expected.size
    assert seen == [(done, len(grid)) for done in range(len(grid) + 1)]


@pytest.mark.parametrize("shape", [(9, 20, 25), (4, 20, 24), (9, 20)])
def test_a_volume_of_another_extent_is_refused_however_it_comes(tmp_path, shape):
    with open_store(tmp_path) as store:
        for volume in (np.zeros(shape), Deferred(np.zeros, shape)):
            with pytest.raises(ValueError, match=r"extent of the grid, \(9, 20, 24\). Received: shape="):
                map_blocks(smooth, volume, store)
        assert not store.finished()


def test_blocks_beyond_the_grid_are_refused(tmp_path):
    with open_store(tmp_path) as store, pytest.raises(ValueError, match=r"Received: \(0, 3, 0\)"):
        map_blocks(smooth, noise(), store, positions=[(0, 0, 0), (0, 3, 0)])


def test_fractions_are_not_cut_off(tmp_path):
    with BlockStore(tmp_path / "p", {}, grid=GRID, dtype=np.uint8) as store:
        with pytest.raises(ValueError, match=r"must hold values that uint8 can keep.*dtype=float64"):
            map_blocks(smooth, noise(), store)
        map_blocks(lambda voxels, block: voxels > 0, noise(), store)
        np.testing.assert_array_equal(whole_of(store), noise() > 0)


def test_numbers_do_not_overflow(tmp_path):
    for dtype, value in ((np.float16, 1e6), (np.int32, 2**40), (np.uint8, -1)):
        with BlockStore(tmp_path / np.dtype(dtype).name, {}, grid=GRID, dtype=dtype) as store:
            with pytest.raises(ValueError, match="must hold values that"):
                map_blocks(lambda voxels, block, value=value: np.full_like(voxels, value), noise(), store)
            map_blocks(lambda voxels, block: np.full(voxels.shape, 7), noise(), store)  # int64
            assert (whole_of(store) == 7).all()


def test_an_engine_may_work_in_place(tmp_path):
    def doubled(voxels, block):
        voxels *= 2
        return voxels

    volume = noise()
    with open_store(tmp_path) as store:
        map_blocks(doubled, volume, store)
        np.testing.assert_array_equal(whole_of(store), 2 * noise())
    np.testing.assert_array_equal(volume, noise())


def test_without_the_halo_they_are_not(tmp_path, expected):
    with open_store(tmp_path, BlockGrid((9, 20, 24), (4, 7, 24), (0, 0, 0))) as store:
        map_blocks(smooth, noise(), store)
        assert np.abs(whole_of(store) - expected).max() > 1e-3


def test_an_engine_is_told_core_and_box_and_given_the_boxs_voxels(tmp_path):
    seen = {}

    def engine(voxels, block):
        np.testing.assert_array_equal(voxels, noise()[block.box])
        seen[block.position] = block
        return voxels

    with open_store(tmp_path) as store:
        map_blocks(engine, noise(), store, positions=[(0, 1, 0), (2, 2, 0)])
        assert store.finished() == set(seen) == {(0, 1, 0), (2, 2, 0)}
        np.testing.assert_array_equal(store.read_block((0, 1, 0)), noise()[:4, 7:14])
    assert seen[0, 1, 0] == Block(
        (0, 1, 0), (slice(0, 4), slice(7, 14), slice(0, 24)), (slice(0, 9), slice(1, 20), slice(0, 24))
    )
    assert seen[0, 1, 0].inside == (slice(0, 4), slice(6, 13), slice(0, 24))


def test_a_stream_is_claimed_no_further_than_it_is_taken(tmp_path, expected):
    volume = noise()
    engine = InPairs(volume)
    with open_store(tmp_path) as store, open_store(tmp_path) as other:
        assert other.claim((0, 0, 0))
        other.write((0, 0, 0), expected[:4, :7])
        seen = []
        map_blocks(engine, None, store, progress=lambda *_: seen.append(len(store.claims)))
        np.testing.assert_allclose(whole_of(store), expected, atol=1e-12)
    assert max(seen) <= 1
    assert [len(group) for group in engine.groups] == [2] * 4


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (lambda voxels, block: voxels[1:], r"the extent of the block, \(4, 7, 24\), or with its halo, \(9, 13, 24\)"),
        (lambda voxels, block: voxels[0], "the engine's result must have the extent"),
    ],
)
def test_results_of_another_extent_are_refused(tmp_path, engine, message):
    with open_store(tmp_path) as store, pytest.raises(ValueError, match=message):
        map_blocks(engine, noise(), store)


def test_an_engine_that_swallows_a_block_is_refused(tmp_path):
    class Swallow:
        def iter_results(self, blocks):
            next(blocks)
            yield from ()

    with open_store(tmp_path) as store, pytest.raises(RuntimeError, match=r"took block \(0, 0, 0\) and gave no result"):
        map_blocks(Swallow(), None, store)


def test_what_an_engine_raises_comes_as_it_is_and_finished_blocks_stay(tmp_path, expected):
    with open_store(tmp_path) as store:
        with pytest.raises(InputError, match=r"^block is bad$"):
            map_blocks(Slow(fail_at=(1, 0, 0)), noise(), store)
        assert len(store.finished()) == 3
        assert store.claims == set()
    calls = []

    def counting(voxels, block):
        calls.append(block.position)
        return smooth(voxels, block)

    with open_store(tmp_path) as store:
        map_blocks(counting, noise(), store)
        np.testing.assert_allclose(whole_of(store), expected, atol=1e-12)
    assert len(calls) == 6


def test_nothing_left_to_compute_makes_no_engine(tmp_path):
    with open_store(tmp_path) as store:
        map_blocks(smooth, noise(), store)
        result = np.array(whole_of(store))
        map_blocks(Deferred(pytest.fail, "made"), noise(), store)
        map_blocks(Deferred(pytest.fail, "made"), noise(), store, executor=Processes(2))
        np.testing.assert_array_equal(whole_of(store), result)


def test_a_block_whose_process_gives_up_is_computed_by_the_one_that_waits(tmp_path, expected):
    with open_store(tmp_path) as store, open_store(tmp_path) as other:
        assert other.claim((0, 0, 0))
        timer = threading.Timer(0.3, other.release, [(0, 0, 0)])
        timer.start()
        map_blocks(smooth, noise(), store)
        timer.join()
        np.testing.assert_allclose(whole_of(store), expected, atol=1e-12)


def test_several_processes_share_the_blocks(tmp_path, expected):
    grid = BlockGrid((9, 20, 24), (3, 3, 8), (HALO,) * 3)
    seen = []
    with open_store(tmp_path, grid) as store:
        engine = Deferred(toy_engines.fresh_pid)
        map_blocks(engine, noise(), store, executor=Processes(2), progress=lambda *at: seen.append(at))
        makers = set(np.unique(whole_of(store)))
    assert 1 <= len(makers) <= 2  # one may be done before the other is up; each makes its engine once
    assert os.getpid() % 2**31 not in makers
    assert seen[0] == (0, 63)
    assert seen[-1] == (63, 63)
    assert seen == sorted(set(seen))
    with open_store(tmp_path, grid, what="filter") as store:
        map_blocks(smooth, Deferred(noise), store, executor=Processes(2))
        np.testing.assert_allclose(whole_of(store), expected, atol=1e-12)


def test_threads_are_limited_in_workers_alone(tmp_path):
    before = dict(os.environ)
    with open_store(tmp_path) as store:
        map_blocks(Threads(), noise(), store, executor=Processes(1, num_threads=3))
        assert (whole_of(store) == 3).all()
    assert dict(os.environ) == before


def test_an_error_in_a_worker_comes_as_itself(tmp_path):
    with open_store(tmp_path) as store:
        with pytest.raises(InputError, match=r"^bad line$") as fault:
            map_blocks(Slow(fail_at=(0, 0, 0), message="bad line"), noise(), store, executor=Processes(2))
        assert not hasattr(fault.value, "__notes__")
        with pytest.raises(RuntimeError, match=r"toy_engines\.Faulty: no good"):
            map_blocks(toy_engines.raise_faulty, noise(), store, executor=Processes(1))


def test_workers_that_are_ended_unwind_their_work(tmp_path):
    with pytest.raises(InputError, match=r"^block is bad$"):
        Processes(2).run(StayUntilEnded(tmp_path), print)
    assert {path.name for path in tmp_path.iterdir()} == {"begun", "left"}


def test_workers_are_all_asked_to_end_at_once(tmp_path):
    with pytest.raises(InputError, match=r"^block is bad$"):
        Processes(4).run(EndSlowly(tmp_path, 2.0), print)
    asked = [float(path.read_text()) for path in tmp_path.iterdir()]
    assert len(asked) == 3
    assert max(asked) - min(asked) < 2


def test_a_warning_of_several_workers_is_given_once_as_a_warning(tmp_path):
    with open_store(tmp_path) as store, pytest.warns(UserWarning, match="^the voxel size differs$") as found:
        map_blocks(toy_engines.warn, noise(), store, executor=Processes(2))
    assert [pathlib.Path(one.filename).name for one in found] == ["toy_engines.py"]


def test_a_worker_that_dies_is_one_clear_error_and_finished_blocks_stay(tmp_path, expected):
    with open_store(tmp_path) as store:
        with pytest.raises(InputError, match=r"a worker process was killed by signal 9 \(memory may") as fault:
            map_blocks(Slow(die_at=(2, 0, 0)), noise(), store, executor=Processes(1))
        assert "\n" not in str(fault.value)
        assert len(store.finished(refresh=True)) == 6
    with open_store(tmp_path) as store:
        assert len(store.finished()) == 6
        map_blocks(smooth, noise(), store)
        np.testing.assert_allclose(whole_of(store), expected, atol=1e-12)


def test_workers_are_positive_in_number():
    with pytest.raises(ValueError, match="Received: num_workers=0, num_threads=None"):
        Processes(0)


COMMAND = """
    import sys
    import numpy as np
    from toy_engines import HALO, Slow, noise
    from segkit.geometry.block_grid import BlockGrid
    from segkit.inference.executors import Processes
    from segkit.inference.map_blocks import map_blocks
    from segkit.volumes.block_store import BlockStore

    if __name__ == "__main__":
        grid = BlockGrid((9, 20, 24), (2, 5, 24), (HALO,) * 3)
        with BlockStore(sys.argv[1], {}, grid=grid, dtype=np.float64) as store:
            executor = Processes(int(sys.argv[2])) if int(sys.argv[2]) else None
            print("opened", flush=True)
            map_blocks(Slow(0.05), noise(), store, executor=executor)
            whole = store.read((slice(0, 9), slice(0, 20), slice(0, 24)))
            store.finish(lambda: np.save(sys.argv[3], whole) or {"by": sys.argv[4]})
"""


def start_command(folder, name, workers=0):
    (folder / "command.py").write_text(textwrap.dedent(COMMAND))
    command = [sys.executable, folder / "command.py", folder / "p", str(workers), folder / "out.npy", name]
    paths = os.pathsep.join([os.path.dirname(__file__), *filter(None, sys.path)])
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths})


def test_two_commands_share_a_volume_while_one_is_killed_again_and_again(tmp_path, expected):
    rng = np.random.default_rng(0)
    running = [start_command(tmp_path, "first"), start_command(tmp_path, "second")]
    for _ in range(4):
        victim = running.pop(rng.integers(2))
        with victim:
            victim.stdout.readline()
            time.sleep(rng.uniform(0, 0.3))
            victim.kill()
        running.append(start_command(tmp_path, "next"))
    for process in running:
        with process:
            assert process.wait() == 0
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-12)
    assert not (tmp_path / "p").exists()


def test_workers_end_with_the_process_that_started_them(tmp_path):
    with start_command(tmp_path, "killed", workers=2) as parent:
        blocks = tmp_path / "p" / "blocks"
        deadline = time.monotonic() + 60
        while not (blocks.exists() and any(blocks.glob("*.npy"))) and time.monotonic() < deadline:
            time.sleep(0.01)
        parent.kill()
    grid = BlockGrid((9, 20, 24), (2, 5, 24), (HALO,) * 3)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        # Another identity is refused as long as one of them is alive.
        try:
            with BlockStore(tmp_path / "p", {"what": "else"}, grid=grid, dtype=np.float64) as store:
                assert store.was_empty
                return
        except InputError:
            time.sleep(0.05)
    pytest.fail("a worker outlived its parent")


def test_processes_share_the_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)), raising=False)
    for executor, threads in (
        (Processes(2), "3"),
        (Processes(4), "1"),
        (Processes(8), "1"),
        (Processes(2, num_threads=5), "5"),
    ):
        limits = executor._limits()
        assert limits["OMP_NUM_THREADS"] == limits["TF_NUM_INTRAOP_THREADS"] == threads
