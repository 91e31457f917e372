"""The folder of a run: its contents, who may write to it, and how it is cleared."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

from segkit.errors import InputError
from segkit.experiments.lock import LOCK_NAME, check_free, only_process_in
from segkit.experiments.plan import PLAN_NAME
from segkit.model_path import FOLDS_NAME, fold_folders

SEARCH_NAME, CELLS_NAME = "search", "cells"

MODE_NAME = "mode.json"
"""What was started in a folder, besides its plan: one run, a comparison, a search, an ablation."""

EXPORT_NAME = "export.json"
"""Root folder of SavedModels that a run was told to write to, or null for no export; in its folder where it is not the
default."""

COMMANDS_NAME = "commands.txt"
"""The commands that a run was made with, one per line: the first one, and those that resumed it."""

PHANTOMS_NAME, SIMULATED_NAME, ANNOTATED_NAME = "phantoms", "simulated", "annotated"
"""Folders of data that are written into a run folder before the plan is."""

_TRACES = ("state", "model.keras", CELLS_NAME, SEARCH_NAME)
"""What a run that has begun leaves in its folder; a plan alone is none yet."""

_RESULTS = (MODE_NAME, EXPORT_NAME, COMMANDS_NAME, "tensorboard", "log.csv", "magnitudes.csv", "scores.json")
_RESULTS += ("report.html", "comparison.json", "comparison.md", "ablation.json", "ablation.md")
_RESULTS += ("folds.json", "folds.md")


_OF_A_RUN = (PLAN_NAME, FOLDS_NAME, MODE_NAME, "state", "model.keras")
"""Any of these makes a folder that of a run; ``cells`` or ``search`` may be anybody's."""

_BEFORE_A_PLAN = {LOCK_NAME, PHANTOMS_NAME, SIMULATED_NAME, ANNOTATED_NAME, *_RESULTS}
"""What a process that was killed early may have left without a plan."""


def is_foreign(folder: pathlib.Path) -> bool:
    """Return whether a folder holds files and no run; hidden ones, whose names begin with a dot, do not count."""
    if not folder.is_dir() or any((folder / name).exists() for name in _OF_A_RUN):
        return False
    return any(path.name not in _BEFORE_A_PLAN and not path.name.startswith(".") for path in folder.iterdir())


def has_begun(folder: pathlib.Path) -> bool:
    """Return whether a run, comparison, search or cross-validation has begun in a folder; a plan alone is none yet."""
    return any((folder / name).exists() for name in _TRACES) or bool(fold_folders(folder))


def claim_folder(folder: pathlib.Path, *, resume: bool, overwrite: bool, keeps_plan: bool = False) -> None:
    """Make sure that a run may write into a folder; nothing is made yet.

    It is a look, not a hold: before anything is removed or written, ``only_process_in`` holds the folder and
    ``check_folder`` looks again at what may have begun in between.

    Args:
        folder: The run folder.
        resume: The run in it is resumed.
        overwrite: What is in it is replaced.
        keeps_plan: A plan alone is not replaced unless asked either: it may have been edited, and waits to be started.

    Raises:
        InputError: If it holds another run or other files, one is in progress, there is none to resume, or it cannot
            be written to.
    """
    check_folder(folder, resume=resume, overwrite=overwrite, keeps_plan=keeps_plan)
    check_free(folder)


def check_folder(folder: pathlib.Path, *, resume: bool, overwrite: bool, keeps_plan: bool = False) -> None:
    """Check that what a folder holds lets a run write into it, whoever holds the folder.

    Args:
        folder: The run folder.
        resume: As in ``claim_folder``.
        overwrite: As there.
        keeps_plan: As there.

    Raises:
        InputError: If it holds another run or other files, there is none to resume, or it cannot be written to.
    """
    if resume and not (folder / PLAN_NAME).exists():
        raise InputError(f"{folder}: no run to resume here; leave --resume out, or give its folder with --out")
    if has_begun(folder) and not resume and not overwrite:
        raise InputError(
            f"{folder}: already holds a run; resume it with --resume, replace it with --overwrite, or choose another "
            "--out (in Python resume=True, overwrite=True, or another `out`)"
        )
    if keeps_plan and (folder / PLAN_NAME).exists() and not resume and not overwrite:
        raise InputError(
            f"{folder}: holds a plan; start it with --resume, replace it with --overwrite, or choose another --out (in "
            "Python overwrite=True, or another `out`)"
        )
    check_writable(folder)
    if not resume and not overwrite and is_foreign(folder):
        raise InputError(
            f"{folder}: holds other files and no run; choose another --out, or give --overwrite to write the run among "
            "them, where only files of the same names are replaced (in Python another `out`, or overwrite=True)"
        )


@contextlib.contextmanager
def nothing_left_of(folder: pathlib.Path) -> Iterator[None]:
    """Remove a folder that was made inside the block, where the block finds the input wrong."""
    is_new = not folder.exists()
    try:
        yield
    except InputError:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def remove_run(folder: pathlib.Path) -> None:
    """Remove what an earlier run, comparison or search has left, so that nothing of it is taken for the next one's.

    Of a folder that holds other files and no run nothing is removed, whatever their names.

    The caller holds the folder (``only_process_in``), and holds it until its own run has ended.
    """
    if is_foreign(folder):
        return
    left = [folder / name for name in (*_TRACES, *_RESULTS)]
    for fold in fold_folders(folder):
        if fold.exists():
            with only_process_in(fold):
                left.append(fold)
    for path in (*left, *folder.glob("[0-9][0-9]_RES"), folder / FOLDS_NAME):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def check_writable(folder: pathlib.Path) -> None:
    """Make sure that a folder can be written to, or made; it is not made.

    Raises:
        InputError: If it cannot.
    """
    # The folder itself, or the nearest parent in which it would be made.
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        raise InputError(f"{folder}: cannot be written to ({nearest} is not a writable folder); choose another one")
