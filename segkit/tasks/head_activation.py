"""The activation that an output of a network ends in."""

from __future__ import annotations

import inspect
from typing import Any

import keras

_LAYERS = (
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ReLU,
    keras.layers.Softmax,
)
"""Layers that are an activation and nothing else."""

_NAMES = {name.replace("_", "") for name in dir(keras.activations) if not name.startswith("_")} - {
    "deserialize",
    "get",
    "linear",
    "serialize",
}
"""Names of Keras's activations but the identity, as ``keras.ops`` calls them too."""


def head_activation(tensor: Any) -> str | None:
    """Return the name of the activation that makes an output of a functional network.

    Casts and identities behind it are passed over, and models inside the model are looked into. A function that Keras
    does not know, or another layer behind the activation, is the user's own idea of logits.

    Args:
        tensor: Output of the network.

    Returns:
        A name such as ``"sigmoid"``; ``None`` where the output is linear.

    Example:
        >>> inputs = keras.Input((8, 8, 1))
        >>> head_activation(keras.layers.Conv2D(1, 1, activation="sigmoid")(inputs))
        'sigmoid'
        >>> head_activation(keras.layers.Conv2D(1, 1)(inputs)) is None
        True
    """
    while True:
        operation, node, place = (history := tensor._keras_history).operation, history.node_index, history.tensor_index
        if isinstance(operation, keras.Model):
            outputs = getattr(operation, "outputs", None)
            if not outputs:  # not functional: nothing is known about it
                return None
            tensor = outputs[place]
        elif (name := _activation(operation)) is not None:
            return name
        elif _is_identity(operation):
            tensor = operation._inbound_nodes[node].input_tensors[0]
        else:
            return None


def _activation(operation: Any) -> str | None:
    """Return the name of the activation of a layer or operation."""
    if isinstance(operation, _LAYERS):
        return type(operation).__name__
    if not isinstance(operation, keras.layers.Layer):
        # An operation of `keras.ops`, such as `Sigmoid`.
        name = type(operation).__name__.lower()
        return name if name in _NAMES else None
    if not any(_takes_activation(base) for base in type(operation).__mro__):
        return None
    name = getattr(getattr(operation, "activation", None), "__name__", "")
    return name if name.replace("_", "") in _NAMES else None


def _is_identity(operation: Any) -> bool:
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    return isinstance(operation, keras.layers.Identity) or type(operation).__name__ == "Cast"


def _takes_activation(base: type) -> bool:
    """Return whether a class is one of Keras's own that applies an activation last."""
    return base.__module__.startswith("keras.") and "activation" in inspect.signature(base.__init__).parameters
