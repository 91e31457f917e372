"""One output of a network, and the check that a network has those of its task."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from segkit.arguments import finite_number, sequence, whole_number

if TYPE_CHECKING:
    import keras

_Activation = Literal["sigmoid", "softmax", "linear"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """One output of a network.

    Attributes:
        name: Its name in the network's dict of outputs; part of file formats and never renamed.
        channels: Number of its channels.
        span: Channels of the target that it is compared with: the first, and the one after the last.
        activation: The function that turns it into maps.
        share: Share of the loss.
        served: Name under which a served model gives its maps; ``None`` for outputs that are used in training alone.
        in_grey_values: The output is an image on the scale of the network's input, and its maps are converted to grey
            values by the inverse of the preprocessing.

    Raises:
        ValueError: If an attribute is out of its range.
    """

    name: str
    channels: int
    span: tuple[int, int]
    activation: _Activation = "sigmoid"
    share: float = 1.0
    served: str | None = None
    in_grey_values: bool = False

    def __post_init__(self) -> None:
        whole_number("channels", self.channels, least=1)
        span = tuple(whole_number("span", edge, least=0) for edge in sequence("span", self.span))
        if len(span) != 2 or span[0] >= span[1]:
            raise ValueError(f"`span` must be the first channel and the one behind the last. Received: {self.span!r}")
        if self.activation not in (known := typing.get_args(_Activation)):
            raise ValueError(f"`activation` must be one of {known}. Received: activation={self.activation!r}")
        finite_number("share", self.share)

    def activated(self, values: Any) -> Any:
        """Return the maps of the output, float32; on any Keras backend.

        Args:
            values: What the network gives, shape ``(..., channels)``.
        """
        from keras import ops

        values = ops.cast(values, "float32")
        if self.activation == "sigmoid":
            return ops.sigmoid(values)
        return ops.softmax(values) if self.activation == "softmax" else values


def check_outputs(model: keras.Model, outputs: Sequence[Output], kind: str) -> None:
    """Check that a network has the outputs of a task, and that those that become probabilities are logits.

    Args:
        model: The network.
        outputs: Outputs that it must have.
        kind: Kind of the task, for the message.

    Raises:
        ValueError: If it has not, or one of these outputs ends in an activation.
    """
    from segkit.tasks.head_activation import head_activation

    expected = {output.name: output.channels for output in outputs}
    must_give = f"`model` must give {_channels(expected)} for a task of the kind {kind!r}"
    given = getattr(model, "output", None)  # a subclass of `keras.Model` has none
    if not isinstance(given, Mapping):
        received = f"outputs of the type {type(given).__name__}"
        if given is None:
            received = f"a model of the type {type(model).__name__}, which does not tell its outputs"
        elif hasattr(given, "shape"):
            received = f"one output without a name, of {given.shape[-1]} channels"
        named = ", ".join(f"{name!r}: ..." for name in expected)
        raise ValueError(f"{must_give}; end it in a dict: keras.Model(inputs, {{{named}}}). Received: {received}")
    found = {name: x.shape[-1] for name, x in model.output.items()}
    if found != expected:
        raise ValueError(f"{must_give}. Received: {_channels(found)}")
    for output in outputs:
        activation = head_activation(model.output[output.name])
        if activation is not None and output.activation != "linear":
            raise ValueError(
                f"`model` must give logits in {output.name!r}, of which segkit makes probabilities; leave out the "
                f"activation of its last layer. Received: activation={activation!r}"
            )


def _channels(outputs: Mapping[str, int]) -> str:
    return " and ".join(f"{name!r} of {count} channel{'' if count == 1 else 's'}" for name, count in outputs.items())
