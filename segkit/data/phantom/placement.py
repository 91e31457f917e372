"""Finding room for an object among those already placed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import numpy as np

from segkit.data.phantom.canvas import Canvas, Window


class Body(Protocol):
    """What can be placed: an object with a centre, a reach and a distance, all in nm."""

    center_zyx: np.ndarray

    @property
    def radius_nm(self) -> float:
        """Radius of a sphere about the centre that holds the object."""

    def distance(self, window: Window) -> np.ndarray:
        """Distance to the surface in nm, negative inside."""


AnyBody = TypeVar("AnyBody", bound=Body)
Inside = Callable[[np.ndarray], bool] | None  # which centres are allowed; None: all


def random_center(canvas: Canvas, rng: np.random.Generator, inset_nm: float, overhang_z_nm: float = 0.0) -> np.ndarray:
    """Draw a centre (z, y, x) in nm.

    Args:
        canvas: Where.
        rng: Source of randomness.
        inset_nm: Least distance from the y and x faces; a field too small for it gives its middle.
        overhang_z_nm: How far the centre may lie above or below the volume.
    """
    depth, height, width = canvas.extent_nm
    y, x = (rng.uniform(min(inset_nm, side / 2), max(side - inset_nm, side / 2)) for side in (height, width))
    return np.array([rng.uniform(-overhang_z_nm, depth + overhang_z_nm), y, x])


def find_room(
    canvas: Canvas,
    propose: Callable[[], AnyBody],
    *,
    clearance_nm: float,
    tries: int,
    inside: Inside = None,
) -> AnyBody | None:
    """Propose objects until one lies free of all others.

    Args:
        canvas: Where.
        propose: Draws an object.
        clearance_nm: Distance to keep from owned voxels.
        tries: Proposals before giving up.
        inside: Which centres (z, y, x) are allowed. All by default.

    Returns:
        The first object with room, or None.
    """
    for _ in range(tries):
        body = propose()
        if inside is not None and not inside(body.center_zyx):
            continue
        # Tested on a coarse grid: objects are many voxels wide.
        step = canvas.coarse_step(max(10.0, body.radius_nm / 60))
        window = canvas.around(body.center_zyx, body.radius_nm + clearance_nm, step)
        if window is not None and canvas.is_free(window, body.distance(window) < clearance_nm):
            return body
    return None


def slabs_around(canvas: Canvas, body: Body, margin_nm: float) -> Iterator[tuple[Window, np.ndarray]]:
    """Go through the voxels of ``body`` and its margin in slabs.

    Yields:
        A window without gaps, and the distances to the body in it.
    """
    window = canvas.around(body.center_zyx, body.radius_nm + margin_nm)
    if window is not None:
        for slab in canvas.slabs(window):
            yield slab, body.distance(slab)
