"""The tf.data pipeline and its twin without TensorFlow give the same batches."""

import itertools

import numpy as np
import pytest
from test_sampler import EVERYTHING, sampler

from segkit.data.py_pipeline import PatchPyDataset

tf = pytest.importorskip("tensorflow")


def test_the_twins_agree_over_epochs():
    from segkit.data.pipeline import patch_dataset

    source = sampler(augmentation=EVERYTHING)
    count = 2 * source.steps_per_epoch + 1
    twin = PatchPyDataset(sampler(augmentation=EVERYTHING), first_epoch=1)
    stream = itertools.islice(patch_dataset(source, first_epoch=1), count)
    for step, (images, targets) in enumerate(stream):
        other_images, other_targets = twin[step]
        np.testing.assert_array_equal(targets["logits"].numpy(), other_targets["logits"])
        np.testing.assert_allclose(images.numpy(), other_images, atol=1e-6)


def test_a_later_start_is_the_tail_of_the_stream():
    from segkit.data.pipeline import patch_dataset

    source = sampler(augmentation=EVERYTHING)
    steps = source.steps_per_epoch
    whole = list(itertools.islice(patch_dataset(source), 2 * steps))
    tail = list(itertools.islice(patch_dataset(source, first_epoch=1), steps))
    for (mine, _), (other, _) in zip(whole[steps:], tail, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())


def test_shapes_are_known_to_the_graph():
    from segkit.data.pipeline import patch_dataset

    images, targets = patch_dataset(sampler()).element_spec
    assert images.shape.as_list() == [None, 8, 8, 1]
    assert targets["logits"].shape.as_list() == [None, 8, 8, 2]
