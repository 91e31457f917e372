"""What a command does with its plan: one run, a comparison or a search; and what a resumed one is."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segkit.errors import InputError
from segkit.experiments.comparison import Comparison
from segkit.experiments.draft import Draft
from segkit.experiments.folder import MODE_NAME, SEARCH_NAME, has_begun
from segkit.experiments.plan import RunPlan
from segkit.experiments.settings import TINY
from segkit.json_object import read_object
from segkit.volumes.whole_output import whole_file

if TYPE_CHECKING:
    import keras_tuner

    from segkit.experiments.job import Job

SEARCHES = ("search", "halving")
_DEFAULT = math.inf  # trials of a search whose number is not given; no command line can give it

Mode = dict[str, Any]
"""``{"kind": "run"}``, ``{"kind": "compare", "methods": [...], "seeds": 3}`` with the words of the recipe's comparison,
``{"kind": "search", "trials": 50}`` or ``{"kind": "halving"}``; and what the recipe remembers."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """The settings that a recipe can search for.

    Attributes:
        help: Help of the option ``--search``.
        searched: Returns the names of the settings under ``model`` of a plan that are worth a search.
        space: Returns the space of the search.
        vary: Called with the job, the folder of a trial, ``epochs`` and the values of the settings; returns its job.
        trials: Returns the number of trials of a plan where the command line gives none.
    """

    help: str
    searched: Callable[[RunPlan], Sequence[str]]
    space: Callable[[RunPlan], keras_tuner.HyperParameters]
    vary: Callable[..., Job]
    trials: Callable[[RunPlan], int] = lambda plan: 50


def add_mode_arguments(parser: argparse.ArgumentParser, comparison: Comparison | None, search: Search | None) -> None:
    """Add the options of what a recipe can compare and search for."""
    if comparison is not None:
        group = parser.add_argument_group("comparison")
        noun, names = comparison.noun, ",".join(comparison.chosen or comparison.variants)
        more = ", ".join(name for name in comparison.variants if name not in (comparison.chosen or comparison.variants))
        group.add_argument(f"--{comparison.kind}", action="store_true", help=comparison.help)
        group.add_argument(
            f"--{noun}", metavar="A,B,...", help=f"{noun} to compare ({names}{f'; also {more}' if more else ''})"
        )
        if comparison.has_seeds:
            group.add_argument(
                "--seeds", type=int, metavar="N", help=f"train each of the {noun} with the seeds 0 to N - 1"
            )
    if search is not None:
        group = parser.add_argument_group("search")
        group.add_argument("--search", type=int, metavar="N", nargs="?", const=_DEFAULT, help=search.help)
        group.add_argument("--halving", action="store_true", help="search by successive halving instead")


def check_mode_arguments(args: argparse.Namespace, comparison: Comparison | None, search: Search | None) -> None:
    """Refuse options of comparison and search that do not fit together; make them small for tiny plans.

    Raises:
        InputError: If some do not.
    """
    if comparison is not None:
        _check_comparison(args, comparison)
    if search is not None:
        if searching(args) and comparison is not None and getattr(args, comparison.kind):
            raise InputError(
                f"--search or --halving cannot be combined with --{comparison.kind}; search first, then compare with "
                "what it found"
            )
        if args.search is not None and args.halving:
            raise InputError("--search cannot be combined with --halving; give one of them")
        if args.search is not None and args.search < 1:
            raise InputError(f"--search {args.search}; give at least 1 trial")
        if TINY:
            args.search = args.search and min(args.search, 2)


def _check_comparison(args: argparse.Namespace, comparison: Comparison) -> None:
    kind, noun = comparison.kind, comparison.noun
    seeds = args.seeds if comparison.has_seeds else None
    if (getattr(args, noun) or seeds is not None) and not (getattr(args, kind) or args.resume):
        raise InputError(
            f"--{noun} or --seeds without --{kind}; give both, or --seed for one training"
            if comparison.has_seeds
            else f"--{noun} without --{kind}; give both"
        )
    if comparison.has_seeds and getattr(args, kind) and args.seed is not None:
        raise InputError(f"--seed cannot be combined with --{kind}; give the number of seeds with --seeds")
    if seeds is not None and seeds < 1:
        raise InputError(f"--seeds {seeds}; give at least 1")
    named = variants_named(args, comparison) or []
    if unknown := [name for name in named if name not in comparison.variants]:
        raise InputError(f"--{noun}: unknown {unknown[0]!r}; choose one of {', '.join(comparison.variants)}")
    if len(set(named)) < len(named):
        raise InputError(f"--{noun} {','.join(named)}: one is named twice; name each once")
    if TINY and comparison.has_seeds:
        args.seeds = seeds and 1


def variants_named(args: argparse.Namespace, comparison: Comparison) -> list[str] | None:
    """Return the variants that the command line names; ``None`` where it names none."""
    text = getattr(args, comparison.noun)
    return [name.strip() for name in text.split(",")] if text else None


def searching(args: argparse.Namespace) -> bool:
    """Return whether a command line asks for a search."""
    return getattr(args, "search", None) is not None or getattr(args, "halving", False)


def resolve_mode(
    args: argparse.Namespace,
    draft: Draft,
    comparison: Comparison | None,
    search: Search | None,
    remembered: Mapping[str, Any],
) -> Mode:
    """Return what is to be done. A resumed command is what it was, or more of it.

    Args:
        args: The command line.
        draft: The run that it means.
        comparison: What the recipe can compare.
        search: What it can search for.
        remembered: What a resumed run must know besides its plan; of a resumed run that of the folder counts.

    Raises:
        InputError: If something else was begun in the folder, or there is nothing to search for in the plan.
    """
    folder = draft.folder
    asked: Mode = {"kind": "run"}
    if comparison is not None:
        noun, seeds = comparison.noun, args.seeds if comparison.has_seeds else None
        named = variants_named(args, comparison)
        if getattr(args, comparison.kind) or (args.resume and (named or seeds is not None)):
            asked = {"kind": comparison.kind, noun: named, **({"seeds": seeds} if comparison.has_seeds else {})}
    if searching(args):
        trials = None if args.search is _DEFAULT else args.search
        asked = {"kind": "halving"} if args.halving else {"kind": "search", "trials": trials}
    # A resumed command is what the folder says, with what is asked now added to it.
    if args.resume and (folder / MODE_NAME).exists():
        asked = _more_of(read_mode(folder), asked, folder)
    else:
        asked = {**asked, **remembered}
    if comparison is not None and asked["kind"] == comparison.kind:
        asked[comparison.noun] = asked[comparison.noun] or list(comparison.chosen or comparison.variants)
        if comparison.has_seeds:
            asked["seeds"] = asked["seeds"] or 1
    if search is not None and asked["kind"] in SEARCHES:
        if not search.searched(draft.plan):
            raise InputError(f"{folder}: nothing in the plan can be searched for; leave out --search and --halving")
        if asked["kind"] == "search":
            asked["trials"] = asked["trials"] or search.trials(draft.plan)
    return asked


def _more_of(known: Mode, asked: Mode, folder: pathlib.Path) -> Mode:
    if asked["kind"] not in ("run", known["kind"]):
        if has_begun(folder):
            begun, other = (f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in (known["kind"], asked["kind"]))
            raise InputError(f"{folder}: holds {begun}, not {other}; choose another --out")
        known = {**known, "kind": asked["kind"]}  # a plan that waits may be started as anything
        return {**known, **asked}
    return {**known, **{name: value for name, value in asked.items() if value is not None and name != "kind"}}


def read_mode(folder: pathlib.Path) -> Mode:
    """Return what was begun in a folder.

    Raises:
        InputError: If the file is damaged.
    """
    path = folder / MODE_NAME
    try:
        known = read_object(path, "the mode of a run")
    except InputError as fault:
        raise InputError(f"{path}: damaged; delete it to resume the folder as a single run") from fault
    if "kind" not in known:  # of cells before kinds: {"ablation": models or None, "sequences": [...]}
        models = known.pop("ablation", None)
        known = {**({"kind": "run"} if models is None else {"kind": "ablation", "models": models}), **known}
    return known


def write_mode(mode: Mode, folder: pathlib.Path) -> None:
    """Write what is done in a folder."""
    with whole_file(folder / MODE_NAME, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(mode) + "\n")


def joins_search(args: argparse.Namespace, mode: Mapping[str, Any], folder: pathlib.Path) -> bool:
    """Return whether this process takes part in a search that another one has begun in the folder."""
    # A chief that is started again joins its search too, unless it starts over.
    starts_over = args.overwrite and not serves_search(mode)
    return _is_shared(mode) and (folder / SEARCH_NAME).exists() and not starts_over


def serves_search(mode: Mapping[str, Any]) -> bool:
    """Return whether this process is a worker of a shared search: it trains its trials, never the run itself."""
    return _is_shared(mode) and "chief" not in os.environ.get("KERASTUNER_TUNER_ID", "")


def _is_shared(mode: Mapping[str, Any]) -> bool:
    return mode["kind"] in SEARCHES and "KERASTUNER_ORACLE_IP" in os.environ
