"""Training on coloured slices: what is drawn, and a thin run from stacks to cells."""

import dataclasses
import pathlib

import keras
import numpy as np
import pytest
from tiny_encoder import TINY_ENCODER

from segkit.data.augmentation import NO_AUGMENTATION, Augmentation
from segkit.data.cell_simulation import CellSimulation
from segkit.data.simulated_cells import simulate_cells
from segkit.data.sources import LabeledVolume, Source
from segkit.data.splits import Split
from segkit.errors import InputError
from segkit.evaluation.seg_score import reference_jaccards
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.slice_predictor import SlicePredictor
from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.label_overlaps import count_overlaps
from segkit.instances.segment_instances import segment_instances
from segkit.models import cells_and_centers, efficient_cell_seg
from segkit.models.card import ModelCard
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.preprocessing.resized_slices import resized
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.cells import CellsTask
from segkit.tasks.centers import CentersTask, runs_of_uses
from segkit.training.fit import fit
from segkit.training.plan import TrainingPlan
from segkit.training.preparation import prepare
from segkit.volumes.volume import Volume

SIMULATION = CellSimulation(shape=(12, 80, 96), count=9, spacing=1.0)
PLAN = TrainingPlan(patch_px=64, batch_size=4, epochs=6, learning_rate=3e-3, l2=1e-5, augmentation=NO_AUGMENTATION)
COLORING = Pseudocoloring(tiles=4, expected_share=0.3)
COLORS, CELLS, CENTERS = ColorSlices(coloring=COLORING), CellsTask(), CentersTask()


def volume(seed, **slices):
    image, labels = simulate_cells(SIMULATION, seed)
    split = Split(**{"train": (), "validation": (), "test": ()} | slices)
    return LabeledVolume(Source(tomogram="t", mask="m"), Volume(array=image), Volume(array=labels), split)


def test_every_slice_of_a_use_is_one_patch():
    volumes = [volume(0, train=(0, 1, 5), test=(7,)), volume(1, validation=(2, 3))]
    prepared = prepare(volumes, PLAN, task=CELLS, preprocessing=COLORS)
    assert prepared.training.table.rows[:, :2].tolist() == [[0, 0], [0, 1], [0, 5]]
    assert prepared.validation.table.rows[:, :2].tolist() == [[1, 2], [1, 3]]
    assert prepared.test.table.rows[:, :2].tolist() == [[0, 7]]
    assert prepared.preprocessing == COLORS
    images, targets = prepared.validation.batch(0)
    (expected,) = COLORING.color(volumes[1].tomogram.array, [3])
    np.testing.assert_allclose(images[1], resized(expected, 64), atol=1e-4)
    share = (np.asarray(volumes[1].mask.array[3]) > 0).mean()
    assert targets[1, ..., 0].mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("dtype", [np.float32, bool])
def test_ids_of_any_type_have_centres(dtype):
    """Some programs write nothing but floating-point numbers; one cell may be a mask."""
    image, labels = simulate_cells(SIMULATION, 0)
    labels = labels.astype(dtype).astype(np.int32)
    split = Split(train=(4, 5), validation=(7,), test=())
    source = Source(tomogram="t", mask="m")
    of_numbers, other = (
        LabeledVolume(source, Volume(array=image), Volume(array=labels.astype(kind)), split)
        for kind in (np.int32, dtype)
    )
    expected, found = (
        prepare([one], PLAN, task=CENTERS, preprocessing=COLORS).training.batch(0)[1] for one in (of_numbers, other)
    )
    assert expected.shape[-1] == 3
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("dtype", "value"), [(np.int16, -1), (np.float32, 255), (np.uint16, 999)])
def test_unannotated_pixels_weigh_nothing_and_have_no_centre(dtype, value):
    image, labels = simulate_cells(SIMULATION, 0)
    unknown = np.zeros(labels.shape, bool)
    unknown[:, :, 48:] = True
    split, source = Split(train=(4, 5, 6), validation=(7,), test=()), Source(tomogram="t", mask="m")
    drawn, blanked = (
        LabeledVolume(source, Volume(array=image), Volume(array=np.where(unknown, there, labels).astype(dtype)), split)
        for there in (value, 0)
    )
    plan = dataclasses.replace(PLAN, ignore_value=value)
    (_, found), (_, expected) = (
        prepare([one], settings, task=CENTERS, preprocessing=COLORS).training.batch(0)
        for one, settings in ((drawn, plan), (blanked, PLAN))
    )
    outside = slice(0, 32)  # of 64 columns, which stand for 96
    np.testing.assert_array_equal(found[..., 1], expected[..., 1])  # the heatmap
    np.testing.assert_array_equal(found[:, :, outside], expected[:, :, outside])
    assert (expected[..., 0] > 0).any() and (expected[..., 1] == 1).any()
    np.testing.assert_array_equal(found[..., 2] == 0, np.broadcast_to(np.arange(64) >= 32, found.shape[:-1]))
    # Whatever the network says there costs nothing.
    logits = np.random.default_rng(0).normal(size=(2, *found.shape[:-1])).astype(np.float32)
    logits[1, ..., outside] = logits[0, ..., outside]
    for name, loss in CENTERS.losses().items():
        channels = [0, 2] if name == "logits" else [1, 2]
        costs = [float(loss(found[..., channels], one[..., None])) for one in logits]
        assert costs[0] == pytest.approx(costs[1], rel=1e-6) and costs[0] > 0


def test_every_window_of_a_slice_is_one_patch():
    prepared = prepare(
        [volume(0, train=(4,), validation=(5,))],
        PLAN,
        task=CELLS,
        preprocessing=ColorSlices(coloring=COLORING, windows=(2, 3)),
    )
    # squares of 40 px: two along 80, three along 96
    assert prepared.training.table.rows[:, 1].tolist() == [24, 25, 26, 27, 28, 29]
    whole = prepare([volume(0, train=(4,), validation=(5,))], PLAN, task=CELLS, preprocessing=COLORS)
    images, _ = prepared.training.with_seed(0).without_augmentation().batch(0)
    assert images.shape == (4, 64, 64, 3)
    assert len(whole.training.table) == 1


def test_a_stack_that_nothing_is_learnt_from_is_refused():
    with pytest.raises(InputError, match="no slices to validate with"):
        prepare([volume(0, train=(4,))], PLAN, task=CELLS, preprocessing=COLORS)
    empty = dataclasses.replace(volume(0, train=(4,), validation=(5,)), mask=Volume(array=np.zeros((12, 80, 96), int)))
    with pytest.raises(InputError, match="no foreground on the training slices"):
        prepare([empty], PLAN, task=CELLS, preprocessing=COLORS)


def test_from_stacks_to_cells(tmp_path):
    everything = tuple(range(12))
    volumes = [volume(seed, train=everything) for seed in range(3)] + [volume(3, validation=everything)]
    plan = dataclasses.replace(PLAN, augmentation=Augmentation())
    keras.utils.set_random_seed(0)
    model = efficient_cell_seg(size=64, decoder_filters=(8, 4), encoder=TINY_ENCODER)
    card = ModelCard(
        name="cells",
        structure="cells",
        task=CELLS,
        preprocessing=COLORS,
        multiple_px=1,
        halo_px=None,
    )
    prepared = prepare(volumes, plan, task=CELLS, preprocessing=COLORS)
    record = fit(model, prepared.training, prepared.validation, plan, tmp_path, card)
    assert record.rows[-1]["val_mean_iou"] > 0.7
    image, truth = simulate_cells(SIMULATION, seed=100)
    predictor = SlicePredictor(LoadedModel.open(record.publish()), Volume(array=image))
    probability = np.stack([found[..., 0] for _, found in predictor.iter_maps(everything)])
    settings = InstanceSettings(seed_distance=3, min_size=20)
    found = segment_instances(probability, settings, voxel_size=SIMULATION.voxel_size_um)
    assert reference_jaccards(count_overlaps(truth, found)).mean() > 0.4


def test_targets_of_the_training_know_nothing_of_other_slices():
    whole = volume(0, train=tuple(range(8)), validation=(8, 9), test=(10, 11))
    labels = np.where(np.arange(12)[:, None, None] < 8, whole.mask.array, 0)
    erased = dataclasses.replace(whole, mask=Volume(array=labels))
    first, second = (
        prepare([known, volume(3, validation=tuple(range(12)))], PLAN, task=CENTERS, preprocessing=COLORS).training
        for known in (whole, erased)
    )
    for step in range(first.steps_per_epoch):
        for found, expected in zip(second.batch(step), first.batch(step), strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("in_part", [False, True])
def test_slices_of_one_use_that_touch_are_looked_at_together(in_part):
    source = Source(tomogram="t", mask="m", annotated_in_part=in_part)
    known = dataclasses.replace(volume(0, train=(0, 1, 2, 5), validation=(3, 4), test=(7,)), source=source)
    runs = [(0, 3), (5, 6), (3, 5), (7, 8)]
    assert runs_of_uses(known) == ([(z, z + 1) for z in (0, 1, 2, 5, 3, 4, 7)] if in_part else runs)


def test_cells_and_their_centres_are_learnt_side_by_side(tmp_path):
    everything = tuple(range(12))
    volumes = [volume(0, train=everything), volume(3, validation=everything)]
    keras.utils.set_random_seed(0)
    model = cells_and_centers(size=64, decoder_filters=(8, 4), encoder=TINY_ENCODER)
    card = ModelCard(name="cells", structure="cells", task=CENTERS, preprocessing=COLORS)
    plan = dataclasses.replace(PLAN, epochs=4)
    prepared = prepare(volumes, plan, task=CENTERS, preprocessing=COLORS)
    _, targets = prepared.training.batch(0)
    assert targets.shape == (4, 64, 64, 3)
    record = fit(model, prepared.training, prepared.validation, plan, tmp_path, card)
    first, last = record.rows[0], record.rows[-1]
    assert last["val_mean_iou"] > first["val_mean_iou"]
    assert last["val_centers_loss"] < 0.8 * first["val_centers_loss"]


@pytest.mark.parametrize("preprocessing", [COLORS, Standardize()], ids=["coloured", "standardised"])
def test_images_without_contrast_are_refused(preprocessing):
    good, other = volume(0, train=(4, 5), validation=(6,)), volume(1, train=(4, 5), validation=(6,))
    flat = dataclasses.replace(
        other, tomogram=Volume(array=np.full_like(other.tomogram.array, 7), source=pathlib.Path("flat.tif"))
    )
    prepare([good, other], PLAN, task=CELLS, preprocessing=preprocessing)
    with pytest.raises(InputError, match=r"flat\.tif: all voxels of its training slices are 7; check that it is an"):
        prepare([good, flat], PLAN, task=CELLS, preprocessing=preprocessing)


def test_a_single_stack_without_contrast_is_refused():
    black = dataclasses.replace(volume(0, train=(4, 5), validation=(6,)), tomogram=Volume(array=np.zeros((12, 80, 96))))
    with pytest.raises(InputError, match="all voxels of its training slices are 0"):
        prepare([black], PLAN, task=CELLS, preprocessing=COLORS)
