import logging

import numpy as np
import pytest
from tiny_models import pointwise, sigmoid, tiny_card

from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.inference.predict_options import PredictOptions
from segkit.inference.slice_predictor import SlicePredictor
from segkit.inference.voxel_scale import resampled, scale_yx, tell_voxel_size
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import GreyTriple, NeighbourStack
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.volumes.volume import Volume


def volume(size_nm, shape=(2, 4, 4)):
    return Volume(array=np.zeros(shape, np.float32), voxel_size_nm=size_nm)


TRAINED = tiny_card(voxel_size_nm=(2.0, 2.0, 2.0))


def told(caplog, size, *cards, rescale=False, takes_volumes=False):
    """Return the lines about a volume of a voxel size."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        tell_voxel_size(volume(size), cards or [TRAINED], rescale=rescale, takes_volumes=takes_volumes)
    return [record.getMessage() for record in caplog.records]


def test_a_voxel_size_beyond_ten_percent_is_warned_of_with_both_sizes_and_the_remedy(caplog):
    assert told(caplog, (2.0, 2.0, 2.3)) == [
        "warning: volume in memory: voxel size 2 x 2.3 nm (y, x), but tiny was trained at 2 x 2 nm; the result may be "
        "poor; --rescale corrects the difference in y and x"
    ]
    assert told(caplog, (2.0, 2.0, 2.3), rescale=True) == []


def test_several_models_say_it_once(caplog):
    assert len(told(caplog, (2.0, 2.0, 2.3), TRAINED, TRAINED)) == 1
    assert len(told(caplog, None, TRAINED, TRAINED, TRAINED)) == 1
    assert len(told(caplog, (2.0, 2.0, 2.3), TRAINED, tiny_card(voxel_size_nm=(3.0, 3.0, 3.0)))) == 2


def test_networks_of_volumes_compare_z_too(caplog):
    (line,) = told(caplog, (4.0, 2.0, 2.0), takes_volumes=True)
    assert "4 x 2 x 2 nm (z, y, x), but tiny was trained at 2 x 2 x 2 nm" in line
    assert line.endswith("resample the volume first")
    assert told(caplog, (2.1, 2.0, 1.9), takes_volumes=True) == []


def test_colours_of_neighbouring_slices_depend_on_their_distance(caplog):
    for coloring, is_borne in ((Pseudocoloring(), False), (NeighbourStack(), False), (GreyTriple(), True)):
        card = tiny_card(voxel_size_nm=(2.0, 2.0, 2.0), preprocessing=ColorSlices(coloring=coloring))
        for rescale, message in ((False, "4 x 2 x 2 nm (z, y, x)"), (True, "4 nm (z)")):
            lines = told(caplog, (4.0, 2.0, 2.0), card, rescale=rescale)
            assert [message in line for line in lines] == [True] * (not is_borne)
            assert all("along z first" in line for line in lines if rescale)


@pytest.mark.parametrize("size", [(50.0, 2.0, 2.0), (2.0, 2.19, 1.81)])
def test_other_sizes_in_z_and_small_differences_are_borne(size, caplog):
    assert told(caplog, size) == []
    assert scale_yx(volume(size), TRAINED, rescale=False) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("found", "trained", "message"),
    [(None, (2.0, 2.0, 2.0), "volume in memory: the voxel size"), ((2.0,) * 3, None, "tiny: the model's voxel size")],
)
def test_an_unknown_voxel_size_is_said_once_and_can_not_be_rescaled(found, trained, message, caplog):
    card = tiny_card(voxel_size_nm=trained)
    (line,) = told(caplog, found, card)
    assert line.startswith(f"warning: {message} is unknown; the result is valid only if")
    with pytest.raises(InputError, match=f"{message} is unknown, but needed to rescale; .*leave out --rescale"):
        scale_yx(volume(found), card, rescale=True)


def test_slices_are_enlarged_by_the_ratio_of_their_voxels():
    card = tiny_card(voxel_size_nm=(9.0, 2.0, 4.0))
    assert scale_yx(volume((1.0, 3.0, 1.0)), card, rescale=True) == (1.5, 0.25)


@pytest.mark.parametrize("shape", [(30, 44), (7, 100), (41, 9)])
def test_resampling_keeps_constants_and_inner_gradients(shape):
    np.testing.assert_allclose(resampled(np.full((20, 22), 7.0), shape), 7, rtol=1e-6)
    ramp = np.broadcast_to(np.arange(22.0), (20, 22))
    centres = (np.arange(shape[1]) + 0.5) * 22 / shape[1] - 0.5
    inner = slice(shape[1] // 5 + 1, -shape[1] // 5 - 1)
    np.testing.assert_allclose(resampled(ramp, shape)[0, inner], centres[inner], atol=0.02)


def test_what_is_finer_than_the_new_pixels_does_not_come_back_as_something_coarse():
    """Stripes of period 2 px on pixels 2.5 times as wide: plain interpolation would show stripes of full
    contrast."""
    stripes = np.tile([0.0, 1.0], (40, 50))
    assert resampled(stripes, (40, 40))[:, 3:-3].std() < 0.05


def test_the_probability_comes_back_at_the_volumes_own_scale():
    loaded = pointwise(weight=4.0, bias=-2.0, voxel_size_nm=(5.0, 2.0, 2.0))
    y, x = np.mgrid[:60, :80]
    disc = ((y - 30) ** 2 + (x - 40) ** 2 < 15**2).astype(np.float32)
    fine = Volume(array=disc[None], voxel_size_nm=(5.0, 1.0, 1.0))
    predictor = SlicePredictor(loaded, fine, PredictOptions(rescale=True))
    assert predictor.plan.tile_shape == (32, 40)
    ((_, found),) = predictor.iter_maps([0])
    assert found.shape == (60, 80, 1)
    found = found[..., 0]
    assert np.abs((found > 0.5) - disc).sum() < 20  # of 96 voxels on the circle
    np.testing.assert_allclose(found[30, 40], sigmoid(2.0), atol=1e-5)
    np.testing.assert_allclose(found[0, 0], sigmoid(-2.0), atol=1e-5)


def test_a_rescaled_region_equals_the_same_part_of_the_whole():
    loaded = pointwise(weight=4.0, voxel_size_nm=(5.0, 2.0, 3.0))
    voxels = np.random.default_rng(0).normal(size=(1, 61, 83)).astype(np.float32)
    noise = Volume(array=voxels, voxel_size_nm=(5.0, 1.4, 4.0))
    ((_, whole),) = SlicePredictor(loaded, noise, PredictOptions(rescale=True)).iter_maps([0])
    roi = Region((0, 1), (20, 33), (7, 41))
    predictor = SlicePredictor(loaded, noise, PredictOptions(rescale=True, roi=roi))
    ((_, part),) = predictor.iter_maps([0])
    part, whole = part[..., 0], whole[..., 0]
    np.testing.assert_allclose(part[20:33, 7:41], whole[20:33, 7:41], atol=1e-5)
    assert np.count_nonzero(part) == 13 * 34
