"""Pieces of ``recipes.segET``."""
