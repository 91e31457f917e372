import keras
import numpy as np
import pytest
from weighted import weighted

from segkit.losses.softmax_cross_entropy import SoftmaxCrossEntropy


def loss(y_true, y_pred):
    found = SoftmaxCrossEntropy()(np.array(y_true, "float32"), np.array(y_pred, "float32"))
    return float(keras.ops.convert_to_numpy(found))


def test_a_case_worked_out_by_hand():
    # Weighted 3 and 1, unknown: (3 ln 2 + ln(1 + e)) / 2; the third pixel counts nowhere.
    y_true = [[[0, 3], [1, 1], [1, 0]]]
    y_pred = [[[0, 0], [1, 0], [100, -100]]]
    assert loss(y_true, y_pred) == pytest.approx((3 * np.log(2) + np.log(1 + np.e)) / 2, rel=1e-6)


def test_weights_of_one_give_the_mean():
    y_pred = [[[0, 0, 0], [2, 0, 0]]]
    expected = (np.log(3) + np.log(1 + 2 * np.exp(-2))) / 2
    assert loss(weighted([[[2], [0]]]), y_pred) == pytest.approx(expected, rel=1e-6)


def test_nothing_annotated_costs_nothing_and_large_logits_do_not_overflow():
    assert loss([[[0, 0]]], [[[5, 0]]]) == 0.0
    assert loss([[[255, 0], [0, 1]]], [[[5, 0], [0, 0]]]) == pytest.approx(np.log(2))
    assert loss([[[0, 1]]], [[[0, 1000]]]) == pytest.approx(1000)
