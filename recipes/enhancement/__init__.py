"""Pieces of ``recipes.fre``."""
