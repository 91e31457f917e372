"""Which score is the better one, and how it is shown."""

import math

import pytest

from segkit.monitor import Monitor, as_fraction

HIGH = Monitor(name="val_psnr", mode="max", title="PSNR")
LOW = Monitor(name="val_loss", mode="min", title="loss")


@pytest.mark.parametrize(("monitor", "better", "worse"), [(HIGH, 2.0, 1.0), (LOW, 1.0, 2.0)])
def test_the_direction(monitor, better, worse):
    assert monitor.is_better(better, worse)
    assert not monitor.is_better(worse, better)
    assert not monitor.is_better(better, better)
    assert monitor.is_better(worse, math.nan)
    assert not monitor.is_better(math.nan, worse)
    assert not monitor.is_better(math.nan, math.nan)


def test_shares_are_shown_in_per_cent():
    share = Monitor(name="val_mean_iou", mode="max", title="mIoU", is_share=True)
    assert (share.shown(0.876), HIGH.shown(31.41592)) == ("0.876", "31.42")
    assert as_fraction(None) == "undefined"


def test_the_same_score_of_the_training():
    assert LOW.training_name == "loss"


@pytest.mark.parametrize("mode", ["maximum", "auto", None])
def test_a_direction_must_be_named(mode):
    with pytest.raises(ValueError, match=r"`mode` must be 'max' or 'min'\. Received: mode="):
        Monitor(name="val_psnr", mode=mode, title="PSNR")
