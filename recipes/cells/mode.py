"""What a command of ``recipes.efficientcellseg`` does beside its plan, and what a resumed one goes on with."""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import Any

from segkit.errors import InputError
from segkit.experiments.plan import MODE_NAME

ABLATION_MODELS = ("1", "2", "3", "3r", "4", "5")


def resolve_mode(args: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """Return what is to be done beside the plan; a resumed run is what it was, or more models of it.

    Returns:
        ``{"ablation": [models] or None, "sequences": [folders of the challenge's images]}``.
    """
    path = folder / MODE_NAME
    if args.resume and path.exists():
        known = json.loads(path.read_text())
        if args.models and known["ablation"] is None:
            raise InputError(f"{folder}: holds a run, not an ablation; leave --models out, or choose another --out")
        return {**known, "ablation": args.models.split(",") if args.models else known["ablation"]}
    names = [name for name in (args.sequence or "01", args.test_sequence) if name] if args.ctc else []
    models = args.models.split(",") if args.models else list(ABLATION_MODELS)
    return {"ablation": models if args.ablation else None, "sequences": [str(args.ctc / name) for name in names]}
