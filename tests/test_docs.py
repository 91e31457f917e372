"""The API page is what the docstrings say, and the examples in them are right."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import segkit

ROOT = Path(__file__).parents[1]
MODULES = sorted(module.name for module in pkgutil.walk_packages(segkit.__path__, "segkit."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    assert module.__doc__, "every module says what it is for"
    assert doctest.testmod(module).failed == 0


def test_the_api_page_is_up_to_date():
    written = (ROOT / "docs" / "api.md").read_text()
    code = "import sys; sys.path.insert(0, 'docs'); import make_api; sys.stdout.write(make_api.page())"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert written == made.stdout, "run python docs/make_api.py"
