"""Run a plan: data, model, training, evaluation, export, report."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
import logging
import operator
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from segkit.console import STARTED
from segkit.data.sources import LabeledVolume, Source, shared_warnings, write_slices
from segkit.errors import InputError
from segkit.experiments.job import FinishedRun, Job
from segkit.experiments.plan import PLAN_NAME, RunPlan
from segkit.experiments.provenance import commands_of, versions
from segkit.experiments.resume import SCORES_NAME
from segkit.export.from_file import export_from_file
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_volume import predict_volume
from segkit.json_object import read_object
from segkit.models.card import ModelCard
from segkit.models.files import load_model, read_card, replace_card
from segkit.models.precision import with_precision
from segkit.models.rebuildable import check_rebuildable
from segkit.models.with_penalty import with_penalty
from segkit.progress import ProgressLine
from segkit.registry import user_modules
from segkit.report.sections import Provenance, Warned
from segkit.report.short_name import short_name
from segkit.report.write_report import write_report
from segkit.training.fit import fit
from segkit.training.precision import dtype_policy
from segkit.training.resumable import DATA_NAME, Resumable
from segkit.training.seeding import seed_everything
from segkit.volumes.files import open_volume, suffix_like
from segkit.volumes.whole_output import whole_file

_LOG = logging.getLogger("segkit.run")


def run(
    job: Job, *, saved_models: pathlib.Path | None, resume: bool = False, max_ram: int | None = None
) -> dict[str, Any]:
    """Run a job to its end: a trained model, masks, scores, a SavedModel and a report in its folder.

    Args:
        job: What to run. The caller holds its folder (``only_process_in``).
        saved_models: Folder of served models; ``None`` to write none.
        resume: Resume the run in the folder.
        max_ram: Bound of the memory while predicting [byte].

    Returns:
        Scores of the held-out slices, as written to ``scores.json``.
    """
    plan, folder, volumes = job.plan, job.folder, job.volumes
    folder.mkdir(parents=True, exist_ok=True)
    # Train, then keep the best epoch as the model of the run.
    record = train(job, resume=resume)
    model_path = publish(record)
    # Predict, score and export with that model, read back from its file.
    masks = predict_all(job, model_path, max_ram)
    evaluations = evaluate_held_out(plan, volumes, masks)
    exported = None if saved_models is None else exported_before(folder, record) or export(model_path, saved_models)
    # Further evidence, scores and the report.
    finished = FinishedRun(job, record, [(volumes[number], slices) for number, slices in scored_slices(volumes)])
    extra = {name: value for one in job.network.evidence for name, value in one.scores(finished).items()}
    scores = write_scores(folder, plan, record, evaluations, exported, extra)
    report(finished, masks, evaluations, scores)
    record.tidy()
    _LOG.info(
        "report: %s (training %.0f s; %.0f s since the command was started)",
        folder / "report.html",
        record.seconds,
        time.monotonic() - STARTED,
    )
    return scores


def card_of(job: Job) -> ModelCard:
    """Return the card of a job's network."""
    plan, prepared, network = job.plan, job.prepared, job.network
    return ModelCard(
        name=f"{plan.recipe}-{plan.structure}",
        structure=plan.structure,
        task=plan.task,
        preprocessing=prepared.preprocessing,
        voxel_size_nm=prepared.voxel_size_nm,
        dtype=str(np.dtype(job.volumes[0].tomogram.dtype)),
        grey_values=prepared.grey_values,
        multiple_px=network.multiple_px,
        halo_px=network.halo_px,
        # A network that looks at its whole input is best used on tiles of the size that it was trained on.
        tile_px=plan.training.patch_px if network.halo_px is None and not plan.preprocessing.resizes else None,
        provenance={"plan": plan.to_dict(), "versions": versions()},
    )


def train(job: Job, *, resume: bool) -> Resumable:
    """Build the network, or open the one to start from, and fit it; the caller holds the job's folder."""
    plan, prepared, settings = job.plan, job.prepared, job.plan.training
    keras.backend.clear_session()  # graphs of earlier trainings go, and layers are named as in a process of its own
    seed_everything(settings.seed, deterministic=settings.deterministic)
    with dtype_policy(settings.precision):
        if plan.init:
            model = with_penalty(with_precision(load_model(plan.init), settings.precision), settings.l2)
        else:
            model = built(job)
    check_rebuildable(model, lambda: prepared.validation.batch(0)[0][:1])
    _LOG.info(
        "training: %s parameters, %d patches of %d px (%d with foreground), %d steps per epoch, %s",
        f"{model.count_params():,}",
        len(prepared.training.table),
        settings.patch_px,
        int(prepared.training.table.positive.sum()),
        prepared.training.steps_per_epoch,
        settings.precision,
    )
    return fit(
        model,
        prepared.training,
        prepared.validation,
        settings,
        job.folder,
        card_of(job),
        callbacks=job.network.callbacks(model, prepared, job.folder),
        identity=data_identity(job.volumes),
        resume=resume,
        progress=ProgressLine("training", "steps"),
    )


def data_identity(volumes: Sequence[LabeledVolume]) -> dict[str, Any]:
    """Return what of the data must be the same where a run is resumed: names of files, slices, how they are read.

    Folders may have moved since, and other slices may be scored.
    """
    return {
        f"{DATA_NAME} {number}": {
            "tomogram": pathlib.Path(volume.source.tomogram).name,
            "mask": pathlib.Path(volume.source.mask).name,
            "train": write_slices(volume.split.train),
            "validation": write_slices(volume.split.validation),
            "flip_y": volume.source.flip_y,
            "channel": volume.source.channel,
            "unsigned": volume.source.unsigned,
        }
        for number, volume in enumerate(volumes, start=1)
    }


def built(job: Job) -> keras.Model:
    """Build the network of a job's plan.

    Raises:
        InputError: If its builder refuses the settings, such as a size that they do not fit together with.
    """
    plan = job.plan
    try:
        return job.network.build(**plan.model, **plan.task.build_settings(), l2=plan.training.l2)
    except InputError:
        raise
    except ValueError as fault:
        reason = " ".join(str(fault).split())
        raise InputError(
            f"{job.folder / PLAN_NAME}: the network cannot be built ({reason}); correct 'model', or the size of the "
            "patches"
        ) from fault


def publish(record: Resumable) -> pathlib.Path:
    """Make the best model the run's model, its scores written on its card."""
    path = record.publish()
    card = read_card(path)
    best = record.best_row
    provenance = {**card.provenance, "best_epoch": best}
    replace_card(path, dataclasses.replace(card, provenance=provenance))
    monitor = card.task.monitor
    score = f"validation {monitor.title} {best[monitor.name]:.4f}"
    _LOG.info("best epoch %d of %d: %s", record.best_epoch + 1, len(record.rows), score)
    return path


def predict_all(job: Job, model_path: pathlib.Path, max_ram: int | None) -> dict[int, pathlib.Path]:
    """Predict volumes whole, one file per volume in its own format; those that the task wants predicted.

    Returns:
        Their files by the number of the volume.
    """
    volumes, masks = job.volumes, {}
    everything = range(len(volumes))
    chosen = [number for number, _ in scored_slices(volumes)] if job.plan.task.predicts_scored_only else everything
    # With a bound every volume is predicted in a process of its own.
    loaded = LoadedModel.open(model_path) if max_ram is None else None
    for number in chosen:
        volume = volumes[number]
        path = output_path(job, number)
        if loaded is None:
            _predict_apart(volume, model_path, path, max_ram, user_modules(job.plan.task, job.plan.preprocessing))
        else:
            progress = ProgressLine(f"predicting {volume.tomogram.name}", "blocks")
            predict_volume([loaded], volume.tomogram, path, overwrite=True, progress=progress, is_known=True)
        masks[number] = path
    return masks


def output_path(job: Job, number: int) -> pathlib.Path:
    """Return where the prediction of a volume goes."""
    name = job.plan.task.result_name
    suffix = suffix_like(job.volumes[number].tomogram)
    return job.folder / (f"{name}{suffix}" if len(job.volumes) == 1 else f"{name}-{number + 1}{suffix}")


def _predict_apart(
    volume: LabeledVolume, model_path: pathlib.Path, path: pathlib.Path, max_ram: int, modules: Sequence[str]
) -> None:
    """Predict in a process of its own: one that has trained holds more memory than it could give back."""
    command = [sys.executable, "-m", "segkit", "predict", "--model", model_path, "--input", volume.source.tomogram]
    command += ["--output", path, "--overwrite", "--max-ram", max_ram, *_reading(volume.source)]
    command += [word for module in modules for word in ("--import", module)]
    # It must find what this process has found, such as a module next to the program that was started.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if subprocess.run([str(word) for word in command], env=environment, check=False).returncode:
        raise InputError(
            f"{path}: the prediction failed, see above; continue with --resume, perhaps with another --max-ram"
        )


def _reading(source: Source) -> list[str]:
    """Return the options of ``segkit predict`` that open a tomogram as its source does."""
    channel = [] if source.channel is None else ["--channel", str(source.channel)]
    signs = {None: [], True: ["--unsigned"], False: ["--no-unsigned"]}
    return channel + signs[source.unsigned]


def export(model_path: pathlib.Path, saved_models: pathlib.Path) -> pathlib.Path | None:
    """Write the SavedModel; where TensorFlow is missing, log how to do it elsewhere."""
    if importlib.util.find_spec("tensorflow") is None:
        _LOG.warning(
            "no SavedModel: TensorFlow is not installed here; run segkit export --model %s where it is installed",
            model_path,
        )
        return None
    exported = export_from_file(model_path, saved_models)
    _LOG.info("served model: %s", exported)
    return exported


def exported_before(folder: pathlib.Path, record: Resumable) -> pathlib.Path | None:
    """Return the version that a finished run of the same epochs has written, if it still exists."""
    try:
        scores = read_object(folder / SCORES_NAME, "the scores of a run")
    except (OSError, InputError):
        return None
    # Resuming a finished run must not add a version of the same model.
    # The epoch itself was counted from 0 before.
    best = {**(scores.get("best_epoch") or {}), "epoch": record.best_row["epoch"]}
    same = scores.get("epochs") == len(record.rows) and best == record.best_row
    exported = pathlib.Path(scores.get("saved_model") or "")
    return exported if same and (exported / "saved_model.pb").exists() else None


def scored_slices(volumes: Sequence[LabeledVolume]) -> list[tuple[int, tuple[int, ...]]]:
    """Return volume and slices to score: the test slices, or where there are none the validation slices."""
    use = "test" if any(volume.split.test for volume in volumes) else "validation"
    return [(number, getattr(volume.split, use)) for number, volume in enumerate(volumes) if getattr(volume.split, use)]


def evaluate_held_out(
    plan: RunPlan, volumes: Sequence[LabeledVolume], masks: Mapping[int, pathlib.Path]
) -> list[tuple[int, Any]]:
    """Score the held-out slices of every volume; the number of the volume with each."""
    shared = {"ignore_value": plan.training.ignore_value}
    return [
        (number, plan.task.evaluate(open_volume(masks[number]), volumes[number].mask, slices=slices, **shared))
        for number, slices in scored_slices(volumes)
    ]


def write_scores(
    folder: pathlib.Path,
    plan: RunPlan,
    record: Resumable,
    evaluations: Sequence[tuple[int, Any]],
    exported: pathlib.Path | None,
    extra: dict[str, Any],
) -> dict[str, Any]:
    """Write ``scores.json``, log the table, and return what was written."""
    scores: dict[str, Any] = {
        "structure": plan.structure,
        "preset": plan.preset,
        "notices": [*plan.notices, *plan.warnings],
        "best_epoch": record.best_row,
        "epochs": len(record.rows),
        "training_seconds": round(record.seconds, 1),
        "saved_model": None if exported is None else str(exported),
        "total": merged(evaluations).to_dict()["total"],
        **extra,
        "scores": [
            {"tomogram": plan.data[number].tomogram, **evaluation.to_dict()} for number, evaluation in evaluations
        ],
    }
    with whole_file(folder / SCORES_NAME, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(scores, indent=2) + "\n")
    for number, evaluation in evaluations:
        _LOG.info("scores of %s", plan.data[number].tomogram)
        for line in evaluation.to_table().splitlines():  # one by one: the console shows a line break in a text as such
            _LOG.info("%s", line)
    return scores


def merged(evaluations: Sequence[tuple[int, Any]]) -> Any:
    """Return all scored slices of all volumes as one evaluation."""
    return functools.reduce(operator.add, (evaluation for _, evaluation in evaluations))


def shown_scores(evaluations: Sequence[tuple[int, Any]], volumes: Sequence[LabeledVolume]) -> dict[str, Any]:
    """Return all scored slices as the report shows them; where several volumes are scored, each with its volume."""
    shown = merged(evaluations).to_dict()
    if len(evaluations) > 1:
        shown["slices"] = [
            {**entry, "volume": short_name(volumes[number].tomogram)}
            for number, evaluation in evaluations
            for entry in evaluation.to_dict().get("slices", ())
        ]
    return shown


def report(
    finished: FinishedRun,
    masks: Mapping[int, pathlib.Path],
    evaluations: Sequence[tuple[int, Any]],
    scores: dict[str, Any],
) -> None:
    """Write ``report.html``: the headline is over all scored slices, pictures come from every volume."""
    job, record = finished.job, finished.record
    plan, volumes, folder, task = job.plan, job.volumes, job.folder, job.plan.task
    used = dataclasses.replace(plan, preprocessing=read_card(folder).preprocessing)  # with what was measured
    scored = [(volumes[number], open_volume(masks[number]), part) for number, part in evaluations]
    best, monitor = record.best_row, task.monitor
    tested = any(volume.split.test for volume in volumes)
    uses = "test slices" if tested else "validation slices, which also chose the checkpoint"
    warned = [*plan.warnings]
    warned += [line for callback, _ in record.tracked.values() for line in getattr(callback, "alarms", ())]
    warned += shared_warnings(volumes)
    evidence = [section for one in job.network.evidence for section in one.sections(finished, scores)]
    write_report(
        folder / "report.html",
        title=plan.title(),
        summary=[
            *task.headline(scores),
            (f"Validation {monitor.title} of the checkpoint", monitor.shown(best[monitor.name])),
        ],
        notices=[
            *plan.notices,
            f"Preset: {plan.preset}. Scores are of the {uses}.",
            *map(Warned, dict.fromkeys(warned)),
        ],
        plan={name: value for name, value in used.to_dict().items() if name not in ("notices", "warnings")},
        history=record.rows,
        monitor=monitor,
        evaluation=shown_scores(evaluations, volumes),
        score_titles=task.score_titles,
        overlays=task.overlays(scored, plan.training.ignore_value),
        extra=[*evidence, *task.sections(scores, scored), *job.network.sections(folder)],
        provenance=Provenance(
            versions=versions(), seed=plan.training.seed, seconds=record.seconds, command=commands_of(folder)
        ),
        overwrite=True,
    )
