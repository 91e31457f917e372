"""Keras layers, one a file."""

from segkit.layers.bilinear_up_2d import BilinearUp2D
from segkit.layers.conv_bn_relu import ConvBNReLU
from segkit.layers.encoder_block import EncoderBlock
from segkit.layers.fr_enhance import FREnhance
from segkit.layers.fusion_block import FusionBlock
from segkit.layers.multi_scale_center import MultiScaleCenter

__all__ = ["BilinearUp2D", "ConvBNReLU", "EncoderBlock", "FREnhance", "FusionBlock", "MultiScaleCenter"]
