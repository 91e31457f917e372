"""A network of coloured slices as it is served: any size, probability and mask, through the C++ loader."""

import keras
import numpy as np
import pytest
from through_cpp_loader import through_cpp_loader
from tiny_encoder import TINY_ENCODER

from segkit.export.saved_model import export_saved_model, read_exported_card
from segkit.instances.instance_settings import InstanceSettings
from segkit.models import cells_and_centers, efficient_cell_seg
from segkit.models.card import ModelCard
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.tasks.cells import CellsTask
from segkit.tasks.centers import CentersTask

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports run on TensorFlow")
COLORING = Pseudocoloring(tiles=2, expected_share=0.4)


@pytest.mark.parametrize("builder", [efficient_cell_seg, cells_and_centers])
def test_a_coloured_image_of_any_size_gives_what_keras_gives(builder, tmp_path):
    keras.utils.set_random_seed(0)
    model = builder(size=32, decoder_filters=(4, 3), encoder=TINY_ENCODER)
    stack = np.random.default_rng(0).integers(0, 255, (3, 45, 70)).astype(np.uint8)
    images = np.stack(list(COLORING.color(stack, range(3))))
    expected = keras.ops.convert_to_numpy(keras.ops.sigmoid(model(images)["logits"]))[..., 0]
    method = "centers" if builder is cells_and_centers else "distance"
    settings = InstanceSettings(method=method, threshold=float(np.median(expected)))
    card = ModelCard(
        name="cells",
        structure="cells",
        task=(CentersTask if builder is cells_and_centers else CellsTask)(instances=settings),
        preprocessing=ColorSlices(coloring=COLORING),
    )
    folder = export_saved_model(model, card, tmp_path / "saved_models")
    assert read_exported_card(folder) == card
    np.savez(tmp_path / "in.npz", serving_default=images)
    found = through_cpp_loader(folder, tmp_path / "in.npz", tmp_path / "out.npz")
    has_centers = builder is cells_and_centers
    assert set(found) == {f"serving_default/{name}" for name in ("probability", "mask", *["centers"] * has_centers)}
    if has_centers:
        centers = keras.ops.convert_to_numpy(keras.ops.sigmoid(model(images)["centers"]))[..., 0]
        np.testing.assert_allclose(found["serving_default/centers"], centers, rtol=0, atol=2e-6)
    probability, mask = found["serving_default/probability"], found["serving_default/mask"]
    np.testing.assert_allclose(probability, expected, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(mask, probability > settings.threshold)
    assert 0.2 < mask.mean() < 0.8
