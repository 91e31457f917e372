"""What a command of ``recipes.fre`` does: one run, a comparison or a search; and what a resumed one goes on with."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from recipes.enhancement.methods import METHODS
from segkit.errors import InputError
from segkit.experiments.plan import MODE_NAME, SEARCH_NAME

SEARCHES = ("search", "halving")


def methods_named(args: argparse.Namespace) -> list[str] | None:
    """Return the methods to compare as they were named; ``None`` for all."""
    return [name.strip() for name in args.methods.split(",")] if args.methods else None


def searching(args: argparse.Namespace) -> bool:
    """Return whether settings are to be searched for."""
    return args.search is not None or args.halving


def resolve_mode(args: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """Return what is to be done: one run, a comparison or a search. A resumed one is what it was, or more of it.

    Returns:
        ``{"kind": "run"}``, ``{"kind": "compare", "methods": [...], "seeds": 3}``, ``{"kind": "search", "trials": 50}``
        or ``{"kind": "halving"}``.

    Raises:
        InputError: If something else was begun in the folder.
    """
    asked: dict[str, Any] = {"kind": "run"}
    if args.compare or (args.resume and (args.methods or args.seeds is not None)):
        asked = {"kind": "compare", "methods": methods_named(args), "seeds": args.seeds}
    elif searching(args):
        asked = {"kind": "halving"} if args.halving else {"kind": "search", "trials": args.search}
    path = folder / MODE_NAME
    if args.resume and path.exists():
        known = json.loads(path.read_text())
        if asked["kind"] not in ("run", known["kind"]):
            raise InputError(f"{folder}: holds a {known['kind']}, not a {asked['kind']}; choose another --out")
        asked = {**known, **{name: value for name, value in asked.items() if value is not None and name != "kind"}}
    if asked["kind"] == "compare":
        asked = {**asked, "methods": asked["methods"] or list(METHODS), "seeds": asked["seeds"] or 1}
    return asked


def joins_search(args: argparse.Namespace, mode: Mapping[str, Any], folder: pathlib.Path) -> bool:
    """Return whether this process takes part in a search that another one has begun in the folder."""
    shared = mode["kind"] in SEARCHES and "KERASTUNER_ORACLE_IP" in os.environ
    begins_anew = args.overwrite and "chief" in os.environ.get("KERASTUNER_TUNER_ID", "")
    return shared and (folder / SEARCH_NAME).exists() and not begins_anew
