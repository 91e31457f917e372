"""A labeled volume of which every number is known by hand, and a plan for it."""

import numpy as np

from segkit.data.augmentation import NO_AUGMENTATION
from segkit.data.sources import LabeledVolume, Source
from segkit.data.splits import Split
from segkit.training.plan import TrainingPlan
from segkit.volumes.volume import Volume

PLAN = TrainingPlan(
    patch_px=4,
    stride_px=4,
    validation_stride_px=4,
    batch_size=16,
    weight_limit=5.0,
    positive_copies=3,
    augmentation=NO_AUGMENTATION,
)


def labeled_volume():
    """Slices 0 and 1 are trained on, 2 chooses the checkpoint, 3 is tested: those are far brighter.

    Patches of a slice, with their foreground pixels: 2, none, 8, 1.
    """
    image = np.tile(np.array([[10.0, 30.0], [20.0, 40.0]], np.float32), (4, 4, 4))
    image[2:] += 1000
    mask = np.zeros((4, 8, 8), np.uint8)
    mask[:, 0, :2] = 1
    mask[:, 4:6, :4] = 1
    mask[:, 7, 7] = 1
    return LabeledVolume(
        source=Source(tomogram="T.mrc", mask="M.mrc"),
        tomogram=Volume(array=image, voxel_size_nm=(5.0, 2.0, 2.0)),
        mask=Volume(array=mask, voxel_size_nm=(5.0, 2.0, 2.0)),
        split=Split(train=(0, 1), validation=(2,), test=(3,)),
    )
