import pytest

from segkit.errors import InputError
from segkit.inference import memory
from segkit.inference.memory import free_bytes, resident_bytes, tile_budget_px

MIB = 2**20


@pytest.fixture
def idle(monkeypatch):
    memory.held_bytes.cache_clear()
    monkeypatch.setattr(memory, "resident_bytes", lambda: 500 * MIB)
    monkeypatch.setattr(memory, "free_bytes", lambda: 4096 * MIB)
    yield
    memory.held_bytes.cache_clear()


def test_the_bound_holds_what_is_resident_the_slice_and_the_network(idle):
    """2000 MiB less 512 (500 in steps of 64), 192 for the runtime, 96 for slices: 1200 MiB at 2.2 x 100 +
    12."""
    budget = tile_budget_px(2000 * MIB, live_bytes_per_px=100, slice_bytes=96 * MIB, smallest_px=1)
    assert budget == 1200 * MIB // 232


def test_memory_that_a_first_prediction_took_serves_the_next(idle, monkeypatch):
    ask = {"live_bytes_per_px": 100, "slice_bytes": 0, "smallest_px": 1}
    first = tile_budget_px(2000 * MIB, **ask)
    monkeypatch.setattr(memory, "resident_bytes", lambda: 2000 * MIB)
    assert tile_budget_px(2000 * MIB, **ask) == first
    assert tile_budget_px(2000 * MIB, num_models=3, **ask) == first - 2 * 96 * MIB // 232


def test_half_of_what_is_free_is_the_default(idle):
    explicit = tile_budget_px((512 + 2048) * MIB, live_bytes_per_px=100, slice_bytes=0, smallest_px=1)
    assert tile_budget_px(None, live_bytes_per_px=100, slice_bytes=0, smallest_px=1) == explicit


def test_a_network_of_unknown_cost_is_taken_for_a_large_one(idle):
    known = tile_budget_px(2000 * MIB, live_bytes_per_px=500, slice_bytes=0, smallest_px=1)
    assert tile_budget_px(2000 * MIB, live_bytes_per_px=None, slice_bytes=0, smallest_px=1) < known


def test_a_bound_that_is_too_small_names_what_would_do(idle):
    with pytest.raises(InputError, match=r"bound of 0\.59 GiB: the smallest tile needs 0\.\d\d GiB .*--max-ram"):
        tile_budget_px(600 * MIB, live_bytes_per_px=100, slice_bytes=0, smallest_px=10_000)


def test_the_systems_own_figures_are_plausible():
    before = resident_bytes()
    block = bytearray(64 * MIB)
    assert 40 * MIB < resident_bytes() - before < 100 * MIB
    assert len(block) == 64 * MIB
    assert free_bytes() > 0
