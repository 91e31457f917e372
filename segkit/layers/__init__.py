"""Keras layers, one per file."""

from segkit.layers.bilinear_up_2d import BilinearUp2D
from segkit.layers.conv_bn_relu import ConvBNReLU
from segkit.layers.conv_pair_se import ConvPairSE
from segkit.layers.encoder_block import EncoderBlock
from segkit.layers.fr_enhance import FREnhance
from segkit.layers.fused_batch_norm import FusedBatchNorm
from segkit.layers.fusion_block import FusionBlock
from segkit.layers.join_skip import JoinSkip
from segkit.layers.linear_up import LinearUp
from segkit.layers.match_statistics import MatchStatistics
from segkit.layers.multi_scale_center import MultiScaleCenter
from segkit.layers.resize_like import ResizeLike
from segkit.layers.resize_to import ResizeTo
from segkit.layers.squeeze_excite import SqueezeExcite

__all__ = [
    "BilinearUp2D",
    "ConvBNReLU",
    "ConvPairSE",
    "EncoderBlock",
    "FREnhance",
    "FusedBatchNorm",
    "FusionBlock",
    "JoinSkip",
    "LinearUp",
    "MatchStatistics",
    "MultiScaleCenter",
    "ResizeLike",
    "ResizeTo",
    "SqueezeExcite",
]
