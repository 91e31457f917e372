"""What all losses share: one number for the batch, and weights that travel in the target."""

import keras
import numpy as np
import pytest

from segkit import losses

CASES = {
    "BCEJaccard": (losses.BCEJaccard, 1),
    "Dice": (losses.Dice, 1),
    "HeatmapFocal": (losses.HeatmapFocal, 1),
    "SoftmaxCrossEntropy": (losses.SoftmaxCrossEntropy, 2),
}


def test_all_losses_are_here():
    assert set(CASES) == set(losses.__all__)


@pytest.mark.parametrize("name", CASES)
def test_every_reduction_that_is_accepted_gives_the_same_number(name):
    make, outputs = CASES[name]
    rng = np.random.default_rng(0)
    y_true = np.ones((3, 4, 4, 2), "float32")
    y_pred = rng.normal(size=(3, 4, 4, outputs)).astype("float32")
    values = [
        keras.ops.convert_to_numpy(make(reduction=reduction)(y_true, y_pred))
        for reduction in ("sum_over_batch_size", "mean", "mean_with_sample_weight", "none", None)
    ]
    assert {value.shape for value in values} == {()}
    assert len({float(value) for value in values}) == 1


@pytest.mark.parametrize("name", CASES)
def test_a_sum_over_the_batch_is_refused(name):
    make, _ = CASES[name]
    with pytest.raises(ValueError, match=r"`reduction` must be .* Received: reduction='sum'"):
        make(reduction="sum")


def test_fit_with_weights_beside_the_targets_ends_with_the_reason():
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(inputs))
    model.compile("sgd", losses.BCEJaccard())
    images, targets = np.zeros((4, 4, 4, 1), "float32"), np.ones((4, 4, 4, 2), "float32")
    model.fit(images, targets, verbose=0)
    with pytest.raises(ValueError, match="`sample_weight` must be None"):
        model.fit(images, targets, verbose=0, sample_weight=np.ones(4))


@pytest.mark.parametrize("make", [losses.BCEJaccard, losses.Dice])
def test_text_is_no_choice_of_samples(make):
    with pytest.raises(ValueError, match=r"`per_sample` must be True or False. Received: per_sample='yes'"):
        make(per_sample="yes")
