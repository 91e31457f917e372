"""What all tests share: none asserts on time, so examples may take as long as a busy machine needs."""

import gc
import logging
import multiprocessing
import os
import pathlib
import subprocess
import sys

import hypothesis
import pytest
from warm_python import LIBRARIES, WarmPython

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

LONGEST = (
    "test_readme_classes.py",
    "test_readme_cells.py",
    "test_fre_recipe.py",
    "test_efficientcellseg_recipe.py",
    "test_readme.py",
    "test_own_task.py",
    "test_saved_model.py",
)
"""Files of the most seconds. Workers of pytest-xdist take them first: none is left for one worker at the end."""


def pytest_configure(config):
    """Let workers take files in the order below, not those with the most tests first."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Move the longest files to the front; all other tests keep their order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(pathlib.Path(item.path).name, len(LONGEST)))


def pytest_collection_finish():
    """Search what has been imported for garbage no more: graphs are traced by millions of small objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(autouse=True)
def log_as_before():
    """Put the log back as it was: a command sets it up for a console that its test replaces."""
    log = logging.getLogger("segkit")
    before = log.handlers[:], log.propagate, log.level
    yield
    log.handlers[:], log.propagate = before[:2]
    log.setLevel(before[2])


@pytest.fixture(scope="session")
def warm_python():
    """Python with TensorFlow imported, which runs programs in processes of their own."""
    python = WarmPython()
    yield python
    python.close()


@pytest.fixture
def warm_subprocess(monkeypatch, warm_python):
    """Let ``subprocess.run`` run Python in processes that have imported TensorFlow already."""

    def run(command, *, env, **_):
        program, *words = command
        assert program == sys.executable
        return warm_python.run(words, cwd=os.getcwd(), **env)

    monkeypatch.setattr(subprocess, "run", run)


@pytest.fixture
def warm_workers(monkeypatch):
    """Let workers of ``Processes`` be forked from a process that has imported TensorFlow and not used it.

    Limits of threads do not reach them, as libraries read these when they are imported.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LIBRARIES))
    monkeypatch.setattr(multiprocessing, "get_context", lambda _method: context)
