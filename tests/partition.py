"""Whether two label images part a volume alike."""

import numpy as np

from segkit.instances.label_overlaps import count_overlaps


def is_same_partition(one, other):
    """Return whether both have the same objects, under whatever ids."""
    if not np.array_equal(one > 0, other > 0):
        return False
    overlaps = count_overlaps(one, other)
    return len(overlaps.voxels) == len(overlaps.reference_ids) == len(overlaps.prediction_ids)
