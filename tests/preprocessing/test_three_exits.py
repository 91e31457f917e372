"""Training, prediction and a served model give a network the same numbers for the same slices, to the last bit."""

import dataclasses

import keras
import numpy as np
import pytest
from own_task import DenoisingTask

from segkit.data.patches import tabulate_patches
from segkit.data.sampler import PatchSampler
from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.geometry.tiles import clamped
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.slice_predictor import SlicePredictor
from segkit.models.card import ModelCard
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import GreyTriple, NeighbourStack
from segkit.preprocessing.preprocessing import PREPROCESSINGS
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.task import TASKS
from segkit.volumes.volume import Volume

SIZE = 32
STACK = np.random.default_rng(0).integers(0, 255, (3, SIZE, SIZE))


@TASKS.register("seen")
@dataclasses.dataclass(frozen=True, kw_only=True)
class SeenTask(DenoisingTask):
    """The output as it is, on the scale of the network's input."""

    @property
    def outputs(self):
        return tuple(dataclasses.replace(output, in_grey_values=False) for output in super().outputs)


def first_channel(preprocessing, task=None):
    """A network whose only output is the first channel of what it is given."""
    channels = preprocessing.num_channels
    layer = keras.layers.Conv2D(1, 1, use_bias=False, dtype="float32", name="values")
    inputs = keras.Input((None, None, channels), name="voxels")
    model = keras.Model(inputs, {"values": layer(inputs)})
    layer.set_weights([np.eye(channels)[:, :1].reshape(1, 1, channels, 1)])
    task = task or SeenTask()
    return LoadedModel(model, ModelCard(name="m", structure="s", task=task, preprocessing=preprocessing, halo_px=0))


def in_training(preprocessing, stack):
    pair = (preprocessing.training_array(stack, SIZE), np.ones(stack.shape, np.uint8))
    table = tabulate_patches([(pair[1], range(3))], patch_shape=(SIZE, SIZE), stride=SIZE)
    images, _ = PatchSampler([pair], table, batch_size=3, preprocessing=preprocessing).batch(0)
    return images[..., 0]


def in_prediction(preprocessing, stack):
    predictor = SlicePredictor(first_channel(preprocessing), Volume(array=stack))
    return np.stack([maps[..., 0] for _, maps in predictor.iter_maps(range(3))])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "float32"])
@pytest.mark.parametrize(("mean", "std"), [(103.7, 41.3), (1e6 / 3, 0.1)])
def test_grey_slices(dtype, mean, std, tmp_path):
    preprocessing = Standardize(mean=mean, std=std)
    stack = (STACK + (mean if dtype == "float32" else 0)).astype(dtype)
    trained = in_training(preprocessing, stack)
    np.testing.assert_array_equal(in_prediction(preprocessing, stack), trained)
    in_graph = preprocessing.in_graph(keras.ops.convert_to_tensor(stack))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(in_graph), trained)
    step = float(np.spacing(np.float32(mean))) / std  # of the mean as float32
    np.testing.assert_allclose(trained, (stack.astype(float) - mean) / std, rtol=1e-5, atol=step + 1e-5)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        from segkit.export.signatures import serving_signatures

        loaded = first_channel(preprocessing)
        served = serving_signatures(loaded.model, loaded.card)[f"raw_{dtype}"].function(tf.constant(stack))
        np.testing.assert_array_equal(served["values"].numpy(), trained)


@pytest.mark.parametrize(("mean", "std"), [(103.7, 41.3), (-2000.0, 0.5)])
def test_images_leave_both_exits_in_the_grey_values_that_they_came_in(mean, std):
    preprocessing = Standardize(mean=mean, std=std)
    stack = (STACK + mean).astype(np.float32)
    loaded = first_channel(preprocessing, DenoisingTask())
    found = np.stack([maps[..., 0] for _, maps in SlicePredictor(loaded, Volume(array=stack)).iter_maps(range(3))])
    np.testing.assert_allclose(found, stack, rtol=1e-6)
    np.testing.assert_allclose(preprocessing.to_grey_values(preprocessing.finish(stack))[..., 0], found, rtol=1e-6)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        from segkit.export.signatures import serving_signatures

        served = serving_signatures(loaded.model, loaded.card)["raw_float32"].function(tf.constant(stack))
        np.testing.assert_allclose(served["values"].numpy(), found, rtol=1e-6)


@pytest.mark.parametrize("shape", [(5, 9), (1, 3), (2, 5, 3)])
def test_slices_are_padded_alike(shape):
    """Slices by indices, boxes by NumPy, served models in the graph."""
    tf = pytest.importorskip("tensorflow")
    from segkit.export.signatures import repeat_edge

    voxels = np.random.default_rng(0).integers(0, 255, (2, *shape, 1)).astype(np.float32)
    far = [(0, 0), *((0, -size % 4) for size in shape), (0, 0)]
    expected = np.pad(voxels, far, mode="edge")
    indices = [clamped(0, size + more, size) for size, (_, more) in zip(shape, far[1:], strict=False)]
    np.testing.assert_array_equal(voxels[np.ix_(range(2), *indices, range(1))], expected)
    np.testing.assert_array_equal(repeat_edge(tf.constant(voxels), 4).numpy(), expected)


def test_colours_have_no_way_back_to_grey_values():
    loaded = first_channel(ColorSlices(coloring=GreyTriple()), DenoisingTask())
    with pytest.raises(InputError, match="cannot be converted back to grey values"):
        loaded.probability_model()


def test_outside_of_the_region_an_image_is_0():
    loaded = first_channel(Standardize(mean=103.7, std=41.3), DenoisingTask())
    options = PredictOptions(roi=Region.parse(":,4:9,:"))
    ((_, maps),) = SlicePredictor(loaded, Volume(array=STACK.astype(np.uint8)), options).iter_maps([1])
    np.testing.assert_allclose(maps[4:9, :, 0], STACK[1, 4:9], rtol=1e-5)
    assert not maps[9:].any()


@pytest.mark.parametrize("coloring", [GreyTriple(), NeighbourStack(), Pseudocoloring(tiles=2, expected_share=0.4)])
def test_coloured_slices(coloring):
    """At the size of the network, where resizing changes nothing; a served network is given what ``finish`` returns."""
    preprocessing, stack = ColorSlices(coloring=coloring), STACK.astype(np.uint8)
    trained = in_training(preprocessing, stack)
    np.testing.assert_array_equal(in_prediction(preprocessing, stack), trained)
    reader = preprocessing.open(stack)
    outside = np.stack([preprocessing.finish(reader.read(z)) for z in range(3)])
    assert outside.shape == (3, SIZE, SIZE, 3)
    np.testing.assert_array_equal(outside[..., 0], trained)
    assert preprocessing.in_graph(stack) is None


@pytest.mark.parametrize(
    "preprocessing",
    [Standardize(), Standardize(mean=1.0, std=2.0), ColorSlices(coloring=Pseudocoloring(tiles=3), windows=(2, 3))],
)
def test_what_plans_and_cards_store_is_read_as_the_same(preprocessing):
    assert PREPROCESSINGS.from_dict(PREPROCESSINGS.to_dict(preprocessing)) == preprocessing


def test_augmentation_is_of_the_normalised_voxels():
    preprocessing = Standardize(mean=10.0, std=4.0)
    found = preprocessing.finish(np.array([[10, 18]], np.uint8), gain=1.5, shift=-0.25)
    np.testing.assert_allclose(found[..., 0], [[-0.25, 2.75]])


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.0), (np.nan, 1.0), (0.0, np.inf), (1.0, None)])
def test_numbers_without_meaning_are_refused(mean, std):
    with pytest.raises(ValueError, match="`mean`"):
        Standardize(mean=mean, std=std)


def test_what_is_not_measured_is_not_applied():
    with pytest.raises(ValueError, match="call `measured` first"):
        Standardize().finish(STACK)
    found = Standardize().measured([(STACK, [0, 2])])
    assert (found.mean, found.std) == pytest.approx((STACK[[0, 2]].mean(), STACK[[0, 2]].std()))
    assert found.measured([(STACK, [1])]) is found, "what is known stays"
