"""Several probability maps become one label map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MAX_LABELS = 255


def merge_labels(probabilities: Sequence[np.ndarray], thresholds: Sequence[float]) -> tuple[np.ndarray, int]:
    """Give each voxel to the structure of the highest probability among those above their thresholds.

    Args:
        probabilities: One map per structure, any common shape, in [0, 1].
        thresholds: One threshold per structure; a structure claims a voxel if its probability is above.

    Returns:
        Labels, uint8: 0 is background, ``i`` the ``i``-th structure counted from 1 (the earlier one of
        equals); and the number of voxels that more than one structure claimed.

    Raises:
        ValueError: If there is no map, more than 255, or not one threshold each.

    Reference:
        Zhang et al. (2019), SegET, Fig. 4, shows such maps; how they were merged is not stated.

    Example:
        >>> merge_labels([np.array([0.9, 0.6, 0.1]), np.array([0.8, 0.7, 0.2])], [0.5, 0.5])
        (array([1, 2, 0], dtype=uint8), 2)
    """
    if not 1 <= len(probabilities) <= MAX_LABELS or len(probabilities) != len(thresholds):
        raise ValueError(
            f"`probabilities` must be 1 to {MAX_LABELS} maps with one threshold each. "
            f"Received: {len(probabilities)} maps, {len(thresholds)} thresholds"
        )
    labels = np.zeros(probabilities[0].shape, np.uint8)
    highest = np.zeros(labels.shape, np.result_type(*probabilities))
    claims = np.zeros(labels.shape, np.uint8)
    for label, (probability, threshold) in enumerate(zip(probabilities, thresholds, strict=True), start=1):
        claimed = probability > threshold
        claims += claimed
        # Strictly above: of equal probabilities the earlier structure keeps the voxel.
        wins = claimed & (probability > highest)
        labels[wins] = label
        highest[wins] = probability[wins]
    return labels, int(np.count_nonzero(claims > 1))
