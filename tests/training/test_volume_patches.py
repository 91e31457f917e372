"""Training on boxes of several slices: what is cut, and a thin run of a network of volumes."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from segkit.data.augmentation import Augmentation
from segkit.data.sources import LabeledVolume, Source
from segkit.data.splits import Split
from segkit.errors import InputError
from segkit.models import unet
from segkit.models.card import ModelCard
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import GreyTriple
from segkit.tasks.cells import CellsTask
from segkit.training.fit import fit
from segkit.training.plan import TrainingPlan
from segkit.training.preparation import prepare, tabulate
from segkit.training.seeding import seed_everything
from segkit.volumes.volume import Volume

PLAN = TrainingPlan(
    patch_px=16,
    patch_slices=4,
    stride_px=8,
    validation_stride_px=16,
    batch_size=4,
    epochs=3,
    learning_rate=1e-2,
    precision="float32",
)


def volume(shape=(16, 32, 32), voxel_size_nm=(2.0, 1.0, 1.0)):
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(size=shape), (1, 3, 3))
    mask = (smooth > smooth.std()).astype(np.uint8)
    image = (40 * mask + rng.normal(0, 10, shape)).astype(np.float32)
    split = Split(train=range(10), validation=range(10, 16), test=())
    return LabeledVolume(
        Source(tomogram="t", mask="m"),
        Volume(array=image, voxel_size_nm=voxel_size_nm),
        Volume(array=mask),
        split,
    )


def test_boxes_overlap_alike_along_all_axes_and_stay_within_their_use():
    one = volume()
    table = tabulate([one], "train", PLAN)
    assert table.patch_shape == (4, 16, 16)
    assert sorted(set(table.rows[:, 1])) == [0, 2, 4, 6]
    assert sorted(set(table.rows[:, 2])) == [0, 8, 16]
    assert sorted(set(tabulate([one], "validation", PLAN).rows[:, 1])) == [10, 12]


def test_turns_follow_the_voxel_size():
    prepared = prepare([volume()], dataclasses.replace(PLAN, augmentation=Augmentation()))
    assert prepared.training.voxel_size == (2.0, 1.0, 1.0)
    assert prepare([volume()], dataclasses.replace(PLAN, patch_slices=None)).training.voxel_size is None


def test_a_network_of_volumes_learns(tmp_path):
    seed_everything(0, deterministic=True)
    prepared = prepare([volume()], PLAN)
    model = unet((None, None, None, 1), filters=(4, 8), strides=[(1, 2, 2)], kernel_sizes=[(1, 3, 3), 3])
    card = ModelCard(name="boxes", structure="blobs", preprocessing=prepared.preprocessing, halo_px=None)
    record = fit(model, prepared.training, prepared.validation, PLAN, tmp_path, card)
    losses = [row["loss"] for row in record.rows]
    assert len(losses) == 3
    assert losses[-1] < 0.9 * losses[0]


def test_plans_of_single_slices_are_written_as_before():
    flat = dataclasses.replace(PLAN, patch_slices=None)
    assert "patch_slices" not in flat.to_dict()
    assert TrainingPlan.from_dict(flat.to_dict()) == flat
    assert TrainingPlan.from_dict(PLAN.to_dict()) == PLAN
    assert (flat.patch_shape, flat.strides("train")) == ((16, 16), (8, 8))


@pytest.mark.parametrize("slices", [0, 1.5, True, "4"])
def test_slices_that_are_no_number_are_refused(slices):
    with pytest.raises(InputError, match=r"plan: patch_slices is .*; give a positive whole number, or null"):
        dataclasses.replace(PLAN, patch_slices=slices)


def test_slices_that_are_resized_make_no_boxes():
    with pytest.raises(InputError, match="patch_slices is 4, but slices are resized one by one"):
        prepare([volume()], PLAN, task=CellsTask(), preprocessing=ColorSlices(coloring=GreyTriple()))
