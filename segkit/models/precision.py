"""The same model and weights under another precision."""

from __future__ import annotations

from typing import Any

import keras


def with_precision(model: keras.Model, policy: str) -> keras.Model:
    """Return a copy of a functional model that computes under another dtype policy, with the same weights.

    Layers that give the model's outputs stay float32, as scores and losses need them.

    Args:
        model: Functional model whose variables are float32 (so are those of a mixed policy).
        policy: ``"float32"`` or ``"mixed_bfloat16"``.

    Returns:
        A new model; ``model`` itself if it runs under ``policy`` already.
    """
    # Layers whose output is one of the model's.
    outputs = {tensor._keras_history.operation.name for tensor in model.outputs}
    inner = [layer for layer in model.layers if layer.name not in outputs and layer.weights]
    if all(layer.dtype_policy.name == policy for layer in inner):
        return model

    # The policy is part of a layer's configuration, also of layers inside layers: it is replaced wherever it occurs.
    def change(node: Any, keep: bool = False) -> Any:
        if isinstance(node, list):
            return [change(item, keep) for item in node]
        if not isinstance(node, dict):
            return node
        if node.get("class_name") == "DTypePolicy":
            return {**node, "config": {"name": "float32" if keep else policy}}
        is_output = isinstance(node.get("config"), dict) and node["config"].get("name") in outputs
        return {key: change(value, keep or is_output) for key, value in node.items()}

    copy = keras.saving.deserialize_keras_object(change(keras.saving.serialize_keras_object(model)))
    take_weights(copy, model)
    return copy


def take_weights(copy: keras.Model, model: keras.Model) -> None:
    """Give a copy of a model its weights; ``set_weights`` alone leaves a ``Normalization`` with the constants it had.

    Args:
        copy: Model of the same layers; changed in place.
        model: Model to take the weights of.
    """
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers():  # Keras's own walk; `.layers` stops at the outermost
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
