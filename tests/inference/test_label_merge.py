import numpy as np
import pytest
from own_task import DenoisingTask

from segkit.inference.decision import decided
from segkit.inference.label_merge import merge_labels
from segkit.tasks.foreground import ForegroundTask


def test_the_highest_probability_above_its_threshold_wins():
    """Worked by hand, voxel by voxel, for thresholds 0.5, 0.5 and 0.8."""
    first = np.array([0.9, 0.5, 0.6, 0.1, 0.7, 0.2])
    second = np.array([0.1, 0.4, 0.7, 0.2, 0.7, 0.3])
    third = np.array([0.2, 0.1, 0.79, 0.3, 0.1, 0.85])
    # only first | 0.5 is not above | second (third is highest, below its own) | none | tie | only third
    labels, overlap = merge_labels([first, second, third], [0.5, 0.5, 0.8])
    assert labels.tolist() == [1, 0, 2, 0, 1, 3]
    assert labels.dtype == np.uint8
    assert overlap == 2


def test_one_map_gives_a_mask():
    labels, overlap = merge_labels([np.array([[0.2, 0.6], [0.5, 1.0]])], [0.5])
    assert labels.tolist() == [[0, 1], [0, 1]]
    assert overlap == 0


def test_255_maps_are_told_apart():
    maps = [np.full((2,), 0.6) for _ in range(254)] + [np.array([0.9, 0.1])]
    labels, overlap = merge_labels(maps, [0.5] * 255)
    assert labels.tolist() == [255, 1]
    assert overlap == 2


@pytest.mark.parametrize(("maps", "thresholds"), [(0, 0), (256, 256), (2, 1)])
def test_too_few_too_many_and_unpaired_are_refused(maps, thresholds):
    with pytest.raises(ValueError, match=f"Received: {maps} maps, {thresholds} thresholds"):
        merge_labels([np.zeros(1)] * maps, [0.5] * thresholds)


class BrightTask(DenoisingTask):
    """A kind without a threshold among its settings that can be merged with others."""

    probability_map = 0
    used_alone = None

    def decide(self, maps, xp=np):
        return xp.square(maps[..., 0]) > 0.25


def test_a_task_decides_itself_what_it_claims():
    maps = [np.array([[0.9], [0.6], [0.2]], np.float32), np.array([[0.8], [0.7], [0.3]], np.float32)]
    result = decided(maps, [BrightTask(), ForegroundTask(threshold=0.75)])
    assert result.array.tolist() == [1, 1, 0]
    assert result.counts["overlap"] == 1
    result = decided(maps, [ForegroundTask(), BrightTask()])
    assert result.array.tolist() == [1, 2, 0]
    assert result.counts["voxels"].tolist() == [1, 1]
