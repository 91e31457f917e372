"""The same model and weights under another penalty of its kernels."""

from __future__ import annotations

from typing import Any

import keras

from segkit.models.precision import take_weights


def with_penalty(model: keras.Model, l2: float) -> keras.Model:
    """Return a copy of a functional model whose kernels have another L2 penalty, with the same weights.

    Args:
        model: Functional model of segkit's blocks, or of layers whose kernels have an L2 penalty.
        l2: Strength of the penalty.

    Returns:
        A new model; ``model`` itself where nothing in it has a penalty to be set.
    """
    is_changed = False

    # The penalty is part of a layer's configuration, also of layers inside layers: it is replaced wherever it occurs.
    def change(node: Any) -> Any:
        nonlocal is_changed
        if isinstance(node, list):
            return [change(item) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("l2"), (int, float)):
            is_changed = is_changed or node["l2"] != l2
            return {key: l2 if key == "l2" else change(value) for key, value in node.items()}
        return {key: change(value) for key, value in node.items()}

    changed = change(keras.saving.serialize_keras_object(model))
    if not is_changed:
        return model
    copy = keras.saving.deserialize_keras_object(changed)
    take_weights(copy, model)
    return copy
