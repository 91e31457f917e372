"""What is prepared for a training, from volumes of which every number is known by hand."""

import dataclasses
import pathlib

import keras
import numpy as np
import pytest
from hand_made import PLAN, labeled_volume

from segkit.models.card import ModelCard
from segkit.models.files import read_card
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import GreyTriple
from segkit.preprocessing.standardize_each import StandardizeEach
from segkit.training.fit import fit
from segkit.training.preparation import prepare
from segkit.volumes.volume import Volume


def batches(sampler):
    found = [sampler.batch(step) for step in range(sampler.steps_per_epoch)]
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def test_mean_and_deviation_are_those_of_the_training_slices_alone():
    prepared = prepare([labeled_volume()], PLAN)
    deviation = float(np.std([10.0, 30.0, 20.0, 40.0]))
    assert (prepared.preprocessing.mean, prepared.preprocessing.std) == pytest.approx((25.0, deviation))
    images, _ = batches(prepared.validation)
    np.testing.assert_allclose(images[0, :2, :2, 0], [[985, 1005], [995, 1015]] / np.float32(deviation), rtol=1e-5)


def test_foreground_weighs_as_much_more_as_there_is_background_up_to_the_limit():
    for sampler in (prepare([labeled_volume()], PLAN).validation, prepare([labeled_volume()], PLAN).test):
        _, targets = batches(sampler)
        weights = {int(target.sum()): np.unique(weight[target == 1]) for target, weight in np.moveaxis(targets, -1, 1)}
        # 14 and 15 pixels of background for each one of foreground are more than the limit.
        assert {count: found.tolist() for count, found in weights.items()} == {2: [5.0], 0: [], 8: [1.0], 1: [5.0]}
        assert (targets[..., 1][targets[..., 0] == 0] == 1).all()
    _, targets = batches(prepare([labeled_volume()], dataclasses.replace(PLAN, weight_limit=14.5)).validation)
    assert sorted({float(weight) for target in targets for weight in target[..., 1].ravel()}) == [1.0, 7.0, 14.5]
    _, targets = batches(prepare([labeled_volume()], dataclasses.replace(PLAN, weight_limit=None)).validation)
    assert (targets[..., 1] == 1).all()


def test_patches_with_foreground_come_so_much_more_often_in_training_alone():
    prepared = prepare([labeled_volume()], PLAN)
    _, targets = batches(prepared.training)
    counts = np.bincount(targets[..., 0].sum(axis=(1, 2)).astype(int), minlength=9)
    assert {int(count): int(counts[count]) for count in np.flatnonzero(counts)} == {0: 2, 1: 8, 2: 8, 8: 8}
    assert [len(part.table) for part in (prepared.validation, prepared.test)] == [4, 4]


def test_the_card_says_what_the_network_is_given(tmp_path):
    prepared = prepare([labeled_volume()], PLAN)
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1)(inputs)})
    card = ModelCard(name="a", structure="a", preprocessing=prepared.preprocessing, grey_values=prepared.grey_values)
    record = fit(model, prepared.training, prepared.validation, dataclasses.replace(PLAN, epochs=1), tmp_path, card)
    found = read_card(record.publish())
    assert (found.preprocessing.mean, found.preprocessing.std) == pytest.approx((25.0, np.sqrt(125.0)))
    assert (found.grey_values.mean, found.grey_values.std) == pytest.approx((25.0, np.sqrt(125.0)))


def test_volumes_of_another_grey_scale_are_warned_of_unless_each_has_its_own(caplog):
    one = labeled_volume()
    grey = np.random.default_rng(0).integers(0, 256, one.mask.array.shape).astype(np.uint8)
    first, second = (
        dataclasses.replace(one, tomogram=Volume(array=array, source=pathlib.Path(name)))
        for name, array in (("U.tif", grey), ("S.tif", (grey.astype(np.int16) - 128).astype(np.int8)))
    )
    prepare([first, first], PLAN)
    prepare([first, second], PLAN, preprocessing=StandardizeEach(per="volume"))
    assert caplog.text == ""
    prepare([first, second], PLAN)
    assert "the grey values of S.tif are int8 of" in caplog.text
    assert "those of U.tif uint8 of" in caplog.text
    assert "bring them to one scale, or normalise each volume by itself (--normalize volume)" in caplog.text


def test_slices_that_are_coloured_are_not_to_be_normalised(caplog):
    one = labeled_volume()
    grey = np.random.default_rng(0).exponential(30, one.mask.array.shape).clip(0, 255).astype(np.uint8)
    volumes = [dataclasses.replace(one, tomogram=Volume(array=array)) for array in (grey, 255 - grey)]
    prepare(volumes, PLAN, preprocessing=ColorSlices(coloring=GreyTriple()))
    (told,) = [line for line in caplog.messages if "the grey values of" in line]
    assert told.endswith("; light and dark seem to be exchanged: if they are, invert one of the two")
    assert "one scale" not in told
