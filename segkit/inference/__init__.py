"""Prediction of whole volumes in tiles."""
