"""Patches, splits, weight maps, augmentation, phantoms and the input pipelines."""
