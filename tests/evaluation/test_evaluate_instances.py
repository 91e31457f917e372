import numpy as np
import pytest

from segkit.errors import InputError
from segkit.evaluation.evaluate_instances import COUNT_TITLES, evaluate_instances
from segkit.evaluation.evaluate_volumes import evaluate_volumes
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
    assert f"{COUNT_TITLES['found']:<16}6" in lines and not any(line.startswith("found") for line in lines)


def test_the_head_of_the_table_names_its_columns():
    head, *_ = evaluate_instances(*volumes()).to_table().splitlines()
    assert head.split() == ["slice", "objects", "predicted", "matched", "SEG", "AP@0.5"]
    (row,) = (line.split() for line in evaluate_instances(*volumes()).to_table().splitlines() if line.startswith("all"))
    assert row[1:4] == ["2", "3", "2"]


def test_panoptic_quality_is_counted_over_the_objects_of_all_volumes():
    one, perfect = evaluate_instances(*volumes()), evaluate_instances(volumes()[1], volumes()[1])
    # Two pairs of IoU 2/3 and 1, and a false object; then two more pairs of IoU 1.
    for evaluation, expected in (
        (one, ((2 / 3 + 1) / 2.5, 5 / 6, 2 / 2.5)),
        (one + perfect, ((2 / 3 + 3) / 4.5, 11 / 12, 4 / 4.5)),
    ):
        total = evaluation.to_dict()["total"]
        assert (total["pq"], total["sq"], total["rq"]) == pytest.approx(expected)
        assert total["pq"] == pytest.approx(total["sq"] * total["rq"])
        lines = evaluation.to_table().splitlines()
        assert {f"{name:<16}{total[name]:.6f}" for name in ("pq", "sq", "rq")} <= {*lines}


def test_what_can_not_be_compared_is_refused():
    prediction, truth = volumes()
    with pytest.raises(InputError, match="voxels \\(z, y, x\\), the reference"):
        evaluate_instances(Volume(array=prediction.array[:2]), truth)
    with pytest.raises(InputError, match="whole numbers"):
        evaluate_instances(Volume(array=prediction.array * 0.5), truth)


OF_THE_MASK = ("foreground_iou", "background_iou", "mean_iou", "dice", "precision", "recall", "pixel_accuracy")


def half_known(value, dtype=np.int32):
    """Objects of which the right part is unannotated, and ids found everywhere."""
    rng = np.random.default_rng(3)
    truth, found = (np.kron(rng.integers(0, 6, (4, 5, 6)), np.ones((1, 3, 3))).astype(dtype) for _ in range(2))
    truth[:, 4:, 11:] = value
    return found, truth


@pytest.mark.parametrize("value", [-1, 255])
@pytest.mark.parametrize("options", [{}, {"slice_wise": True}, {"slices": [0, 3]}], ids=["3-D", "slices", "some"])
def test_objects_are_scored_as_if_nothing_were_in_unannotated_voxels(value, options):
    found, truth = half_known(value)
    known = truth != value
    scored = evaluate_instances(Volume(array=found), Volume(array=truth), ignore_value=value, **options)
    blanked = evaluate_instances(Volume(array=found * known), Volume(array=truth * known), **options)
    for part, expected in zip(scored.parts, blanked.parts, strict=True):
        for name, array in vars(expected.overlaps).items():
            np.testing.assert_array_equal(getattr(part.overlaps, name), array)
    total = scored.total()
    of_objects = {name: score for name, score in total.items() if name not in OF_THE_MASK}
    assert of_objects == {name: blanked.total()[name] for name in of_objects}
    # Of the mask unannotated voxels are no background either.
    masks = [Volume(array=array) for array in ((found > 0).astype(np.int32), np.where(known, truth > 0, value))]
    slices = options.get("slices")
    mask = evaluate_volumes(*masks, ignore_value=value, slices=slices).to_dict()["total"]
    assert {name: total[name] for name in OF_THE_MASK} == {name: mask[name] for name in OF_THE_MASK}
    assert total["pixel_accuracy"] < blanked.total()["pixel_accuracy"]


def test_objects_in_unannotated_voxels_vanish_and_are_cut_at_them():
    truth, found = np.zeros((1, 4, 12), np.uint8), np.zeros((1, 4, 12), np.uint8)
    truth[:, :, 6:], truth[:, :2, :4] = 255, 1
    found[:, :2, :8], found[:, 2:, 8:] = 3, 4
    evaluation = evaluate_instances(Volume(array=found), Volume(array=truth), ignore_value=255)
    assert (evaluation.total()["objects"], evaluation.total()["found"]) == (1, 1)
    assert evaluation.seg == pytest.approx(8 / 12)  # 4 of the 6 columns that are left of object 3
    assert evaluation.ignore_value == 255
    assert (evaluation + evaluation).ignore_value == 255
    assert (evaluation + evaluate_instances(Volume(array=found), Volume(array=found))).ignore_value is None


def test_ids_in_unannotated_voxels_may_be_any():
    truth = np.zeros((2, 4, 6), np.float32)
    truth[:, :, :2], truth[:, :, 4:] = 1, -1.0
    found = truth.copy()
    found[:, :, 4:] = 0.5
    assert evaluate_instances(Volume(array=found), Volume(array=truth), ignore_value=-1).seg == 1
    with pytest.raises(InputError, match="the ignore value is 0"):
        evaluate_instances(Volume(array=truth), Volume(array=truth), ignore_value=0)


@pytest.mark.parametrize("slice_wise", [False, True])
def test_an_object_of_the_reference_that_is_far_larger_than_all_others_is_told_of(slice_wise):
    truth = np.zeros((3, 20, 20), np.uint8)
    truth[:, :2, :2], truth[:, 4:6, :3], truth[:, 8:] = 1, 2, 255
    scored = evaluate_instances(Volume(array=truth), Volume(array=truth), slice_wise=slice_wise)
    assert scored.huge_object_warning().startswith("the object 255 has 96 % of the voxels with an id, 40 times as many")
    options = {"slice_wise": slice_wise, "ignore_value": 255}
    assert evaluate_instances(Volume(array=truth), Volume(array=truth), **options).huge_object_warning() is None
    few = np.where(truth == 255, 0, truth)
    assert evaluate_instances(Volume(array=truth), Volume(array=few)).huge_object_warning() is None
