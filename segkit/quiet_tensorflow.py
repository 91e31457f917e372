"""TensorFlow is imported without the lines that its libraries print meanwhile."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from types import ModuleType


def quiet_tensorflow() -> None:
    """Let the next import of TensorFlow print nothing, unless it fails.

    Some of its lines come before any setting of its log is read, and look like errors to those who do not know them (no
    GPU was found). For programs; a library leaves the streams of its users alone.
    """
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def loud_tensorflow() -> None:
    """Undo ``quiet_tensorflow``."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        loud_tensorflow()  # once, and so that the real finders are asked now
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module is to know its own loader, as if nobody stood in between.
        module.__spec__.loader = module.__loader__ = self._loader
        with _held_back():
            self._loader.exec_module(module)


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Hold back what the process writes to its standard error; print it if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
