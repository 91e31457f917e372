"""Sizes measured on what is painted, in nm, at two voxel sizes, before any imaging."""

import dataclasses

import numpy as np
import pytest

from segkit.data.phantom.canvas import FREE, Canvas
from segkit.data.phantom.centriole import draw_barrel, paint_centriole, place_centrioles
from segkit.data.phantom.golgi import draw_stack, paint_golgi, place_golgi
from segkit.data.phantom.granules import draw_granule, paint_granule, place_granules
from segkit.data.phantom.microtubules import paint_piece, place_microtubules
from segkit.data.phantom.organelles import Capsule
from segkit.data.phantom.placement import random_center
from segkit.data.phantom.shapes import Blob, Curve, shell
from segkit.data.phantom.synapse import draw_cleft, paint_synapse
from segkit.data.phantom.vesicles import paint_vesicle

CODE = 1
CYTOPLASM = 0.37


def canvas_of(extent_nm, voxel_nm):
    voxels = tuple(int(np.ceil(side / voxel_nm)) for side in extent_nm)
    return Canvas(voxels, (voxel_nm,) * 3, CYTOPLASM)


def straight_tube(canvas, axis):
    """A tube through the middle of the canvas."""
    axis = np.asarray(axis) / np.linalg.norm(axis)
    side = np.cross(axis, [0.3, 0.9, 0.4])
    side /= np.linalg.norm(side)
    frame = np.stack([axis, side, np.cross(axis, side)])
    curve = Curve(canvas.extent_nm / 2, frame, (0.0, 0.0), (1000.0, 1000.0), (0.0, 0.0))
    for sign in (1, -1):
        for piece in curve.boxes(sign * 100.0, 60.0, 30.0):
            paint_piece(canvas, curve, piece, CODE)
    return curve


@pytest.mark.parametrize("voxel_nm", [2.255, 4.5])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0.5, 0.7, 0.5), (0.05, 1, 0.4)])
def test_a_microtubule_is_25_nm_wide(voxel_nm, axis):
    canvas = canvas_of((240, 240, 240), voxel_nm)
    straight_tube(canvas, axis)
    volume = (canvas.owner == CODE).sum() * voxel_nm**3
    assert 2 * np.sqrt(volume / 200.0 / np.pi) == pytest.approx(25.0, rel=0.04)


@pytest.mark.parametrize("voxel_nm", [1.0, 2.255])
def test_a_microtubule_is_hollow(voxel_nm):
    canvas = canvas_of((240, 240, 240), voxel_nm)
    curve = straight_tube(canvas, (0.5, 0.7, 0.5))
    window = canvas.around(canvas.extent_nm / 2, 60.0)
    _, radius = curve.coordinates(window)
    density = canvas.density[window.index]
    lumen, wall = density[radius < 6].mean(), density[np.abs(radius - 10.25) < 1.0].mean()
    assert lumen < CYTOPLASM < wall - 0.3
    inner = radius[(density > 0.7)].min()
    assert 7.5 - voxel_nm < inner < 8.5 + voxel_nm  # a lumen of 15 to 17 nm


def test_every_placed_microtubule_reaches_far_and_keeps_apart():
    canvas = canvas_of((90, 400, 400), 4.5)
    assert place_microtubules(canvas, np.random.default_rng(3), 6, CODE) == 6
    share = (canvas.owner == CODE).mean()
    assert 6 * 81 * np.pi * 12.5**2 * 0.5 < share * np.prod(canvas.extent_nm)


@pytest.mark.parametrize("voxel_nm", [3.0, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_centriole_is_a_barrel_of_200_to_250_nm_by_400(voxel_nm, seed):
    rng = np.random.default_rng(seed)
    canvas = canvas_of((520, 520, 520), voxel_nm)
    barrel = draw_barrel(rng, canvas.extent_nm / 2, rng.standard_normal(3))
    paint_centriole(canvas, barrel, CODE)
    where = np.argwhere(canvas.owner == CODE) * voxel_nm + voxel_nm / 2 - canvas.extent_nm / 2
    along = where @ barrel.frame[0]
    across = where - along[:, None] * barrel.frame[0]
    assert 350 < np.ptp(along) < 445
    assert 200 < 2 * np.linalg.norm(across, axis=1).max() < 250
    # the whole barrel is filled, lumen included
    assert len(where) * voxel_nm**3 == pytest.approx(np.pi * barrel.outer_radius_nm**2 * barrel.length_nm, rel=0.03)


@pytest.mark.parametrize("voxel_nm", [2.255, 4.5])
def test_a_cross_section_of_a_centriole_shows_nine_triplets(voxel_nm):
    canvas = canvas_of((60, 300, 300), voxel_nm)
    center = canvas.extent_nm / 2
    barrel = draw_barrel(np.random.default_rng(0), center, np.array([1.0, 0, 0]))
    paint_centriole(canvas, barrel, CODE)
    section = canvas.density[canvas.shape[0] // 2]
    angles = np.arange(360) * np.pi / 180
    ring = np.zeros(360)
    for radius in np.linspace(barrel.outer_radius_nm - 35, barrel.outer_radius_nm - 12, 9):
        y, x = (c + radius * f(angles) for c, f in ((center[1], np.sin), (center[2], np.cos)))
        ring += section[(y / voxel_nm).astype(int), (x / voxel_nm).astype(int)]
    strength = np.abs(np.fft.rfft(ring))[1:18]  # harmonics 1 to 17
    assert strength.argmax() + 1 == 9
    assert strength[8] > 4 * np.delete(strength, 8).max()


def test_centrioles_come_in_pairs_at_right_angles():
    canvas = canvas_of((110, 2300, 2300), 9.0)
    barrels = place_centrioles(canvas, np.random.default_rng(1), 6, CODE, None)
    assert len(barrels) == 6
    angles = [abs(float(a.frame[0] @ b.frame[0])) for a, b in zip(barrels[::2], barrels[1::2], strict=True)]
    assert np.allclose(angles, 0, atol=1e-6)
    distances = [np.linalg.norm(a.center_zyx - b.center_zyx) for a, b in zip(barrels[::2], barrels[1::2], strict=True)]
    assert max(distances) < 600


def test_many_centrioles_show_many_tilts():
    canvas = canvas_of((110, 3600, 3600), 9.0)
    barrels = place_centrioles(canvas, np.random.default_rng(0), 12, CODE, None)
    mothers = sorted(abs(barrel.frame[0][0]) for barrel in barrels[::2])
    assert mothers[0] < 0.35 and mothers[-1] > 0.65


@pytest.mark.parametrize("voxel_nm", [9.0, 12.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_granule_is_300_to_700_nm_with_a_dense_core_in_a_membrane(voxel_nm, seed):
    rng = np.random.default_rng(seed)
    canvas = canvas_of((900, 900, 900), voxel_nm)
    granule = dataclasses.replace(draw_granule(rng), center_zyx=canvas.extent_nm / 2)
    paint_granule(canvas, rng, granule, CODE)
    mask = canvas.owner == CODE
    diameter = 2 * (mask.sum() * voxel_nm**3 * 3 / (4 * np.pi)) ** (1 / 3)
    assert 300 < diameter < 700
    distance = granule.distance(canvas.around(canvas.extent_nm / 2, 1000))
    middle, rim = canvas.density[distance < -0.7 * diameter / 2].mean(), (distance < -12) & (distance > -26)
    assert middle > CYTOPLASM + 0.1 > canvas.density[rim].mean()
    surface = canvas.density[np.abs(distance + 3.5) < 2].mean()
    assert surface > canvas.density[rim].mean() + 0.1


@pytest.mark.parametrize("voxel_nm", [3.0, 4.5])
@pytest.mark.parametrize("seed", range(3))
def test_a_golgi_body_is_a_stack_of_4_to_7_cisternae(voxel_nm, seed):
    rng = np.random.default_rng(seed)
    canvas = canvas_of((300, 700, 700), voxel_nm)
    stack = draw_stack(rng, canvas.extent_nm / 2, 240.0)
    paint_golgi(canvas, rng, stack, CODE)
    # go straight through the middle of the stack and count pale lumens between dark membranes
    line = canvas.extent_nm / 2 + np.arange(-200, 200, 1.0)[:, None] * stack.frame[2]
    index = tuple((line / voxel_nm).astype(int).T)
    inside = canvas.owner[index] == CODE
    thickness = inside.sum()
    pale = (canvas.density[index] < 0.35) & inside
    assert 4 <= np.sum(np.diff(pale.astype(int)) == 1) == len(stack.levels_nm) <= 7
    assert 33 < thickness / len(stack.levels_nm) < 50


@pytest.mark.parametrize("voxel_nm", [3.0, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_cleft_spans_the_field_between_two_membranes(voxel_nm, seed):
    canvas = canvas_of((20, 700, 700), voxel_nm)
    cleft = draw_cleft(canvas, np.random.default_rng(seed))
    cleft = dataclasses.replace(cleft, turn_rad=0.0, amplitudes_nm=np.zeros(3), tilt=0.0)
    paint_synapse(canvas, cleft, CODE)
    widths = (canvas.owner == CODE).sum(axis=2) * voxel_nm
    assert widths.min() > 18 - voxel_nm and widths.max() < 42 + voxel_nm
    row = canvas.density[0, canvas.shape[1] // 2]
    gap = np.flatnonzero(canvas.owner[0, canvas.shape[1] // 2] == CODE)
    for side in (slice(gap[0] - 3, gap[0]), slice(gap[-1] + 1, gap[-1] + 4)):
        assert row[side].max() > 0.6 > 0.35 > row[gap[1:-1]].max()


def test_a_wall_thinner_than_a_voxel_keeps_its_mass():
    distance = np.linspace(-50, 50, 100_001)
    for edge_nm in (1.0, 4.5, 9.0):
        assert np.trapezoid(shell(distance, 4.5, edge_nm), distance) == pytest.approx(4.5, rel=1e-3)


def test_a_claim_keeps_others_out_of_its_margin():
    canvas = canvas_of((60, 300, 300), 5.0)
    paint_centriole(canvas, draw_barrel(np.random.default_rng(0), canvas.extent_nm / 2, np.array([1.0, 0, 0])), CODE)
    window = canvas.around(canvas.extent_nm / 2, 400)
    near = np.hypot(window.y - canvas.extent_nm[1] / 2, window.x - canvas.extent_nm[2] / 2) < 130
    assert not canvas.is_free(window, np.broadcast_to(near, canvas.shape))
    assert np.all(canvas.owner[:, :5, :5] == FREE)


@pytest.mark.parametrize("seed", range(3))
def test_later_objects_leave_earlier_ones_whole(seed):
    canvas, rng = canvas_of((110, 1500, 1500), 9.0), np.random.default_rng(seed)
    barrels = place_centrioles(canvas, rng, 4, 1, None)
    assert place_golgi(canvas, rng, 2, 2, None) and place_granules(canvas, rng, 8, 3, None) > 1
    assert place_microtubules(canvas, rng, 8, 4) == 8
    window = canvas.around(canvas.extent_nm / 2, 2000.0)
    within = np.stack([barrel.distance(window) <= 0 for barrel in barrels])
    assert within.sum(axis=0).max() == 1
    assert np.array_equal(within.any(axis=0), canvas.owner == 1)


def test_a_rod_lies_in_its_sphere():
    rod = Capsule(center_zyx=np.zeros(3), frame=np.eye(3), length_nm=100.0, thickness_nm=10.0)
    assert rod.radius_nm == 60.0


def test_a_vesicle_outside_the_volume_is_none():
    canvas = canvas_of((60, 100, 100), 5.0)
    inside, outside = (
        Blob(
            center_zyx=np.array([z, 50.0, 50.0]),
            frame=np.eye(3),
            half_axes_nm=np.full(3, 20.0),
            bump_nm=0.0,
            bump_phase=np.zeros(3),
        )
        for z in (30.0, 500.0)
    )
    assert paint_vesicle(canvas, outside, 0.5) is False
    assert paint_vesicle(canvas, inside, 0.5) is True
    assert paint_vesicle(canvas, inside, 0.5) is False  # there is no room any more


def test_a_centre_is_an_array():
    assert random_center(canvas_of((60, 100, 100), 5.0), np.random.default_rng(0), 10.0).shape == (3,)


@pytest.mark.parametrize("seed", [2, 6])
def test_a_stack_of_cisternae_lies_in_its_sphere(seed):
    canvas = canvas_of((800, 800, 800), 8.0)
    stack = draw_stack(np.random.default_rng(seed), canvas.extent_nm / 2, 240.0)
    window = canvas.around(stack.center_zyx, stack.radius_nm + 60)
    inside = np.min(stack.cisternae(window), axis=0) < 0
    z, y, x = (
        np.asarray(place) - middle
        for place, middle in zip((window.z, window.y, window.x), stack.center_zyx, strict=True)
    )
    assert 0.9 * stack.radius_nm < np.sqrt(z * z + y * y + x * x)[inside].max() < stack.radius_nm
