"""What a SavedModel gives through TensorFlow's C++ loader, in a process of its own."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

CPP_LOADER = pathlib.Path(__file__).with_name("cpp_loader.py")


def through_cpp_loader(exported, inputs, outputs):
    """Return the results as ``cpp_loader`` names them; the test is skipped where the library is missing."""
    command = [sys.executable, str(CPP_LOADER), str(exported), str(inputs), str(outputs)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=outputs.parent)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    with np.load(outputs) as arrays:
        return dict(arrays)
