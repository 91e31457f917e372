"""Whether a network can be opened again from a model file, found out before it is trained."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Callable, Iterator

import keras
import numpy as np

from segkit.errors import InputError
from segkit.models.files import register_all

_TOLERANCE = 1e-2  # of the largest output; those of bfloat16 have three digits
_LONGEST_REASON = 200  # characters; Keras adds whole configurations


def check_rebuildable(model: keras.Model, sample: Callable[[], np.ndarray]) -> None:
    """Rebuild an untrained network from its configuration, as opening a model file does, and throw the copy away.

    Generators of random numbers are left as they were, so that a seeded training gives the same with and without it.

    Networks with layers of a user's are called with a sample too: an argument that is missing from a configuration and
    changes no weights shows in the outputs alone. What acts in training alone, such as a share of dropout, is not seen.

    Args:
        model: The network; it is not changed.
        sample: Returns a batch of its inputs.

    Raises:
        InputError: If it cannot be rebuilt, gets weights of other shapes, or gives other outputs with the same weights.
    """
    register_all()
    generators = random.getstate(), np.random.get_state()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the layers were shown when the network was built
            fault = _fault_of(model)
            if fault is not None:
                layer, fault = next(_layers_at_fault(model), (None, fault))
                raise InputError(_message(layer, fault)) from fault
            own = [layer for layer in model._flatten_layers(include_self=False) if _is_of_a_user(layer)]
            if own and not _gives_the_same(model, sample()):
                raise InputError(_OTHER_OUTPUTS.format(names=", ".join(repr(layer.name) for layer in own)))
    finally:
        random.setstate(generators[0])
        np.random.set_state(generators[1])


def _fault_of(layer: keras.layers.Layer) -> Exception | None:
    """Return what prevents a layer, or a whole network, from being rebuilt; ``None`` where nothing does."""
    try:
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
        config.pop("compile_config", None)
        found = keras.saving.deserialize_keras_object(config, safe_mode=True)
        if not isinstance(found, keras.layers.Layer):
            raise TypeError(f"a {type(found).__name__} comes back")
        # An argument that is forgotten and has a default shows in the weights alone.
        if layer.built and found.built and _shapes(layer) != _shapes(found):
            raise ValueError(
                "its weights get other shapes: an argument is missing from its configuration, or layers inside it are "
                "not built in its build method"
            )
    except Exception as fault:  # what Keras and the classes of others raise can be anything
        return fault
    return None


_OTHER_OUTPUTS = (
    "network: opened again from its file, it would give other outputs with the same weights; return every argument of "
    "the constructors from get_config, in the classes of the layers {names}"
)


def _is_of_a_user(layer: keras.layers.Layer) -> bool:
    return type(layer).__module__.partition(".")[0] not in ("keras", "segkit")


def _gives_the_same(model: keras.Model, inputs: np.ndarray) -> bool:
    """Return whether a copy that is made of the configuration gives the outputs of a network, to a few digits."""
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model), safe_mode=True)
    copy.set_weights(model.get_weights())
    for mine, other in zip(*(keras.tree.flatten(one(inputs, training=False)) for one in (model, copy)), strict=True):
        mine, other = (keras.ops.convert_to_numpy(keras.ops.cast(output, "float32")) for output in (mine, other))
        if np.abs(mine - other).max(initial=0.0) > _TOLERANCE * np.abs(mine).max(initial=0.0):
            return False
    return True


def _layers_at_fault(model: keras.Model) -> Iterator[tuple[keras.layers.Layer, Exception]]:
    for layer in model.layers:
        fault = _fault_of(layer)
        if fault is not None:
            inner = _layers_at_fault(layer) if isinstance(layer, keras.Model) else iter(())
            yield next(inner, (layer, fault))


def _shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


def _message(layer: keras.layers.Layer | None, fault: Exception) -> str:
    named = "the network" if layer is None else f"the layer {layer.name!r} of the class {type(layer).__name__}"
    if isinstance(layer, keras.layers.Lambda):
        remedy = "write a registered layer class in place of the Lambda layer"
    else:
        remedy = (
            "register its class, or its function, with keras.saving.register_keras_serializable, return every argument "
            "of its constructor from get_config, and build layers of its own in build"
        )
    return f"network: {named} could not be opened again after the training ({_reason(fault)}); {remedy}"


def _reason(fault: Exception) -> str:
    if isinstance(fault, NotImplementedError):
        return "it has no get_config"
    # Keras puts its own message and the configuration before the one that says what is wrong.
    text = str(fault).rpartition("Exception encountered: ")[2].strip()
    # The first sentence: the others are general advice.
    first = next(iter(text.splitlines()), type(fault).__name__).partition(". ")[0].rstrip(".")
    return first if len(first) <= _LONGEST_REASON else f"{first[:_LONGEST_REASON]}..."
