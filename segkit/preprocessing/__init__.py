"""From stored voxels to what a network sees, written once for training, prediction and export."""
