"""Fitting, callbacks, and resuming."""
