"""Where the models are that a path means; of use before Keras is loaded."""

from __future__ import annotations

import contextlib
import os
import pathlib
import zipfile
from collections.abc import Sequence

from segkit.errors import InputError
from segkit.json_object import read_object

RUN_MODEL_NAME = "model.keras"
"""Name of the best model inside a run folder."""

MODEL_SUFFIX = ".keras"
"""Suffix of a model file."""

MODEL_IS_NO_VOLUME = "give a volume here; a model is given to segkit predict with --model"
"""What to do where a model stands in the place of a volume."""

FOLD_PREFIX = "fold-"
"""Names of the folders of a cross-validation's runs, before their number."""

FOLDS_NAME = "cross_validation.json"
"""Tells how many folds a cross-validation has; in the folder of all."""


def resolve_model_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """Return the model file that a path means: itself, or ``model.keras`` in a run folder.

    Raises:
        InputError: If there is no such file, no model in the folder, or the file is not a model.
    """
    path = pathlib.Path(path)
    found = path / RUN_MODEL_NAME if path.is_dir() else path
    if not found.is_file():
        if fold_folders(path):
            raise InputError(f"{path}: holds the folds of a cross-validation; give one of them, such as {path}/fold-1")
        if kind := _comparison_in(path):
            trained = sorted(file.parent for file in path.glob(f"cells/*/{RUN_MODEL_NAME}"))
            raise InputError(
                f"{path}: holds {kind}; give one of its models, such as {trained[0]}"
                if trained
                else f"{path}: holds {kind} of which no model has been trained to its end; continue it with its "
                f"recipe's --out {path} --resume"
            )
        if (path / "plan.json").is_file():
            raise InputError(
                f"{path}: no {RUN_MODEL_NAME} in this folder, as its training has not finished; finish it with its "
                f"recipe's --out {path} --resume (in Python resume=True)"
            )
        if path.is_dir() and (runs := sorted(file.parent for file in path.glob(f"*/{RUN_MODEL_NAME}"))):
            names = [run.name for run in runs]
            listed = ", ".join([*names[:_SHOWN_RUNS], *(["..."] if len(names) > _SHOWN_RUNS else [])])
            raise InputError(
                f"{path}: no {RUN_MODEL_NAME} in this folder, but in {listed} below it; give one of them, such as "
                f"{runs[0]}"
            )
        where = f"{path}: no {RUN_MODEL_NAME} in this folder" if path.is_dir() else f"{path}: no such file"
        raise InputError(f"{where}; give a .keras file or the folder of a finished training run")
    open_archive(found).close()
    return found


_SHOWN_RUNS = 6

_COMPARISONS = {"compare": ("a comparison", "comparison.json"), "ablation": ("an ablation", "ablation.json")}
"""What a folder holds, and the file of its results, by the kind in ``mode.json``."""


def _comparison_in(folder: pathlib.Path) -> str | None:
    """Return what a folder holds where its models are those of a comparison; ``None`` elsewhere."""
    with contextlib.suppress(InputError, OSError):  # damaged, or of a recipe that compares nothing
        kind = read_object(folder / "mode.json", "the mode of a run").get("kind")
        if isinstance(kind, str):
            return _COMPARISONS[kind][0] if kind in _COMPARISONS else None
    return next((title for title, result in _COMPARISONS.values() if (folder / result).is_file()), None)


def open_archive(path: pathlib.Path) -> zipfile.ZipFile:
    """Open the archive that a model file is; the caller closes it.

    Raises:
        InputError: If the file cannot be read, or is not a model.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as fault:
        raise InputError(f"{path}: not a Keras model file ({fault}); give a .keras file") from fault
    if "config.json" not in archive.namelist():
        archive.close()
        raise InputError(f"{path}: a zip archive, but not a Keras model (no config.json); give a .keras file")
    return archive


def resolve_model_paths(paths: Sequence[str | os.PathLike[str]]) -> tuple[list[pathlib.Path], bool]:
    """Return the model files that paths mean, and whether they are the folds of a cross-validation.

    Args:
        paths: ``.keras`` files or run folders; or one folder of a cross-validation, which means all of its folds.

    Raises:
        InputError: If a file is missing or not a model, a path is given twice, a fold has not finished, or the folder
            of a cross-validation is one of several paths.
    """
    if twice := [path for number, path in enumerate(paths) if path in paths[:number]]:
        raise InputError(f"{twice[0]}: is given twice as a model; give each once")
    for path in paths:
        if folds := fold_folders(pathlib.Path(path)):
            if len(paths) > 1:
                raise InputError(
                    f"{path}: holds the folds of a cross-validation and is used alone; give no other model"
                )
            if missing := [fold.name for fold in folds if not (fold / RUN_MODEL_NAME).is_file()]:
                raise InputError(
                    f"{path}: {', '.join(missing)} of {len(folds)} folds has no model yet; finish the training with "
                    f"--out {path} --resume, or name those that have ended, with --average"
                )
            return [resolve_model_path(fold) for fold in folds], True
    return [resolve_model_path(path) for path in paths], False


def fold_folders(root: pathlib.Path) -> list[pathlib.Path]:
    """Return the run folders of the folds below a folder, in their order; none where it holds no cross-validation.

    Raises:
        InputError: If the file that tells their number is damaged.
    """
    if not (root / FOLDS_NAME).exists():
        return []
    count = read_object(root / FOLDS_NAME, "the number of folds").get("folds")
    if type(count) is not int or count < 1:
        raise InputError(f'{root / FOLDS_NAME}: damaged; write {{"folds": K}} with the number of folds')
    return [root / f"{FOLD_PREFIX}{number + 1}" for number in range(count)]
