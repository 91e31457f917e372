import keras
import numpy as np
import pytest
from weighted import weighted

from segkit.losses import HeatmapFocal


def value(targets, logits, **kwargs):
    targets = weighted(targets) if np.shape(targets)[-1] == np.shape(logits)[-1] else targets
    return float(HeatmapFocal(**kwargs)(np.asarray(targets, "float32"), np.asarray(logits, "float32")))


def test_one_centre_and_one_neighbour_by_hand():
    assert value([[[1.0]]], [[[0.0]]]) == pytest.approx(0.25 * np.log(2), rel=1e-5)
    assert value([[[1.0], [0.5]]], [[[50.0], [0.0]]]) == pytest.approx(0.5**4 * 0.5**2 * np.log(2), rel=1e-5)


def test_of_centres_alone_it_is_kerass_binary_focal_loss():
    rng = np.random.default_rng(0)
    targets, logits = rng.integers(0, 2, (2, 5, 5, 1)).astype("float32"), rng.normal(size=(2, 5, 5, 1))
    keras_loss = keras.losses.BinaryFocalCrossentropy(gamma=2.0, from_logits=True, reduction="sum")
    # Keras averages over the last axis, which is 1 long here.
    assert value(targets, logits) == pytest.approx(float(keras_loss(targets, logits)) / targets.sum(), rel=1e-4)


def test_a_pixel_beside_a_centre_costs_less_for_being_taken_for_one_than_a_far_one():
    near, far = ([[[1.0], [t]]] for t in (0.8, 0.0))
    logits = [[[9.0], [3.0]]]
    assert value(near, logits) < 0.01 * value(far, logits)


def test_the_cost_is_shared_among_the_centres():
    one, two = [[[1.0], [0.0]]], [[[1.0], [0.0], [1.0], [0.0]]]
    assert value(two, [[[1.0], [-1.0]] * 2][0:1]) == pytest.approx(value(one, [[[1.0], [-1.0]]]), rel=1e-6)


def test_pixels_that_nobody_annotated_count_nowhere():
    targets = [[[1.0, 1.0], [0.3, 1.0], [1.0, 0.0], [0.0, 0.0]]]
    logits = [[[0.5], [0.1], [-9.0], [9.0]]]
    assert value(targets, logits) == pytest.approx(value([[[1.0], [0.3]]], [[[0.5], [0.1]]]), rel=1e-6)


def test_no_centre_and_extreme_logits_stay_finite():
    assert np.isfinite(value([[[0.0], [0.9]]], [[[1e4], [-1e4]]]))
    assert np.isfinite(value([[[1.0], [0.0]]], [[[-1e4], [1e4]]]))


def test_negative_powers_are_refused():
    with pytest.raises(ValueError, match="`alpha` and `beta` must not be negative"):
        HeatmapFocal(beta=-1)


@pytest.mark.parametrize("power", ["2", float("nan"), None])
def test_powers_that_are_no_numbers_are_refused(power):
    for name in ("alpha", "beta"):
        with pytest.raises(ValueError, match=f"`{name}` must be a finite number. Received: {name}="):
            HeatmapFocal(**{name: power})
