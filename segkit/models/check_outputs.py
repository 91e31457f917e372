"""Whether a network gives what the task of its card makes a result of."""

from __future__ import annotations

from typing import Any

from segkit.errors import InputError
from segkit.models.card import ModelCard


def check_outputs(model: Any, card: ModelCard) -> None:
    """Check that a network has every output that the task of its card predicts from.

    It is asked before a model is saved, used or exported. Outputs that only the training needs may be missing.

    Args:
        model: A Keras model; of one that is not built of layers by their inputs and outputs, nothing is known.
        card: Its card.

    Raises:
        InputError: If an output is missing or of another number of channels.
    """
    found = getattr(model, "output", None)
    # Networks of segkit end in a dict of outputs; any other structure lacks all of them.
    outputs = found if isinstance(found, dict) else {}
    for output in card.task.predicted:
        if output.name not in outputs:
            given = ", ".join(getattr(model, "output_names", ())) or "no outputs that it names"
            raise InputError(
                f"{card.name}: the model gives {given}, expected {output.name} for a task of the kind "
                f"{card.task.kind!r}; take the network that segkit has trained, with a card of its own task"
            )
        if (channels := outputs[output.name].shape[-1]) != output.channels:
            raise InputError(
                f"{card.name}: the model gives {channels} channels in {output.name}, its task of the kind "
                f"{card.task.kind!r} has {output.channels}; save it with a card of its own task"
            )
