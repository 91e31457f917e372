"""What all tests share: none asserts on time, so examples may take as long as a busy machine needs."""

import hypothesis
import pytest
from warm_python import WarmPython

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def warm_python():
    """Python with TensorFlow imported, which runs programs in processes of their own."""
    python = WarmPython()
    yield python
    python.close()
