"""Scores on arrays."""
