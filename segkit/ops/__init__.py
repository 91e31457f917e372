"""Pure functions on tensors: no state, any Keras backend."""

from segkit.ops.batch_normalize import batch_normalize
from segkit.ops.linear_up import linear_up
from segkit.ops.mix_bits import mix_bits
from segkit.ops.overlap_loss import jaccard_distance, stable_bce
from segkit.ops.resize_bilinear import resize_bilinear
from segkit.ops.split_weight import split_weight

__all__ = [
    "batch_normalize",
    "jaccard_distance",
    "linear_up",
    "mix_bits",
    "resize_bilinear",
    "split_weight",
    "stable_bce",
]
