"""What classical methods make of a stack: the baseline that a network has to beat."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.segment_instances import segment_instances


def otsu_instances(
    stack: np.ndarray,
    settings: InstanceSettings,
    *,
    voxel_size: Sequence[float] = (1.0, 1.0, 1.0),
    blur_px: float = 1.0,
) -> np.ndarray:
    """Segment bright objects by Otsu's threshold over the blurred stack, and separate them.

    Args:
        stack: Grey values, ``(z, y, x)``.
        settings: How objects are separated; in place of centres, which need a network, a distance watershed.
        voxel_size: Extent of a voxel along ``(z, y, x)``, in the unit of the settings' distances.
        blur_px: Standard deviation of the Gaussian within slices [px].

    Returns:
        Ids as ``segment_instances`` gives them, ``(z, y, x)``; all background where the stack has one grey value.
    """
    # Not along z, where slices are usually farther apart than pixels.
    blurred = ndimage.gaussian_filter(stack.astype(np.float32), (0, blur_px, blur_px))
    mask = blurred > threshold_otsu(blurred) if np.ptp(blurred) else np.zeros(stack.shape, bool)
    method = "distance" if settings.method == "centers" else settings.method
    # The threshold of the settings is one of probabilities; 0.5 leaves a mask of 0 and 1 as it is.
    chosen = dataclasses.replace(settings, method=method, threshold=0.5)
    return segment_instances(mask.astype(np.float32), chosen, voxel_size=voxel_size)
