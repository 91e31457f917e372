"""What a network is compared with: from the annotation of a patch to target and weight, the weight last."""

from segkit.targets.centers import CentersTarget
from segkit.targets.classes import ClassTarget
from segkit.targets.foreground import ForegroundTarget
from segkit.targets.image import ImageTarget
from segkit.targets.target import Target

__all__ = ["CentersTarget", "ClassTarget", "ForegroundTarget", "ImageTarget", "Target"]
