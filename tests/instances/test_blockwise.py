"""Objects block by block against objects of the whole volume."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from partition import is_same_partition
from scipy import ndimage

from segkit.data.cell_simulation import CellSimulation
from segkit.data.simulated_cells import simulate_cells
from segkit.instances.blockwise import segment_blockwise
from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.segment_instances import segment_instances

BLOCKS = (5, 24, 20)


@pytest.fixture(scope="module")
def cells():
    """Probability of pressed cells with holes, and a heatmap of their centres."""
    simulation = CellSimulation(shape=(14, 70, 80), count=14, voxel_size_um=(2.0, 0.8, 0.8), spacing=0.8)
    _, labels = simulate_cells(simulation, 3)
    probability = (labels > 0).astype(np.float32)
    rng = np.random.default_rng(0)
    for z, y, x in rng.integers([1, 5, 5], [13, 65, 75], (40, 3)):
        probability[z, y : y + 2, x : x + 2] = 0
    heat = ndimage.gaussian_filter(rng.random(labels.shape), (1, 3, 3)).astype(np.float32)
    return probability, (heat - heat.min()) / np.ptp(heat)


def found_in_blocks(cells, chosen, folder, block_shape=BLOCKS, halo=(6, 26, 26)):
    probability, heat = cells
    return segment_blockwise(
        probability,
        chosen,
        folder,
        block_shape=block_shape,
        halo=halo,
        voxel_size=(2.5, 1, 1),
        heatmap=heat if chosen.method == "centers" else None,
    )


def found_whole(cells, chosen):
    return segment_instances(cells[0], chosen, voxel_size=(2.5, 1, 1), heatmap=cells[1])


@pytest.mark.parametrize("slice_wise", [False, True])
@pytest.mark.parametrize("method", ["components", "distance", "centers"])
def test_the_partition_is_that_of_the_whole_volume(cells, method, slice_wise, tmp_path):
    chosen = InstanceSettings(method=method, slice_wise=slice_wise, min_size=30, smoothing=1.5, seed_distance=4)
    whole, blocks = found_whole(cells, chosen), found_in_blocks(cells, chosen, tmp_path)
    assert whole.max() == blocks.max() > (1 if method == "components" else 8)
    assert blocks.dtype == whole.dtype
    assert is_same_partition(whole, blocks)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.npy"]


@pytest.mark.parametrize("min_depth", [0.0, 0.3])
@pytest.mark.parametrize("seed_distance", [1.0, 4.0])
def test_seeds_that_tie_are_one_in_blocks_as_in_the_whole(cells, seed_distance, min_depth, tmp_path):
    """Distances that are not smoothed are alike in many voxels."""
    chosen = InstanceSettings(method="distance", smoothing=0.0, seed_distance=seed_distance, min_depth=min_depth)
    whole, blocks = found_whole(cells, chosen), found_in_blocks(cells, chosen, tmp_path)
    assert whole.max() > 8
    assert is_same_partition(whole, blocks)


@pytest.mark.parametrize("min_depth", [0.0, 0.05, 0.3])
@given(
    mask=nps.arrays(bool, (2, 8, 12), elements=st.sampled_from([True, True, True, False])),
    block_shape=st.tuples(st.integers(1, 2), st.integers(3, 8), st.integers(3, 12)),
)
@settings(max_examples=40)
def test_ties_are_settled_in_blocks_as_in_the_whole(tmp_path_factory, min_depth, mask, block_shape):
    """Seeds have the order of the whole volume, so saddles of one height join the same objects."""
    chosen = InstanceSettings(smoothing=0.0, seed_distance=1.0, min_depth=min_depth)
    folder = tmp_path_factory.mktemp("blocks")
    blocks = segment_blockwise(mask, chosen, folder, block_shape=block_shape, halo=mask.shape)
    assert is_same_partition(segment_instances(mask, chosen), blocks)


def discs(*middles, radius, shape=(1, 50, 90)):
    _, y, x = np.indices(shape)
    return np.any([(y - my) ** 2 + (x - mx) ** 2 <= radius**2 for my, mx in middles], axis=0)


@pytest.mark.parametrize("halo", [14, 30])
def test_objects_deeper_than_what_is_looked_at_are_warned_of(halo, tmp_path, caplog):
    mask = discs((25, 24), (25, 64), radius=21)
    chosen = InstanceSettings(seed_distance=2.5, smoothing=1.0, fill=False)
    assert segment_instances(mask, chosen).max() == 2
    found = segment_blockwise(mask, chosen, tmp_path, block_shape=(1, 12, 12), halo=(0, halo, halo))
    np.testing.assert_array_equal(found > 0, mask)
    if halo == 14:
        assert "px deep, but only 14 px around each block are seen" in caplog.text
    else:
        assert not caplog.records
        assert found.max() == 2  # but for voxels as far from one seed as from the other


def test_pieces_out_of_reach_of_their_seed_do_not_join_objects_that_have_one(tmp_path):
    """Two bars side by side, each with a centre at its far left."""
    mask = np.zeros((1, 8, 60), np.float32)
    mask[0, 1:7] = 1
    heat = np.zeros_like(mask)
    heat[0, 2, 1] = heat[0, 5, 1] = 1
    mask[0, 4, :56] = 0  # they touch at their far right
    chosen = InstanceSettings(method="centers", fill=False, seed_distance=1)
    blocks = segment_blockwise(mask, chosen, tmp_path, block_shape=(1, 8, 10), halo=(0, 0, 5), heatmap=heat)
    np.testing.assert_array_equal(blocks > 0, mask > 0)
    assert blocks.max() == 2
    assert blocks[0, 2, 40] != blocks[0, 5, 40]


def test_a_single_slice_is_filled_in_blocks_too(tmp_path):
    mask = np.zeros((1, 24, 24), np.uint8)
    mask[0, 2:22, 2:22] = 1
    mask[0, 9:15, 9:15] = 0
    chosen = InstanceSettings(method="components")
    found = segment_blockwise(mask, chosen, tmp_path, block_shape=(1, 8, 8), halo=(0, 16, 16))
    assert found[0, 10, 10] == 1
    np.testing.assert_array_equal(found, segment_instances(mask, chosen))


@given(
    nps.arrays(np.uint8, (5, 7, 9), elements=st.integers(0, 1)),
    st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 9)),
)
@settings(max_examples=40)
def test_components_are_exact_for_any_mask_and_blocks(tmp_path_factory, mask, block_shape):
    chosen = InstanceSettings(method="components", fill=False)
    blocks = segment_blockwise(mask, chosen, tmp_path_factory.mktemp("blocks"), block_shape=block_shape, halo=(0, 0, 0))
    assert is_same_partition(segment_instances(mask, chosen), blocks)


def test_without_a_halo_objects_are_cut_but_none_is_lost(cells, tmp_path):
    chosen = InstanceSettings(method="distance", smoothing=1.5, seed_distance=4, fill=False)
    whole = found_whole(cells, chosen)
    blocks = found_in_blocks(cells, chosen, tmp_path, halo=(0, 0, 0))
    np.testing.assert_array_equal(blocks > 0, whole > 0)
    assert blocks.max() > whole.max()


def test_an_object_longer_than_the_halo_stays_one(tmp_path):
    """Its one seed lies out of reach of most blocks."""
    tube = np.zeros((3, 9, 200), np.float32)
    tube[:, 2:7, 3:197] = 1
    tube[:, 1:8, 90:110] = 1
    heat = np.zeros_like(tube)
    heat[1, 4, 100] = 1
    chosen = InstanceSettings(method="centers")
    found = segment_blockwise(tube, chosen, tmp_path, block_shape=(3, 9, 10), halo=(0, 0, 5), heatmap=heat)
    assert found.max() == 1
    np.testing.assert_array_equal(found, segment_instances(tube, chosen, heatmap=heat))


def test_an_empty_volume_has_no_objects(tmp_path):
    empty = np.zeros((3, 8, 8), np.float32)
    for chosen in (InstanceSettings(), InstanceSettings(slice_wise=True), InstanceSettings(method="components")):
        assert not segment_blockwise(empty, chosen, tmp_path, block_shape=(2, 4, 4), halo=(1, 1, 1)).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"block_shape": (0, 4, 4)}, "`block_shape` must be three positive numbers"),
        ({"halo": (1, 1)}, "`halo` three that are not negative"),
        ({"heatmap": np.zeros((2, 2, 2))}, "`probability` and `heatmap` must be"),
        ({"settings": InstanceSettings(method="centers")}, "`heatmap` must be given"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message, tmp_path):
    given = {"settings": InstanceSettings(), "block_shape": (2, 4, 4), "halo": (1, 1, 1)} | arguments
    with pytest.raises(ValueError, match=message):
        segment_blockwise(np.zeros((3, 8, 8)), given.pop("settings"), tmp_path, **given)
