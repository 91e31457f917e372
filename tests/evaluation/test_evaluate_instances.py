import numpy as np
import pytest

from segkit.errors import InputError
from segkit.evaluation.evaluate_instances import evaluate_instances
from segkit.volumes.volume import Volume


def volumes():
    """Two objects through three slices; of the first a slice is missed, and there is one too many."""
    truth = np.zeros((3, 4, 10), np.uint16)
    truth[:, :2, :4], truth[:, 2:, 5:9] = 4, 9
    found = np.zeros_like(truth)
    found[:2, :2, :4], found[:, 2:, 5:9], found[2, 0, 9] = 1, 2, 3
    return Volume(array=found), Volume(array=truth)


def test_objects_are_scored_in_3d_where_all_slices_are():
    evaluation = evaluate_instances(*volumes())
    total = evaluation.to_dict()["total"]
    assert total["seg"] == pytest.approx((2 / 3 + 1) / 2)
    assert (total["objects"], total["found"]) == (2, 3)
    assert total["ap_50"] == pytest.approx(2 / 3)  # two matched, one false
    assert total["foreground_iou"] == pytest.approx(40 / 49)
    (part,) = evaluation.to_dict()["parts"]
    assert part["z"] is None
    assert part["objects"] == {"4": pytest.approx(2 / 3), "9": 1.0}


def test_a_part_of_the_slices_is_scored_slice_by_slice():
    evaluation = evaluate_instances(*volumes(), slices=[1, 2])
    assert [part.z for part in evaluation.parts] == [1, 2]
    assert evaluation.seg == pytest.approx((1 + 1 + 0 + 1) / 4)
    assert [entry["z"] for entry in evaluation.to_dict()["slices"]] == [1, 2]


def test_slices_may_be_scored_by_themselves_and_together():
    prediction, truth = volumes()
    assert evaluate_instances(prediction, truth, slice_wise=True).seg == pytest.approx(5 / 6)
    assert evaluate_instances(prediction, truth, slices=[2], slice_wise=False).seg == pytest.approx(0.5)


def test_evaluations_add_up_over_volumes():
    one, other = evaluate_instances(*volumes()), evaluate_instances(*reversed(volumes()))
    both = one + other
    assert both.total()["objects"] == 5
    assert both.seg == pytest.approx((one.seg * 2 + other.seg * 3) / 5)


def test_a_volume_without_objects_has_no_score():
    nothing = Volume(array=np.zeros((2, 3, 3), np.uint8))
    total = evaluate_instances(nothing, nothing).total()
    assert total["seg"] is total["ap_50"] is total["mean_ap"] is None
    assert "seg             -" in evaluate_instances(nothing, nothing).to_table()


def test_the_table_has_a_line_a_part_and_the_scores():
    lines = evaluate_instances(*volumes(), slice_wise=True).to_table().splitlines()
    assert lines[1].split() == ["0", "2", "2", "2", "1.0000", "1.0000"]
    assert "seg             0.833333" in lines


def test_what_can_not_be_compared_is_refused():
    prediction, truth = volumes()
    with pytest.raises(InputError, match="voxels \\(z, y, x\\), the reference"):
        evaluate_instances(Volume(array=prediction.array[:2]), truth)
    with pytest.raises(InputError, match="whole numbers"):
        evaluate_instances(Volume(array=prediction.array * 0.5), truth)
