"""Linear upsampling of images under the name that model files hold."""

from __future__ import annotations

import keras

from segkit.layers.linear_up import LinearUp


@keras.saving.register_keras_serializable(package="segkit")
class BilinearUp2D(LinearUp):
    """``LinearUp`` under its first registered name, which model files hold; new networks take ``LinearUp``."""
