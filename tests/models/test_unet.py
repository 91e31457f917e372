"""The U-Net of any rank: its shapes, its levels, what it refuses."""

import keras
import numpy as np
import pytest

from segkit.models import unet

ANISOTROPIC = {"strides": [(1, 2, 2), 2], "kernel_sizes": [(1, 3, 3), 3, 3]}


def spread_of(model, axis, size=32):
    """Return how many positions along an axis one input voxel changes."""
    for weight in model.weights:
        if weight.name == "kernel":
            weight.assign(np.full(weight.shape, 1.0, np.float32))
    zeros = np.zeros((1, *[size] * (len(model.input_shape) - 2), 1), np.float32)
    spike = zeros.copy()
    spike[(0, *[size // 2] * (zeros.ndim - 2), 0)] = 1.0
    changed = np.abs(model.predict_on_batch(spike)["logits"] - model.predict_on_batch(zeros)["logits"])[0, ..., 0] > 0
    return int(changed.any(axis=tuple(other for other in range(changed.ndim) if other != axis)).sum())


def test_along_z_it_looks_only_as_far_as_its_deep_kernels():
    model = unet((None, None, None, 1), filters=(1, 1), strides=[(1, 2, 2)], kernel_sizes=[(1, 3, 3), 3])
    assert spread_of(model, axis=0) == 5  # two convolutions of 3
    assert 5 < spread_of(model, axis=1) == spread_of(model, axis=2) < 32


@pytest.mark.parametrize("shape", [(8, 12), (4, 8, 8), (16,)])
def test_logits_have_the_size_of_the_input_at_every_rank(shape):
    model = unet((*[None] * len(shape), 2), 3, filters=(2, 4))
    assert tuple(model(np.zeros((1, *shape, 2), "float32"))["logits"].shape) == (1, *shape, 3)


def test_flat_first_levels_look_less_far_along_z():
    model = unet((None, None, None, 1), filters=(1, 1, 1), **ANISOTROPIC)
    assert tuple(model.get_layer("first").conv.kernel.shape[:3]) == (1, 3, 3)
    assert tuple(model.get_layer("encoder_3").conv.kernel.shape[:3]) == (3, 3, 3)
    assert tuple(model(np.zeros((1, 2, 4, 4, 1), "float32"))["logits"].shape) == (1, 2, 4, 4, 1)


def test_logits_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = unet((None, None, None, 1), filters=(2, 2))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output["logits"].dtype == "float32"
    assert model.get_layer("first").compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": (4,)}, "at least two levels"),
        ({"input_shape": (1,)}, "one to three spatial axes"),
        ({"input_shape": (None, 6, 1), "filters": (2, 2, 2)}, r"divisible by \(4, 4\)"),
        ({"input_shape": (3, 6, 8, 1), "filters": (2, 2, 2), **ANISOTROPIC}, r"divisible by \(2, 4, 4\)"),
        ({"filters": (2, 2), "strides": (2, 2)}, "`strides` must be one number, or 1 entries"),
        ({"filters": (2, 2), "strides": [(1, 2, 2)]}, "`strides` must be one number, or 2, one per axis"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        unet(**arguments)
