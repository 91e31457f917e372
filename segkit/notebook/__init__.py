"""The few functions that a notebook needs: arrays or volumes in, arrays or volumes out."""

from segkit.notebook.evaluate import evaluate
from segkit.notebook.predict import predict
from segkit.notebook.train import train

__all__ = ["evaluate", "predict", "train"]
