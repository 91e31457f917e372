import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segkit.targets.classes import ClassTarget
from segkit.targets.foreground import ForegroundTarget
from segkit.targets.image import ImageTarget


def test_a_patch_by_hand():
    mask = np.array([[1, 0], [0, 0]], np.int8)
    out = ForegroundTarget(weight_limit=2000.0)([mask])
    assert out[..., 0].tolist() == [[1, 0], [0, 0]]
    assert out[..., 1].tolist() == [[3, 1], [1, 1]]
    assert ForegroundTarget(weight_limit=2.0)([mask])[0, 0].tolist() == [1, 2]
    assert ForegroundTarget(weight_limit=None)([mask])[0, 0].tolist() == [1, 1]


def test_ignored_pixels_have_no_weight_and_no_part_in_the_ratio():
    mask = np.array([[1, 2], [0, 0]], np.uint8)
    assert ForegroundTarget(weight_limit=2000.0, ignore_value=2)([mask]).tolist() == [
        [[1, 2], [0, 0]],
        [[0, 1], [0, 1]],
    ]


def test_zero_can_be_the_value_nobody_annotated():
    mask = np.array([[0, 5], [5, 5]], np.uint8)
    out = ForegroundTarget(weight_limit=2000.0, ignore_value=0)([mask])
    assert out.tolist() == [[[0, 0], [1, 1]], [[1, 1], [1, 1]]]


@given(hnp.arrays(np.uint8, (6, 6), elements=st.sampled_from([0, 1, 255])), st.sampled_from([1.5, 10.0, 2000.0]))
def test_foreground_and_background_balance_unless_capped(mask, limit):
    out = ForegroundTarget(weight_limit=limit)([mask])
    foreground = mask != 0
    assert (out[..., 0] == foreground).all()
    assert (out[~foreground, 1] == 1).all()
    if foreground.all():
        assert (out[..., 1] == 1).all()
    elif foreground.any() and (~foreground).sum() / foreground.sum() <= limit:
        assert out[foreground, 1].sum() == pytest.approx(out[~foreground, 1].sum(), rel=1e-5)
    elif foreground.any():
        assert (out[foreground, 1] == np.float32(limit)).all()


def test_several_classes_are_their_own_targets():
    labels = np.array([[0, 3], [2, 9]], np.int16)
    out = ClassTarget(num_classes=4, ignore_value=9)([labels])
    assert out.tolist() == [[[0, 1], [3, 1]], [[2, 1], [0, 0]]]


@pytest.mark.parametrize(("label", "dtype"), [(5, np.uint8), (3, np.uint8), (259, np.uint16), (-1, np.int8)])
def test_a_label_that_is_no_class_is_not_taken_for_an_unannotated_pixel(label, dtype):
    labels = np.array([[0, 1, 9, label]], dtype)
    with pytest.raises(ValueError, match=rf"labels from 0 to 2, or `ignore_value`\. Received: the label {label}, "):
        ClassTarget(num_classes=3, ignore_value=9)([labels])


@pytest.mark.parametrize("count", [1, 256])
def test_classes_are_counted_in_a_byte(count):
    with pytest.raises(ValueError, match="`num_classes` must be from 2 to 255"):
        ClassTarget(num_classes=count)


@pytest.mark.parametrize(
    "numbers", [{"std": 0}, {"std": -1.0}, {"mean": np.nan}, {"std": np.inf}, {"image_channels": 0}]
)
def test_an_image_cannot_be_scaled_by_nothing(numbers):
    with pytest.raises(ValueError, match=r"`std` positive|`image_channels` must be positive"):
        ImageTarget(**numbers)


@pytest.mark.parametrize("limit", [0, 0.0, -1.0, float("nan")])
def test_a_limit_that_is_not_positive_is_refused(limit):
    with pytest.raises(ValueError, match=f"`weight_limit` must be positive, or None. Received: weight_limit={limit!r}"):
        ForegroundTarget(weight_limit=limit)
