"""The data sets of the paper, and what its authors did with them."""

from __future__ import annotations

import dataclasses

from segkit.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """A data set of the paper, and what its authors did with it (Sec. 4).

    Attributes:
        name: Name on the command line; never renamed.
        images: Number of images it must have; ``None`` for any.
        size_px: Sides that they must have [px]; ``None`` for any.
        classes: Names of the classes; empty where only their number is known.
        num_enhanced: The B that the paper's search found.
        gain: The X that it found.
        supervision: The weight of the second head's loss that it found.
    """

    name: str
    images: int | None = None
    size_px: int | None = None
    classes: tuple[str, ...] = ()
    num_enhanced: int = 8
    gain: float = 250.0
    supervision: float = 0.2781


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(name="own"),
        Protocol(
            name="mouse",
            images=50,
            size_px=256,
            classes=("background", "membrane", "nucleus"),
            num_enhanced=162,
            gain=632.0,
            supervision=0.3257,
        ),
        Protocol(
            name="drosophila",
            images=20,
            size_px=1024,
            classes=("background", "membrane", "mitochondria", "synapse"),
        ),
    )
}


def check_shape(images: str, shape: tuple[int, ...], protocol: Protocol) -> None:
    """Refuse data that are not the protocol's.

    Raises:
        InputError: If there are others, or more or fewer.
    """
    wanted = (protocol.images or shape[0], protocol.size_px or shape[1], protocol.size_px or shape[2])
    if shape != wanted:
        raise InputError(
            f"{images}: {' x '.join(map(str, shape))} (images, y, x); the protocol {protocol.name} is for "
            f"{' x '.join(map(str, wanted))}; use --protocol own for other data"
        )
