"""The five structures of the paper, and how each is trained; the rule for others."""

from __future__ import annotations

import dataclasses
import math

from segkit.data.augmentation import NO_AUGMENTATION, Augmentation
from segkit.experiments.demo_phantoms import PATCH_PX
from segkit.training.plan import TrainingPlan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Structure:
    """What the paper does for one structure (Sec. 3.2) and what it reaches (Table 1).

    Attributes:
        name: Name of the structure; part of file names and never renamed.
        learning_rate: Adam's step size.
        decay: Time decay per step.
        epochs: Epochs at most.
        early_stopping_patience: Epochs without a better validation mIoU before the end.
        plateau_patience: Epochs without a better validation mIoU before the step size is halved.
        weight_limit: Bound of the adaptive weights; ``None`` where the paper does not weight.
        positive_copies: Extra copies of patches with foreground.
        paper_mean_iou: Validation mIoU of Table 1.
        demo_weight_limit: Bound of the weights in the demo preset, which has a few epochs and not hundreds.
    """

    name: str
    learning_rate: float = 2e-3
    decay: float = 1e-5
    epochs: int
    early_stopping_patience: int = 8
    plateau_patience: int = 3
    weight_limit: float | None = None
    positive_copies: int = 0
    paper_mean_iou: float | None = None
    demo_weight_limit: float = 3.0


STRUCTURES = {
    structure.name: structure
    for structure in (
        Structure(name="synapse", learning_rate=1e-4, decay=1e-6, epochs=38, paper_mean_iou=0.9322),
        Structure(
            name="microtubules",
            learning_rate=1e-3,
            epochs=300,
            weight_limit=2000.0,  # so that patches with a few pixels of a tubule do not rule the loss
            paper_mean_iou=0.7676,
            demo_weight_limit=30.0,  # with 3, all becomes background
        ),
        Structure(
            name="centriole",
            decay=1e-6,
            epochs=300,
            early_stopping_patience=10,
            weight_limit=2000.0,
            positive_copies=4,  # "copied by 4 times", read as 4 extra copies
            paper_mean_iou=0.8541,
        ),
        Structure(name="granules", epochs=60, early_stopping_patience=5, plateau_patience=2, paper_mean_iou=0.9475),
        Structure(
            name="golgi",
            epochs=124,
            early_stopping_patience=5,
            plateau_patience=2,
            weight_limit=1000.0,
            positive_copies=2,
            paper_mean_iou=0.8687,
        ),
    )
}


def paper_plan(structure: Structure) -> TrainingPlan:
    """Return the paper's plan: patches of 512 with stride 256, batches of 12, no augmentation."""
    return TrainingPlan(
        patch_px=512,
        stride_px=256,
        validation_stride_px=256,
        batch_size=12,
        augmentation=NO_AUGMENTATION,
        l2=1e-5,  # the paper prints no value
        epochs=structure.epochs,
        learning_rate=structure.learning_rate,
        decay=structure.decay,
        early_stopping_patience=structure.early_stopping_patience,
        plateau_patience=structure.plateau_patience,
        weight_limit=structure.weight_limit,
        positive_copies=structure.positive_copies,
    )


def demo_plan(structure: Structure) -> TrainingPlan:
    """Return a plan for small machines: a quarter of the patch area, few epochs, augmentation against few data.

    With a fast decay of the step size a network converges in about 1500 steps of 8 patches. Weights are bounded far
    lower than in the paper: its limits are made for hundreds of epochs, and in a few epochs they only lead to too much
    foreground. Very rare structures need more than the others, or all becomes background.
    """
    return dataclasses.replace(
        paper_plan(structure),
        patch_px=256,
        stride_px=128,
        validation_stride_px=256,
        batch_size=8,
        augmentation=Augmentation(brightness=0.3, contrast=0.2),
        epochs=25,
        learning_rate=1e-3,
        decay=3e-3,
        early_stopping_patience=10,
        plateau_patience=4,
        weight_limit=None if structure.weight_limit is None else structure.demo_weight_limit,
        positive_copies=1 if structure.name in STRUCTURES else min(structure.positive_copies, 1),
    )


def measured_structure(name: str, background_to_foreground: float, positive_share: float) -> Structure:
    """Return settings for a structure that the paper does not have, from two measurements on the training patches.

    The rule interpolates the paper's own choices. Weights: none below a mean B/F of 20 (as for synapse and
    granules), a limit of 1000 below 200 (as for Golgi), 2000 above (as for microtubules). Copies: as few as bring
    positive patches to 40 % (the share that the paper states for Golgi), at most 4.

    Args:
        name: Name of the structure.
        background_to_foreground: Mean B/F over the training patches that have foreground.
        positive_share: Share of training patches that have foreground, in (0, 1].
    """
    limit = None if background_to_foreground < 20 else 1000.0 if background_to_foreground < 200 else 2000.0
    # With c copies the share is p (1 + c) / (p (1 + c) + 1 - p); at least 0.4 solved for c.
    wanted = math.ceil(0.4 * (1 - positive_share) / (0.6 * positive_share)) - 1 if positive_share < 0.4 else 0
    return Structure(
        name=name,
        learning_rate=1e-3,
        epochs=100,
        weight_limit=limit,
        positive_copies=min(max(wanted, 0), 4),
        demo_weight_limit=30.0 if background_to_foreground > 200 else 3.0,
    )


def phantom_plan(structure: Structure) -> TrainingPlan:
    """Return the demo's plan with patches of the field that the paper's patches see, in the phantoms' larger voxels."""
    return dataclasses.replace(
        demo_plan(structure),
        patch_px=PATCH_PX,
        stride_px=96,
        validation_stride_px=PATCH_PX,
        epochs=8,
        learning_rate=2e-3,
        decay=5e-3,
        plateau_patience=3,
        positive_copies=0,
    )
