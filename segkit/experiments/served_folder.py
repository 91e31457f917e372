"""Where a run is exported to, if at all: what its first command said counts when it is resumed."""

from __future__ import annotations

import argparse
import json
import pathlib

from segkit.errors import InputError
from segkit.experiments.folder import EXPORT_NAME
from segkit.json_object import read_object
from segkit.volumes.whole_output import whole_file

_DEFAULT = pathlib.Path("saved_models")


def served_folder(args: argparse.Namespace, folder: pathlib.Path) -> pathlib.Path | None:
    """Return the root folder of SavedModels that a run is exported to; ``None`` for no export.

    Args:
        args: The command line. Of one that resumes without ``--saved-models`` or ``--no-export``, what the run was told
            before counts.
        folder: The run folder.

    Raises:
        InputError: If the file in the folder is damaged.
    """
    if args.no_export:
        return None
    if args.saved_models is not None:
        return args.saved_models
    path = folder / EXPORT_NAME
    if not (args.resume and path.exists()):
        return _DEFAULT
    known = read_object(path, "where a run is exported to").get("saved_models", "")
    if known is not None and not (isinstance(known, str) and known):
        raise InputError(f"{path}: damaged; delete it, and give --saved-models or --no-export")
    return None if known is None else pathlib.Path(known)


def write_served_folder(served: pathlib.Path | None, folder: pathlib.Path) -> None:
    """Write where a run is exported to into its folder; nothing for the default.

    Args:
        served: Root folder of SavedModels; ``None`` for no export.
        folder: The run folder.
    """
    path = folder / EXPORT_NAME
    if served == _DEFAULT:
        path.unlink(missing_ok=True)
        return
    with whole_file(path, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps({"saved_models": None if served is None else str(served)}) + "\n")
