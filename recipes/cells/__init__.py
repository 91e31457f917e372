"""Pieces of ``recipes.efficientcellseg``."""
