"""The life of a run, from its command line to its report; what differs between runs is a ``Recipe``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segkit.console import CommandParser, add_console_arguments, parse_size, run_command, set_console
from segkit.errors import InputError
from segkit.experiments.arguments import (
    add_output_arguments,
    add_training_arguments,
    overridden_plan,
    settle_annotation,
)
from segkit.experiments.comparison import Comparison
from segkit.experiments.draft import Draft
from segkit.experiments.folder import (
    check_folder,
    check_writable,
    claim_folder,
    has_begun,
    nothing_left_of,
    remove_run,
)
from segkit.experiments.folds import folded, write_summary
from segkit.experiments.lock import only_process_in
from segkit.experiments.model_settings import model_settings
from segkit.experiments.modes import (
    SEARCHES,
    Mode,
    Search,
    add_mode_arguments,
    check_mode_arguments,
    joins_search,
    resolve_mode,
    serves_search,
    write_mode,
)
from segkit.experiments.plan import PLAN_NAME, RunPlan, missing_settings, read_plan, write_plan
from segkit.experiments.provenance import remember_command
from segkit.experiments.resume import check_recipe, is_left, keeps_result
from segkit.experiments.served_folder import served_folder, write_served_folder
from segkit.experiments.settings import TINY
from segkit.model_path import FOLDS_NAME, fold_folders
from segkit.volumes.whole_output import whole_file

if TYPE_CHECKING:
    from segkit.experiments.job import Job, Network
    from segkit.training.resumable import Resumable

_LOG = logging.getLogger("segkit.run")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is specific to the runs of one paper, data set or method.

    Functions that need Keras or SciPy import them inside: a recipe is read before ``--help`` is shown.

    Attributes:
        name: Name in plans and of the module, ``recipes.<name>``; never renamed.
        description: First line of ``--help``.
        add_arguments: Adds the recipe's own arguments to a parser; those of training, output, comparison and search are
            added behind them.
        check_arguments: Refuses arguments that do not fit together, by an ``InputError``.
        draft: Returns the runs that arguments mean; refuses what the data cannot be.
        resumed: Returns the runs that a command with ``--resume`` continues, with what it changes in them.
        network: Returns the network of a plan; refuses unknown settings under ``model``.
        tiny: Returns a plan that runs in seconds.
        model_settings: Dataclass of what a plan of the recipe holds under ``model``; ``None`` where ``network`` alone
            checks it.
        settle: Called with a plan, whether it is resumed and the kind of its mode, when Keras is loaded and before data
            are made; returns the plan with what was left open, such as the weights that are available.
        comparison: What can be compared; ``None`` for nothing.
        search: What can be searched for; ``None`` for nothing.
        measure: What is kept of a trial of a comparison or search: called with its job and the record of its training.
        remember: Returns what a resumed run must know besides its plan, kept in ``mode.json``.
        finish: Called with the job of a finished run, its mode and the bound of memory; writes more results.
    """

    name: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    check_arguments: Callable[[argparse.Namespace], None] = lambda args: None
    draft: Callable[[argparse.Namespace], Sequence[Draft]]
    resumed: Callable[[argparse.Namespace], Sequence[Draft]]
    network: Callable[[RunPlan], Network]
    tiny: Callable[[RunPlan], RunPlan]
    model_settings: type | None = None
    settle: Callable[[RunPlan, bool, str], RunPlan] = lambda plan, resumed, kind: plan
    comparison: Comparison | None = None
    search: Search | None = None
    measure: Callable[[Job, Resumable], dict[str, Any]] = lambda job, record: {}
    remember: Callable[[argparse.Namespace, RunPlan], Mapping[str, Any]] = lambda args, plan: {}
    finish: Callable[[Job, Mapping[str, Any], int | None], None] = lambda job, mode, max_ram: None

    @property
    def has_modes(self) -> bool:
        """Whether ``mode.json`` tells what was begun in a folder."""
        return bool(self.comparison or self.search)


def parse_args(recipe: Recipe, argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line.

    Raises:
        InputError: If arguments do not fit together.
    """
    parser = CommandParser(prog=f"python -m recipes.{recipe.name}", description=recipe.description)
    recipe.add_arguments(parser)
    add_mode_arguments(parser, recipe.comparison, recipe.search)
    add_training_arguments(parser)
    add_output_arguments(parser)
    add_console_arguments(parser)
    args = parser.parse_args(argv)
    set_console(args)
    if args.plan:
        _check_plan_arguments(args, _own_defaults(recipe))
    else:
        recipe.check_arguments(args)
        settle_annotation(args)
    check_mode_arguments(args, recipe.comparison, recipe.search)
    return args


def _own_defaults(recipe: Recipe) -> dict[str, Any]:
    """Return the values that a recipe's own arguments have where they are not given."""
    parser = argparse.ArgumentParser(add_help=False)
    recipe.add_arguments(parser)
    return {action.dest: action.default for action in parser._actions}


def _check_plan_arguments(args: argparse.Namespace, defaults: Mapping[str, Any]) -> None:
    """Refuse what a plan holds itself; ``defaults`` are the values of the recipe's own arguments."""
    if args.resume:
        raise InputError(
            "--plan cannot be combined with --resume, which continues the plan in the folder; leave one of them out"
        )
    given = [name for name, default in defaults.items() if getattr(args, name) != default and name != "normalize"]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise InputError(
            f"{option} cannot be combined with --plan {args.plan}, which holds it; edit the plan, or leave one out"
        )


def drafts_of(recipe: Recipe, args: argparse.Namespace) -> list[Draft]:
    """Return the runs that a command line means; none where all that it could resume have ended. Nothing is written.

    Raises:
        InputError: If the arguments do not fit the data or the run that is resumed.
    """
    if args.resume and args.out and (folds := fold_folders(args.out)):
        return _folds_to_resume(recipe, args, folds)
    if args.resume and args.folds is not None:
        raise InputError("--folds cannot be combined with --resume; name the folder of the folds with --out")
    if args.resume:
        return list(recipe.resumed(args))
    drafts = [_planned(recipe, args)] if args.plan else [_made_tiny(recipe, draft) for draft in recipe.draft(args)]
    if args.folds is None:
        return drafts
    if args.plan:
        drafts = [_with_notice(draft, _AS_PLANNED) for draft in drafts]
    defaults = _own_defaults(recipe)
    for name in _OF_SPLITS:
        if name in defaults and getattr(args, name) != defaults[name]:
            raise InputError(
                f"--{name.replace('_', '-')} cannot be combined with --folds, which splits the data itself"
            )
    return [fold for draft in drafts for fold in folded(draft, args.folds)]


_AS_PLANNED = (
    "All folds have the settings of one plan. Those that were measured on data, such as the size of cells or the "
    "number of epochs, were measured on slices that some folds score."
)


def _with_notice(draft: Draft, notice: str) -> Draft:
    return dataclasses.replace(draft, plan=dataclasses.replace(draft.plan, notices=(*draft.plan.notices, notice)))


_OF_SPLITS = (
    *("train_z", "validation_z", "test_z", "hold_out_every"),
    *("validation_tomogram", "validation_mask", "test_sequence"),
)
"""What says which slices are for what."""


def _folds_to_resume(recipe: Recipe, args: argparse.Namespace, folds: Sequence[pathlib.Path]) -> list[Draft]:
    """Return the folds that have not ended, or have fewer epochs than are asked for."""
    given = [name for name, default in _own_defaults(recipe).items() if getattr(args, name) != default]
    if given or args.folds not in (None, len(folds)):
        option = f"--{given[0].replace('_', '-')}" if given else f"--folds {args.folds}"
        raise InputError(f"{option} cannot be combined with --resume of {len(folds)} folds, whose plans hold it")
    if missing := [fold for fold in folds if not (fold / PLAN_NAME).exists()]:
        raise InputError(f"{missing[0]}: has no plan; start the folds over with --overwrite")
    drafts = []
    for fold in folds:
        plan = read_plan(fold / PLAN_NAME)
        check_recipe(plan, recipe.name, args.out)
        if not is_left(plan, fold, args.epochs):
            continue
        given = argparse.Namespace(**{**vars(args), "out": fold})
        drafts += [dataclasses.replace(draft, is_fold=True) for draft in recipe.resumed(given)]
    return drafts


def _planned(recipe: Recipe, args: argparse.Namespace) -> Draft:
    """Return the run of the plan that a command line names."""
    plan = read_plan(args.plan)
    if plan.recipe != recipe.name:
        raise InputError(
            f"{args.plan}: a plan of the recipe {plan.recipe}, not of {recipe.name}; start it with python -m "
            f"recipes.{plan.recipe} --plan {args.plan}"
        )
    return Draft(plan=overridden_plan(plan, args), folder=args.out or pathlib.Path("runs", plan.structure))


def _made_tiny(recipe: Recipe, draft: Draft) -> Draft:
    if not TINY:
        return draft
    measure = draft.measure
    small = None if measure is None else lambda plan: recipe.tiny(measure(plan))
    return dataclasses.replace(draft, plan=recipe.tiny(draft.plan), measure=small)


def made(drafts: Sequence[Draft]) -> list[RunPlan]:
    """Write the data that plans wait for, and return the plans with what follows from them.

    Raises:
        InputError: If there is nothing to learn in the data.
    """
    for make_data in dict.fromkeys(draft.make_data for draft in drafts if draft.make_data):
        make_data()
    return [draft.plan if draft.measure is None else draft.measure(draft.plan) for draft in drafts]


def run_recipe(recipe: Recipe, argv: Sequence[str]) -> None:
    """Run a command line: plan, train, evaluate, export, report; or compare, or search.

    Whatever can be refused is refused before data are simulated, and data, plan and network are found to fit together
    before anything of an earlier run is removed.

    Raises:
        InputError: If arguments, data, plan or folders do not fit.
    """
    # Read the command line, and refuse what cannot be done.
    args = parse_args(recipe, argv)
    max_ram = parse_size(args.max_ram)
    drafts = drafts_of(recipe, args)
    if not drafts:
        _tell_ended(args.out)
        return
    _check_plans(recipe, args, drafts)
    for served in {served_folder(args, draft.folder) for draft in drafts} - {None}:
        check_writable(served)
    roots = list(dict.fromkeys(draft.folder.parent for draft in drafts if draft.is_fold))
    mode: Mode = {"kind": "run"}
    if recipe.has_modes:
        mode = resolve_mode(args, drafts[0], recipe.comparison, recipe.search, recipe.remember(args, drafts[0].plan))
        if roots and mode["kind"] != "run":
            raise InputError("--folds cannot be combined with a comparison or a search; give one of them")
    if args.resume and mode["kind"] == "run":
        drafts = _to_train(drafts)
        if not drafts:
            return
    is_worker = serves_search(mode)
    for root in () if args.resume else roots:  # nothing of other folds, or of a single run, may be left there
        claim_folder(root, resume=False, overwrite=args.overwrite, keeps_plan=True)
    for draft in drafts:
        look = check_folder if is_worker else claim_folder  # a worker's chief holds the folder
        look(draft.folder, **_claim(args, mode, draft.folder), keeps_plan=True)
    if args.plan:
        _tell_where(args, drafts)
    # Make or open the data; nothing of an earlier run has been removed so far.
    with _nothing_left_of(drafts):
        unresolved, jobs = _jobs(recipe, drafts, is_resumed=args.resume, kind=mode["kind"])
        plans = unresolved if args.plan_only else [job.plan for job in jobs]
    # Everything fits: replace an earlier run, write down what is done here, and do it.
    with contextlib.ExitStack() as held:
        for root in roots:
            held.enter_context(only_process_in(root))
            if not args.resume:
                check_folder(root, resume=False, overwrite=args.overwrite, keeps_plan=True)
                if args.overwrite:
                    remove_run(root)
                (root / PLAN_NAME).unlink(missing_ok=True)  # of a single run that is replaced
                folds = sum(draft.folder.parent == root for draft in drafts)
                with whole_file(root / FOLDS_NAME, overwrite=True) as unfinished:
                    unfinished.write_text(json.dumps({"folds": folds}) + "\n")
            remember_command(root, resume=args.resume)
        for plan, draft in zip(plans, drafts, strict=True):
            if not is_worker:
                held.enter_context(only_process_in(draft.folder))
                # The data took their time: another run may have begun, and ended, since the first look.
                check_folder(draft.folder, **_claim(args, mode, draft.folder))
            _write(recipe, plan, draft.folder, mode, args)
        try:
            for job in () if args.plan_only else jobs:
                _run(recipe, job, mode, args, max_ram, serves=not roots)
        except KeyboardInterrupt:
            _LOG.info("to resume: python -m recipes.%s --out %s --resume", recipe.name, _root_of(drafts))
            raise
        for root in roots:
            write_summary(root)


def _check_plans(recipe: Recipe, args: argparse.Namespace, drafts: Sequence[Draft]) -> None:
    """Look at plans that may have been edited, before a mode or a network does.

    Settings of networks that are wrong are refused with the file that holds them, and settings that are missing told.
    """
    of_drafts = [args.plan or (draft.folder / PLAN_NAME if args.resume else None) for draft in drafts]
    if recipe.model_settings is not None:
        for draft, file in zip(drafts, of_drafts, strict=True):
            model_settings(recipe.model_settings, draft.plan, file)
    for file in dict.fromkeys(filter(None, of_drafts)):
        if missing := missing_settings(file):
            _LOG.warning("warning: %s: without %s under 'training'; defaults are used", file, ", ".join(missing))


def _to_train(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the runs that can be resumed; those that have ended without what they would be trained on from stay."""
    kept = [draft for draft in drafts if keeps_result(draft.plan, draft.folder)]
    for draft in kept:
        _LOG.warning("warning: %s: the run has ended and stays as it is; its folder state/ is missing", draft.folder)
    return [draft for draft in drafts if draft not in kept]


def _tell_ended(root: pathlib.Path | None) -> None:
    """Log that nothing is left to resume; sum up folds, which may have been interrupted just before that."""
    _LOG.info("all runs have ended and stay as they are; give more --epochs to train on")
    if root and fold_folders(root):
        with only_process_in(root):
            write_summary(root)


def _tell_where(args: argparse.Namespace, drafts: Sequence[Draft]) -> None:
    """Log where a plan from a file is run; perhaps it was to run where it lies, if none has begun there."""
    place, root = args.plan.parent, _root_of(drafts)
    if args.plan.name == PLAN_NAME and place.resolve() != root.resolve() and not has_begun(place):
        _LOG.info(
            "%s is run in %s; to run it where it lies, leave out --plan and give --out %s --resume",
            *(args.plan, root, place),
        )


def _root_of(drafts: Sequence[Draft]) -> pathlib.Path:
    """Return the folder that ``--out --resume`` takes for some runs: that of the only one, or of all."""
    folders = {draft.folder for draft in drafts}
    return next(iter(folders)) if len(folders) == 1 else next(iter(folders)).parent


def _claim(args: argparse.Namespace, mode: Mode, folder: pathlib.Path) -> dict[str, bool]:
    """Return what a command does with what its folder holds now, as ``claim_folder`` takes it."""
    joins = joins_search(args, mode, folder) and (folder / PLAN_NAME).exists()
    return {"resume": args.resume or joins, "overwrite": args.overwrite}


def _write(recipe: Recipe, plan: RunPlan, folder: pathlib.Path, mode: Mode, args: argparse.Namespace) -> None:
    """Write plan and mode into a folder, in place of what an earlier run has left there."""
    is_resumed = args.resume or joins_search(args, mode, folder)
    if not is_resumed:
        if args.overwrite and not serves_search(mode):
            remove_run(folder)
        write_plan(plan, folder / PLAN_NAME)
    if not serves_search(mode):
        write_served_folder(served_folder(args, folder), folder)
        remember_command(folder, resume=is_resumed)
    if recipe.has_modes:
        write_mode(mode, folder)
    if args.plan_only:
        root = folder.parent if fold_folders(folder.parent) else folder
        sys.stderr.write(f"plan: {folder / PLAN_NAME}; start it with --out {root} --resume\n")


def _nothing_left_of(drafts: Sequence[Draft]) -> contextlib.AbstractContextManager[None]:
    """Return a block that leaves no folder of its own behind where it finds the input wrong."""
    return nothing_left_of(_root_of(drafts))


def _jobs(recipe: Recipe, drafts: Sequence[Draft], *, is_resumed: bool, kind: str) -> tuple[list[RunPlan], list[Job]]:
    """Return some plans with what follows from their data, and their jobs, everything opened and checked.

    What depends on the machine, such as the precision and the weights that are there, stands in the jobs alone.
    """
    # Here, not above: TensorFlow takes longer to load than --help and mistakes should.
    from segkit.experiments.job import network_to_start_from, set_up

    settled = [dataclasses.replace(draft, plan=recipe.settle(draft.plan, is_resumed, kind)) for draft in drafts]
    for draft in settled:
        network_to_start_from(draft.plan, recipe.network(draft.plan))  # refuses before anything is simulated
    plans = made(settled)
    jobs = [set_up(plan, draft.folder, recipe.network(plan)) for plan, draft in zip(plans, drafts, strict=True)]
    return [_unsettled(*each) for each in zip(plans, jobs, settled, drafts, strict=True)], jobs


def _unsettled(plan: RunPlan, job: Job, settled: Draft, draft: Draft) -> RunPlan:
    """Return a plan as its data resolve it, without what was found on this machine: precision, ``Recipe.settle``."""
    found = set(settled.plan.notices) - set(draft.plan.notices)
    notices = tuple(notice for notice in plan.notices if notice not in found)
    asked, chosen = draft.plan.model, settled.plan.model
    open_still = {name: value for name, value in asked.items() if chosen.get(name) != value}
    training = dataclasses.replace(job.plan.training, precision=plan.training.precision)
    return dataclasses.replace(plan, model={**plan.model, **open_still}, training=training, notices=notices)


def _run(recipe: Recipe, job: Job, mode: Mode, args: argparse.Namespace, max_ram: int | None, *, serves: bool) -> None:
    """Do what the mode says with a job; ``serves`` is false where its model is none to be served."""
    from segkit.experiments.training_run import run

    if recipe.comparison is not None and mode["kind"] == recipe.comparison.kind:
        from segkit.experiments.compare import compare

        seeds = range(mode["seeds"]) if recipe.comparison.has_seeds else [job.plan.training.seed]
        compare(job, recipe.comparison, recipe.measure, mode[recipe.comparison.noun], seeds)
        return
    if mode["kind"] in SEARCHES:
        from segkit.experiments.settings_search import search_settings

        found = search_settings(job, recipe.search, recipe.measure, mode.get("trials"))
        if found is None:
            return
        job = found
    is_resumed = args.resume or mode["kind"] in SEARCHES
    saved_models = served_folder(args, job.folder) if serves else None
    run(job, saved_models=saved_models, resume=is_resumed, max_ram=max_ram)
    write_plan(job.plan, job.folder / PLAN_NAME)  # with what was found, or the epochs that a resumed run was given
    recipe.finish(job, mode, max_ram)


def recipe_command(recipe: Recipe, argv: Sequence[str] | None = None) -> int:
    """Run a recipe as a program and return its exit status; see ``segkit.console.run_command``."""
    return run_command(
        lambda words: run_recipe(recipe, words),
        argv,
        when_interrupted="Epochs that were finished, if any, are kept.",
    )
