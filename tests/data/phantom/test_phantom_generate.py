"""Whole phantoms: layout, masks, repeatability, bad arguments."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segkit.data.phantom.generate import make_phantom
from segkit.data.phantom.imaging import Imaging
from segkit.data.phantom.scene import CODES, STRUCTURES, lay_out, needed_field_nm
from segkit.errors import InputError

TINY = {"shape": (16, 96, 96), "voxel_size_nm": 9.0}


@pytest.fixture(scope="module")
def tiny():
    return make_phantom(**TINY)


@pytest.fixture(scope="module")
def demo():
    return make_phantom(shape=(24, 512, 512), voxel_size_nm=4.5)


def test_a_phantom_is_int8_with_a_mask_of_every_structure(tiny):
    assert tiny.tomogram.dtype == np.int8 and tiny.tomogram.shape == (16, 96, 96)
    assert tuple(tiny.masks) == STRUCTURES
    assert tiny.voxel_size_nm == (9.0, 9.0, 9.0)
    for mask in tiny.masks.values():
        assert mask.dtype == np.uint8 and mask.shape == (16, 96, 96)
        assert set(np.unique(mask)) == {0, 1}


@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**40),
    depth=st.integers(1, 20),
    voxel_size_nm=st.sampled_from([9.0, 12.0, (18.0, 9.0, 9.0)]).map(lambda v: tuple(np.broadcast_to(v, 3) * 2 / 3)),
)
@example(seed=24570, depth=4, voxel_size_nm=(12.0, 6.0, 6.0))  # whose first nine layouts leave something out
def test_everything_lies_in_the_needed_field_without_overlap(seed, depth, voxel_size_nm):
    voxels = int(np.ceil(needed_field_nm(STRUCTURES, None) / voxel_size_nm[1]))
    canvas = lay_out((depth, voxels, voxels), voxel_size_nm, seed, STRUCTURES, None)
    shares = [np.mean(canvas.owner == CODES[name]) for name in STRUCTURES]
    assert min(shares) > 0 and 0.1 < sum(shares) < 0.6


@pytest.mark.parametrize("structure", STRUCTURES)
def test_one_structure_lies_in_a_small_field(structure):
    voxels = int(np.ceil(needed_field_nm((structure,), None) / 4.5))
    for seed in range(3):
        phantom = make_phantom(shape=(6, voxels, voxels), voxel_size_nm=4.5, seed=seed, structures=[structure])
        assert tuple(phantom.masks) == (structure,)
        assert phantom.masks[structure].any()


def test_masks_are_disjoint(demo):
    assert np.max(sum(mask.astype(int) for mask in demo.masks.values())) == 1


def test_same_seed_same_arrays_other_seed_other_layout(tiny):
    again, other = make_phantom(**TINY), make_phantom(**TINY, seed=1)
    assert np.array_equal(tiny.tomogram, again.tomogram)
    for name in STRUCTURES:
        assert np.array_equal(tiny.masks[name], again.masks[name])
    shared = sum((tiny.masks[name] & other.masks[name]).sum() for name in STRUCTURES)
    assert shared < 0.6 * sum(mask.sum() for mask in tiny.masks.values())
    assert not np.array_equal(tiny.tomogram, other.tomogram)


def test_seeds_share_their_texture():
    """A network that has learnt one seed meets the same grey values in another."""
    made = [make_phantom(shape=(12, 192, 192), voxel_size_nm=9.0, seed=seed).tomogram for seed in (0, 1)]
    assert made[0].std() == pytest.approx(made[1].std(), rel=0.15)
    assert abs(made[0].mean() - made[1].mean()) < 0.5 * made[0].std()


def test_imaging_changes_the_tomogram_and_leaves_the_layout(tiny):
    noisy = make_phantom(**TINY, imaging=Imaging(noise=0.5))
    assert noisy.tomogram.std() > 1.5 * tiny.tomogram.std()
    assert all(np.array_equal(tiny.masks[name], noisy.masks[name]) for name in STRUCTURES)


def test_objects_are_cut_by_the_faces(demo):
    for name in ("centriole", "granules", "golgi", "microtubules", "synapse"):
        assert demo.masks[name][0].any() and demo.masks[name][-1].any()
    edges = demo.masks["synapse"].copy()
    edges[:, 1:-1, 1:-1] = 0
    assert edges.any(axis=(1, 2)).all()


def test_the_number_of_centrioles_can_be_chosen():
    shares = [
        np.mean(lay_out((12, 256, 256), (9.0,) * 3, 5, ("synapse", "centriole"), n).owner == CODES["centriole"])
        for n in (1, 3, 6)
    ]
    assert shares[0] < 0.6 * shares[1] < 0.6 * shares[2]


def test_microtubules_are_as_rare_as_in_the_paper():
    """Background to foreground is about 500 in windows of 512 pixels of 2.255 nm; here of 128 pixels of 9 nm."""
    ratios = []
    for seed in range(2):
        mask = lay_out((12, 384, 384), (9.0,) * 3, seed, STRUCTURES, None).owner == CODES["microtubules"]
        for y in range(0, 257, 64):
            for x in range(0, 257, 64):
                share = mask[:, y : y + 128, x : x + 128].mean(axis=(1, 2))
                ratios += list((1 - share[share > 0]) / share[share > 0])
    assert 150 < np.median(ratios) < 900
    assert 250 < np.mean(np.minimum(ratios, 5000)) < 1200


def otsu(values):
    counts = np.bincount(values.ravel().astype(int) + 128, minlength=256).astype(float)
    levels = np.arange(256) - 128.0
    low, low_sum = np.cumsum(counts), np.cumsum(counts * levels)
    high, high_sum = low[-1] - low, low_sum[-1] - low_sum
    between = low * high * (low_sum / np.maximum(low, 1) - high_sum / np.maximum(high, 1)) ** 2
    return levels[between.argmax()]


def opened(mask, radius):
    offsets = [
        (y, x) for y in range(-radius, radius + 1) for x in range(-radius, radius + 1) if y * y + x * x <= radius**2
    ]
    eroded = np.logical_and.reduce([np.roll(mask, o, axis=(1, 2)) for o in offsets])
    return np.logical_or.reduce([np.roll(eroded, o, axis=(1, 2)) for o in offsets])


def test_a_threshold_with_an_opening_finds_no_structure(demo):
    dark = demo.tomogram <= otsu(demo.tomogram)
    for guess in (opened(dark, 1), opened(dark, 2), opened(~dark, 2)):
        for name, mask in demo.masks.items():
            overlap = (guess & (mask > 0)).sum() / (guess | (mask > 0)).sum()
            assert overlap < 0.3, name


def test_structures_differ_from_their_surroundings(demo):
    """What a person sees: a pale cleft, lines and rings in the others."""
    typical = demo.tomogram.mean()
    assert demo.tomogram[demo.masks["synapse"] > 0].mean() > typical + 10
    rough = {name: demo.tomogram[mask > 0].std() for name, mask in demo.masks.items()}
    assert min(rough["centriole"], rough["golgi"], rough["microtubules"]) > demo.tomogram.std()


def test_progress_rises_to_its_end():
    seen = []
    make_phantom(**TINY, structures=["centriole"], progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen) and seen[-1] == (100, 100)
    assert [done for done, _ in seen[:4]] == [0, 30, 60, 65]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (16, 96)}, r"shape \(16, 96\); give three whole numbers"),
        ({"shape": (16, 96, 0)}, "give three whole numbers"),
        ({"shape": (16, 96, 9.5)}, "give three whole numbers"),
        ({"voxel_size_nm": 0.0}, "voxel size 0.0; give one number"),
        ({"voxel_size_nm": 20.0}, "at most 12.5"),
        ({"voxel_size_nm": float("nan")}, "voxel size nan"),
        ({"voxel_size_nm": (9.0, 9.0)}, "give one number or"),
        ({"seed": -1}, "seed -1; give a whole number, 0 or more"),
        ({"seed": 0.5}, "seed 0.5"),
        ({"structures": ["synaps"]}, "'synaps'; choose among synapse, microtubules"),
        ({"structures": []}, "none; choose among"),
        ({"centrioles": 0}, "0 centrioles; give a whole number, 1 or more"),
        ({"shape": (16, 20, 200)}, r"180 x 1800 nm \(y, x\) has no room for .*; give at least 860 x 860 nm"),
        ({"centrioles": 40}, "no room for .*40 centrioles.*; give at least 2680 x 2680 nm"),
    ],
)
def test_bad_arguments_name_the_remedy(change, message):
    with pytest.raises(InputError, match=message) as caught:
        make_phantom(**{**TINY, **change})
    assert "\n" not in str(caught.value)
