import copy
import dataclasses
import pickle

import keras
import numpy as np
import pytest

from segkit.data.augmentation import Augmentation
from segkit.data.patches import tabulate_patches
from segkit.data.py_pipeline import PatchPyDataset
from segkit.data.sampler import PatchSampler, named_targets
from segkit.preprocessing.standardize import Standardize
from segkit.targets.centers import CentersTarget
from segkit.targets.classes import ClassTarget
from segkit.targets.foreground import ForegroundTarget
from segkit.targets.image import ImageTarget

EVERYTHING = Augmentation(brightness=0.3, contrast=0.2, elastic_px=1.0, elastic_grid_px=4)


def volumes(seed=0, shape=(3, 24, 20)):
    rng = np.random.default_rng(seed)
    mask = (rng.random(shape) > 0.8).astype(np.int8)
    return (rng.integers(-100, 100, shape) + 20 * mask).astype(np.int8), mask


def sampler(pair=None, **changes):
    pair = volumes() if pair is None else pair
    table = tabulate_patches([(pair[1], range(len(pair[1])))], patch_shape=(8, 8), stride=6)
    arguments = {
        "batch_size": 4,
        "preprocessing": Standardize(mean=5.0, std=40.0),
        "target": ForegroundTarget(weight_limit=50.0),
        "shuffle": True,
        "seed": 1,
    }
    return PatchSampler([pair], table, **{**arguments, **changes})


def test_every_patch_comes_once_an_epoch():
    source = sampler()
    assert source.steps_per_epoch == -(-len(source.table) // 4)
    assert sorted(source.order(3)) == list(range(len(source.table)))
    sizes = [len(source.batch(step)[0]) for step in range(source.steps_per_epoch)]
    assert sum(sizes) == len(source.table)


def test_batches_do_not_depend_on_what_was_asked_before():
    source = sampler(augmentation=EVERYTHING)
    late = source.batch(2 * source.steps_per_epoch + 1)
    fresh = sampler(augmentation=EVERYTHING)
    for step in range(5):
        fresh.batch(step)
    for mine, other in zip(late, fresh.batch(2 * source.steps_per_epoch + 1), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_epochs_and_seeds_differ_in_order_and_change():
    source, other_seed = sampler(augmentation=EVERYTHING), sampler(augmentation=EVERYTHING, seed=2)
    assert source.order(0).tolist() != source.order(1).tolist()
    assert source.order(0).tolist() != other_seed.order(0).tolist()
    fixed = sampler(augmentation=EVERYTHING, shuffle=False)
    assert not np.array_equal(fixed.batch(0)[0], fixed.batch(fixed.steps_per_epoch)[0])


def test_the_order_of_a_seed_is_the_same_in_every_version():
    found = sampler(shuffle=True, seed=7)
    for epoch in (0, 2):
        expected = np.random.default_rng([7, 0, epoch]).permutation(len(found.table))
        np.testing.assert_array_equal(found.order(epoch), expected)


def test_without_changes_a_patch_is_the_normalised_voxels():
    image, mask = volumes()
    source = sampler((image, mask), shuffle=False)
    images, targets = source.batch(0)
    for i in range(4):
        _, z, y, x = source.table.rows[i]
        window = (z, slice(y, y + 8), slice(x, x + 8))
        np.testing.assert_allclose(images[i, ..., 0], (image[window] - 5.0) / 40.0, atol=1e-6)
        np.testing.assert_array_equal(targets[i, ..., 0], mask[window])


def test_image_mask_and_weights_move_together():
    _, mask = volumes()
    # The image is the mask, so wherever a change moves them they must still agree.
    source = sampler((mask, mask), preprocessing=Standardize(mean=0.0, std=1.0), augmentation=Augmentation())
    for step in range(source.steps_per_epoch):
        images, targets = source.batch(step)
        np.testing.assert_array_equal(images[..., 0], targets[..., 0])
        foreground = targets[..., 0] > 0
        assert (targets[~foreground][:, 1] == 1).all()
        for one in targets:
            inside = one[..., 0] > 0
            if inside.any():
                expected = min((64 - inside.sum()) / inside.sum(), 50.0)
                np.testing.assert_allclose(one[inside][:, 1], expected, rtol=1e-6)


def test_all_eight_flips_and_turns_occur():
    corner = np.zeros((1, 8, 8), np.int8)
    corner[0, 0, 1] = 1
    table = tabulate_patches([(corner, [0])], patch_shape=(8, 8), stride=8)
    source = PatchSampler(
        [(corner, corner)],
        table,
        batch_size=1,
        preprocessing=Standardize(mean=0.0, std=1.0),
        augmentation=Augmentation(),
        seed=0,
    )
    seen = {tuple(np.argwhere(source.batch(step)[0][0, ..., 0] > 0)[0].tolist()) for step in range(100)}
    assert seen == {(0, 1), (0, 6), (1, 0), (1, 7), (6, 0), (6, 7), (7, 1), (7, 6)}


def test_brightness_and_contrast_stay_in_their_bounds_and_leave_the_mask_alone():
    image = np.full((1, 8, 8), 10, np.int8)
    mask = np.zeros((1, 8, 8), np.int8)
    mask[0, 2:4] = 1
    table = tabulate_patches([(mask, [0])], patch_shape=(8, 8), stride=8)
    change = Augmentation(flips=False, turns=False, brightness=0.5, contrast=0.25)
    source = PatchSampler(
        [(image, mask)], table, batch_size=1, preprocessing=Standardize(mean=0.0, std=10.0), augmentation=change
    )
    drawn = []
    for step in range(200):
        images, targets = source.batch(step)
        assert np.ptp(images) == 0
        np.testing.assert_array_equal(targets[0, ..., 0], mask[0])
        drawn.append(images[0, 0, 0, 0])
    assert 0.25 <= min(drawn) < 0.4
    assert 1.6 < max(drawn) <= 1.75


def test_bending_moves_image_and_mask_alike():
    mask = np.zeros((1, 64, 64), np.int8)
    mask[0, 16:48, 16:48] = 1
    table = tabulate_patches([(mask, [0])], patch_shape=(64, 64), stride=64)
    bend = Augmentation(flips=False, turns=False, elastic_px=3.0, elastic_grid_px=16)
    source = PatchSampler(
        [(mask, mask)], table, batch_size=1, preprocessing=Standardize(mean=0.0, std=1.0), augmentation=bend
    )
    images, targets = source.batch(0)
    moved = targets[0, ..., 0]
    assert 0 < np.abs(moved - mask[0]).sum() < 0.5 * mask.sum()
    assert set(np.unique(moved)) == {0.0, 1.0}
    # The nearest of four pixels has at least a quarter of the linear weight; OpenCV places it to 1/32 px.
    assert np.abs(images[0, ..., 0] - moved).max() <= 3 / 4 + 2 / 32


@pytest.mark.parametrize("dtype", [bool, np.uint32, np.int64, np.float16])
def test_masks_of_any_type_can_be_bent(dtype):
    image, mask = volumes()
    other = sampler((image, mask.astype(dtype)), augmentation=EVERYTHING).batch(0)
    for mine, same in zip(other, sampler((image, mask), augmentation=EVERYTHING).batch(0), strict=True):
        np.testing.assert_array_equal(mine, same)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"contrast": 1.0}, "`contrast` must be in"), ({"brightness": -1.0}, "must be finite and not negative")],
)
def test_augmentation_without_meaning_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**arguments)


def test_annotations_that_the_target_does_not_take_are_refused():
    with pytest.raises(ValueError, match=r"an image and 2 annotations for this target\. Received: 1 annotations"):
        sampler(target=CentersTarget())


class Returned:
    """A target that leaves ``out`` alone and returns an array of its own."""

    channels = 1
    nearest = (True,)

    def __init__(self, make=lambda target: target):
        self.make = make

    def __call__(self, parts, out=None):
        return self.make(ForegroundTarget()(parts))


@pytest.mark.parametrize("elastic_px", [0.0, 2.0])
def test_a_target_that_returns_its_array_is_as_good_as_one_that_writes_it(elastic_px):
    changed = {"augmentation": Augmentation(elastic_px=elastic_px)}
    expected, found = (sampler(target=target, **changed).batch(0)[1] for target in (ForegroundTarget(), Returned()))
    assert 0 < expected[..., 0].mean() < 1
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(sampler(target=Returned(np.float64), **changed).batch(0)[1], expected)


@pytest.mark.parametrize(
    ("make", "received"), [(lambda target: None, "NoneType"), (lambda target: target[..., :1], r"shape=\(.*, 1\)")]
)
def test_a_target_that_returns_something_else_is_refused(make, received):
    with pytest.raises(ValueError, match=f"`target` must return the target with its weight behind.*{received}"):
        sampler(target=Returned(make)).batch(0)


def test_weights_of_a_target_are_not_negative():
    for value in (-1.0, np.nan):
        target = Returned(lambda made, value=value: np.concatenate([made[..., :1], 0 * made[..., :1] + value], axis=-1))
        with pytest.raises(ValueError, match=r"must return weights that are not negative.*Received: (-1.0|nan)"):
            sampler(target=target).batch(0)


def test_a_sampler_without_patches_is_refused():
    none = np.zeros(0, int)
    empty = dataclasses.replace(sampler().table, rows=np.zeros((0, 4), int), foreground=none, background=none)
    with pytest.raises(ValueError, match="at least one patch"):
        PatchSampler([volumes()], empty, batch_size=1, preprocessing=Standardize(mean=0.0, std=1.0))


def test_a_memory_mapped_volume_is_read_by_patches_only():
    class Watched:
        def __init__(self, array):
            self.array, self.voxels = array, 0

        def __getitem__(self, index):
            part = self.array[index]
            self.voxels += part.size
            return part

    image, mask = volumes()
    source = sampler((image, mask))
    watched = Watched(image)
    source.pairs = [(watched, mask)]
    source.batch(0)
    assert watched.voxels == 4 * 8 * 8


def test_several_classes_come_as_they_are_and_move_with_the_image():
    image, _ = volumes()
    labels = (np.abs(image.astype(int)) // 30).astype(np.uint8) % 4
    source = sampler(
        (labels.astype(np.float32), labels),
        preprocessing=Standardize(mean=0.0, std=1.0),
        target=ClassTarget(num_classes=4),
    )
    turned = sampler(
        (labels.astype(np.float32), labels),
        preprocessing=Standardize(mean=0.0, std=1.0),
        target=ClassTarget(num_classes=4),
        augmentation=Augmentation(),
    )
    for each in (source, turned):
        images, targets = each.batch(1)
        np.testing.assert_array_equal(images[..., 0], targets[..., 0])
        assert set(np.unique(targets[..., 0])) == {0, 1, 2, 3}
        assert (targets[..., 1] == 1).all()


def test_outputs_are_compared_with_their_own_channels_and_the_weight():
    targets = np.arange(2 * 4).reshape(1, 1, 2, 4)
    found = named_targets(targets, {"logits": (0, 1), "offsets": (1, 3)})
    assert found["logits"].tolist() == [[[[0, 3], [4, 7]]]]
    assert found["offsets"].tolist() == [[[[1, 2, 3], [5, 6, 7]]]]
    with pytest.raises(ValueError, match="must name channels of the target, which has 1"):
        named_targets(targets[..., :2], {"logits": (0, 1), "centers": (1, 2)})
    plain = np.zeros((1, 1, 1, 2))
    assert named_targets(plain, {"a": (0, 1), "b": (0, 1)}) == {"a": plain, "b": plain}


BOX = (4, 8, 8)


def deep_sampler(pair, **changes):
    table = tabulate_patches([(pair[1], range(len(pair[1])))], patch_shape=BOX, stride=(2, 6, 6))
    arguments = {"batch_size": 3, "preprocessing": Standardize(mean=0.0, std=1.0), "shuffle": True, "seed": 1}
    return PatchSampler([pair], table, **{**arguments, **changes})


def test_boxes_are_batches_of_volumes():
    image, mask = volumes(shape=(9, 20, 16))
    source = deep_sampler((image, mask), shuffle=False)
    images, targets = source.batch(0)
    assert images.shape == (3, *BOX, 1)
    assert targets.shape == (3, *BOX, 2)
    for i, (_, z, y, x) in enumerate(source.table.rows[:3]):
        box = (slice(z, z + 4), slice(y, y + 8), slice(x, x + 8))
        np.testing.assert_array_equal(images[i, ..., 0], image[box])
        np.testing.assert_array_equal(targets[i, ..., 0], mask[box])


@pytest.mark.parametrize("voxel_size", [None, (4.0, 1.0, 1.0)])
@pytest.mark.parametrize("elastic_px", [0.0, 1.0])
def test_boxes_and_their_annotation_move_together(voxel_size, elastic_px):
    _, mask = volumes(shape=(9, 20, 16))
    mask = mask.repeat(2, axis=1).repeat(2, axis=2)
    augmentation = Augmentation(elastic_px=elastic_px, elastic_grid_px=16)
    source = deep_sampler((mask, mask), augmentation=augmentation, voxel_size=voxel_size)
    plain = source.without_augmentation()
    moved = 0
    for step in range(source.steps_per_epoch):
        images, targets = source.batch(step)
        assert ((images[..., 0] > 0.5) == targets[..., 0]).mean() > (0.9 if elastic_px else 1 - 1e-9)
        moved += int((targets[..., 0] != plain.batch(step)[1][..., 0]).any())
    assert moved


def test_interpolated_annotations_of_boxes_are_bent_like_their_image():
    image = np.random.default_rng(0).normal(size=(6, 16, 16)).astype(np.float32)
    augmentation = Augmentation(elastic_px=1.0, elastic_grid_px=8)
    source = deep_sampler((image, image), augmentation=augmentation, target=ImageTarget())
    images, targets = source.batch(0)
    np.testing.assert_allclose(images[..., 0], targets[..., 0], atol=1e-6)
    assert (targets[..., 1] == 1).all()


def test_streams_give_boxes():
    image, mask = volumes(shape=(9, 20, 16))
    source = deep_sampler((image, mask))
    images, targets = PatchPyDataset(source)[1]
    np.testing.assert_array_equal(images, source.batch(1)[0])
    if keras.backend.backend() == "tensorflow":
        from segkit.data.pipeline import patch_dataset

        stream = patch_dataset(source)
        assert stream.element_spec[0].shape.as_list() == [None, *BOX, 1]
        assert stream.element_spec[1]["logits"].shape.as_list() == [None, *BOX, 2]
        np.testing.assert_array_equal(next(iter(stream.skip(1)))[1]["logits"], targets["logits"])


def zeros(*shapes):
    return tuple(np.zeros(shape, np.uint8) for shape in shapes)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([zeros((2, 64, 64), (2, 80, 64))], r"annotations of the shape of their image .* \(2, 80, 64\) in pair 0"),
        ([zeros((2, 64, 64, 3), (2, 64, 60))], r"annotations of the shape of their image"),
        ([zeros((2, 64, 64), (2, 64, 64)), zeros((2, 64, 64), (1, 64, 64))], r"\(1, 64, 64\) in pair 1"),
        ([zeros((2, 40, 64), (2, 40, 64))], r"begins at \(0, 32, 0\) in volume 0, which is \(2, 40, 64\)"),
        ([zeros((1, 64, 64), (1, 64, 64))], r"begins at \(1, 0, 0\) in volume 0, which is \(1, 64, 64\)"),
        ([zeros((64, 64), (64, 64))], r"images \(z, y, x\), or .*Received: \(64, 64\)"),
        ([zeros((2, 64, 64), (2, 64, 64)), zeros((2, 64, 64, 3), (2, 64, 64))], "of equal channels"),
        ([], "at least one image"),
    ],
)
def test_volumes_and_table_that_do_not_fit_each_other_are_refused(pairs, message):
    table = tabulate_patches([(np.zeros((2, 64, 64)), range(2))], patch_shape=(32, 32), stride=32)
    with pytest.raises(ValueError, match=message):
        PatchSampler(pairs, table, batch_size=8, preprocessing=Standardize(mean=0.0, std=1.0))


def test_a_table_of_more_volumes_than_are_given_is_refused():
    table = tabulate_patches([(np.zeros((2, 32, 32)), [0]), (np.zeros((2, 32, 32)), [1])], patch_shape=(8, 8), stride=8)
    with pytest.raises(ValueError, match="1 pairs, patches of volume 1"):
        PatchSampler([zeros((2, 32, 32), (2, 32, 32))], table, batch_size=8, preprocessing=Standardize(mean=0, std=1))


def test_boxes_outside_of_their_volume_are_refused():
    table = tabulate_patches([(np.zeros((5, 16, 16)), range(5))], patch_shape=(3, 8, 8), stride=2)
    with pytest.raises(ValueError, match=r"begins at \(2, 0, 0\) in volume 0, which is \(4, 16, 16\)"):
        PatchSampler([zeros((4, 16, 16), (4, 16, 16))], table, batch_size=8, preprocessing=Standardize(mean=0, std=1))


@pytest.mark.parametrize("batch_size", [2.5, "4", True])
def test_a_batch_size_that_is_no_whole_number_is_refused(batch_size):
    with pytest.raises(ValueError, match="`batch_size` must be a positive whole number"):
        sampler(batch_size=batch_size)


def test_a_sampler_can_be_sent_to_another_process():
    source = sampler(augmentation=EVERYTHING)
    expected = source.batch(3)
    for other in (pickle.loads(pickle.dumps(source)), copy.deepcopy(source)):
        for mine, found in zip(expected, other.batch(3), strict=True):
            np.testing.assert_array_equal(mine, found)
        assert other.with_seed(7).order(0).tolist() == source.with_seed(7).order(0).tolist()
        assert other.with_seed(7).order(0).tolist() != source.order(0).tolist()
