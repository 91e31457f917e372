"""Small networks with probabilities that have a spread, and what the tests need to know about them."""

from __future__ import annotations

import keras
import numpy as np

from segkit.inference.loaded_model import LoadedModel
from segkit.models.card import ModelCard
from segkit.models.seget import seget
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.foreground import ForegroundTask

TINY_REACH_PX = 44
"""Context that decides a pixel of the tiny SegET; `test_whole_and_tiled` measures it."""


def tiny_seget(seed: int = 0) -> keras.Model:
    """A SegET of two levels (height and width divisible by 4) with drawn weights."""
    return spread_out(seget(filters=(2, 4), dilation_rates=(1, 2)), seed)


def spread_out(model: keras.Model, seed: int = 0) -> keras.Model:
    """Draw the weights anew so that the logits of white noise have mean 0 and standard deviation 1.

    Steeper networks amplify the rounding of float32, which differs from batch to batch, to more than 1e-5.
    """
    rng = np.random.default_rng(seed)
    for weights in model.variables:
        kind = weights.path.rsplit("/", 1)[-1]
        if kind == "kernel":
            weights.assign(rng.normal(0, np.sqrt(2 / np.prod(weights.shape[:-1])), weights.shape))
        elif kind == "gamma":
            weights.assign(rng.uniform(0.7, 1.5, weights.shape))
        elif kind == "beta":
            weights.assign(rng.normal(0.2, 0.3, weights.shape))
    noise = rng.normal(size=(1, 128, 128, 1)).astype(np.float32)
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0  # so that one step puts the statistics of the noise into the moving ones
    model(noise, training=True)
    for norm in norms:
        norm.momentum = 0.99
    logits = keras.ops.convert_to_numpy(model(noise, training=False)["logits"])
    kernel, bias = model.get_layer("logits").get_weights()
    scale = 1 / logits.std()
    model.get_layer("logits").set_weights([kernel * scale, (bias - logits.mean()) * scale])
    return model


def tiny_card(**changes) -> ModelCard:
    facts = {"name": "tiny", "structure": "blob", "preprocessing": Standardize(mean=100.0, std=20.0), "multiple_px": 4}
    return ModelCard(**{**facts, "halo_px": TINY_REACH_PX, **changes})


def pointwise(weight: float = 1.0, bias: float = 0.0, *, threshold: float = 0.5, **card) -> LoadedModel:
    """A network whose logit is `weight * voxel + bias`: its results can be worked out by hand."""
    inputs = keras.Input((None, None, 1), name="voxels")
    layer = keras.layers.Conv2D(1, 1, dtype="float32", name="logits")
    model = keras.Model(inputs, {"logits": layer(inputs)}, name="pointwise")
    layer.set_weights([np.full((1, 1, 1, 1), weight), np.full((1,), bias)])
    facts = {"preprocessing": Standardize(mean=0.0, std=1.0), "multiple_px": 4, "halo_px": 0, "name": "pointwise"}
    facts["task"] = ForegroundTask(threshold=threshold)
    return LoadedModel(model, tiny_card(**{**facts, **card}))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
