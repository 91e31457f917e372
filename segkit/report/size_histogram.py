"""How large objects are, in truth and as they were found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from segkit.report import colors
from segkit.report.curves import encode, style_axes

_BINS = 24


def size_histogram(
    sizes: Mapping[str, np.ndarray], *, voxel_um3: float | None = None, format: str = "svg"
) -> bytes | None:
    """Draw how many objects have which size, on a logarithmic axis.

    Args:
        sizes: Sizes of objects by the name of their group, such as ``"truth"`` and ``"prediction"`` [voxels].
        voxel_um3: Volume of a voxel [µm³], for an axis in µm³; ``None`` for one in voxels.
        format: ``"svg"`` or ``"png"``.

    Returns:
        The encoded figure; ``None`` where there are no objects.
    """
    factor = 1.0 if voxel_um3 is None else voxel_um3
    scaled = {name: np.asarray(values, float) * factor for name, values in sizes.items()}
    together = np.concatenate([np.zeros(0), *scaled.values()])
    if not together.size:
        return None
    low, high = together.min(), together.max()
    # A little wider than the sizes, so that a single size has a range too.
    edges = np.geomspace(low / 1.1, high * 1.1, _BINS + 1)
    figure = Figure(figsize=(4.4, 2.9), layout="constrained")
    axes = figure.add_subplot()
    inks = (colors.TRUTH, colors.PREDICTION, *colors.CLASSES[3:])
    for (name, values), ink in zip(scaled.items(), inks, strict=False):
        counts, _ = np.histogram(values, edges)
        label = f"{name}: {len(values)}, median {np.median(values):.3g}" if len(values) else f"{name}: none"
        axes.stairs(counts, edges, color=ink, label=label, linewidth=1.8, gid=f"series-{name}")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.4)  # room for the legend
    style_axes(axes, "Sizes of objects", "voxels" if voxel_um3 is None else "µm³")
    axes.set_ylabel("objects")
    axes.legend(frameon=False, loc="upper left", fontsize=8.5, labelcolor=axes.xaxis.label.get_color())
    return encode(figure, format, salt="sizes")
