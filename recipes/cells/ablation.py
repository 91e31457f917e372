"""EfficientCellSeg's ablation: what pretrained weights, pseudocolouring and larger decoders bring (Fig. 5, Table 2)."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from recipes.cells.network import network
from segkit.data.sampler import LOGITS, PatchSampler, named_targets
from segkit.errors import InputError
from segkit.experiments.job import Job, prepare_plan
from segkit.experiments.plan import CELLS_NAME
from segkit.experiments.provenance import command_line, versions
from segkit.experiments.training_cells import run_cell
from segkit.metrics.binary_mean_iou import BinaryMeanIoU
from segkit.models.encoders import ENCODERS
from segkit.models.files import load_model
from segkit.preprocessing.colorings import GreyTriple
from segkit.report.page import Section, escape, table
from segkit.report.sections import validation_curves
from segkit.report.write_report import write_report
from segkit.training.preparation import Prepared
from segkit.training.resumable import Resumable
from segkit.volumes.whole_output import whole_file

_LOG = logging.getLogger("segkit.run")
ABLATION_NAME = "ablation.json"
_TIMED = 9
_EPOCHS_TIMED = 20  # the last ones: the first of a process compiles, and colours slices
_DECODER = ("decoder_", "head")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AblationModel:
    """A row of the ablation.

    Attributes:
        name: Name on the command line and in tables; never renamed. ``r`` stands for random weights in the place of the
            paper's ImageNet weights.
        pretrained: The encoder starts from ImageNet weights.
        pseudocolor: Slices are pseudocoloured; otherwise the grey slice three times.
        decoder_filters: Filters of the decoder.
        paper_mean_iou: Test MeanIoU of Table 2.
    """

    name: str
    pretrained: bool
    pseudocolor: bool
    decoder_filters: tuple[int, ...] = (64, 48, 32, 16)
    paper_mean_iou: float | None = None


_LARGE, _LARGEST = (256, 128, 64, 32), (512, 256, 128, 64)
ABLATION = {
    model.name: model
    for model in (
        AblationModel(name="1", pretrained=False, pseudocolor=False),
        AblationModel(name="2", pretrained=True, pseudocolor=False),
        AblationModel(name="3", pretrained=True, pseudocolor=True, paper_mean_iou=0.9007),
        AblationModel(name="3r", pretrained=False, pseudocolor=True),
        # Printed as (112, 80, 48, 16), which has not the parameters of Table 2.
        AblationModel(name="4", pretrained=True, pseudocolor=True, decoder_filters=_LARGE, paper_mean_iou=0.9003),
        AblationModel(name="4r", pretrained=False, pseudocolor=True, decoder_filters=_LARGE),
        AblationModel(name="4p", pretrained=True, pseudocolor=True, decoder_filters=(112, 80, 48, 16)),
        AblationModel(name="5", pretrained=True, pseudocolor=True, decoder_filters=_LARGEST, paper_mean_iou=0.9042),
        AblationModel(name="5r", pretrained=False, pseudocolor=True, decoder_filters=_LARGEST),
    )
}


def check_models(names: Sequence[str]) -> None:
    """Refuse models that there are not.

    Raises:
        InputError: If a name is unknown or named twice.
    """
    if unknown := [name for name in names if name not in ABLATION]:
        raise InputError(f"--models: {unknown[0]!r} is none of {', '.join(ABLATION)}")
    if len(set(names)) < len(names):
        raise InputError(f"--models {','.join(names)}: one is named twice; name each once")


def ablate(job: Job, names: Sequence[str]) -> None:
    """Train the models of the ablation, and write table and report after each.

    Args:
        job: Data, settings and folder, with pseudocoloured slices; weights and decoder are those of each model.
        names: Names of the models. Those that need ImageNet weights which are not at hand are left out, and the table
            says so.
    """
    wanted = job.plan.model["encoder_weights"]
    missing = "none were asked for" if wanted is None else ""
    try:
        if wanted is not None:
            ENCODERS[job.plan.model["encoder"]].find_weights("imagenet" if wanted == "auto" else wanted)
    except InputError as fault:
        missing = str(fault)
        _LOG.warning("warning: models that need ImageNet weights are left out: %s", fault)
    prepared = {True: job.prepared}
    cells: dict[str, dict[str, Any] | None] = {}
    for model in (ABLATION[name] for name in names):
        cells[model.name] = None
        if not (model.pretrained and missing):
            _LOG.info("ablation: model %s", model.name)
            cells[model.name] = run_cell(
                _job_of(job, model, "imagenet" if wanted == "auto" else wanted, prepared), _measure
            )
        _write(job, cells, missing)
    for line in ablation_table(cells, scored_on(job)).splitlines():
        _LOG.info("%s", line)


def _job_of(job: Job, model: AblationModel, weights: str | None, prepared: dict[bool, Prepared]) -> Job:
    preprocessing = job.plan.preprocessing
    if not model.pseudocolor:
        preprocessing = dataclasses.replace(preprocessing, coloring=GreyTriple())
    settings = {
        "encoder_weights": weights if model.pretrained else None,
        "decoder_filters": list(model.decoder_filters),
    }
    plan = dataclasses.replace(job.plan, preprocessing=preprocessing, model={**job.plan.model, **settings})
    if model.pseudocolor not in prepared:
        prepared[model.pseudocolor] = prepare_plan(plan, job.volumes)
    plain = network(plan)
    timed = dataclasses.replace(plain, callbacks=lambda *known: [*plain.callbacks(*known), EpochSeconds()])
    folder = job.folder / CELLS_NAME / f"model-{model.name}"
    return dataclasses.replace(job, plan=plan, folder=folder, network=timed, prepared=prepared[model.pseudocolor])


class EpochSeconds(keras.callbacks.Callback):
    """Remember how long every epoch took, validation and all."""

    STATE = ("seconds",)

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep what it shows."""
        self.seconds.append(round(time.perf_counter() - self._start, 3))


def _measure(job: Job, record: Resumable) -> dict[str, Any]:
    model = load_model(job.folder)
    sampler = job.prepared.test or job.prepared.validation
    decoder = [layer for layer in model.layers if layer.name.startswith(_DECODER)]
    return {
        "test_mean_iou": mean_iou(model, sampler),
        "parameters": model.count_params(),
        "decoder_parameters": sum(layer.count_params() for layer in decoder),
        "layers": [[layer.name, list(layer.output.shape[1:]), layer.count_params()] for layer in decoder],
        "epoch_seconds": round(float(np.median(record.tracked["EpochSeconds"][0].seconds[-_EPOCHS_TIMED:])), 2),
        "sample_ms": round(1000 * seconds_a_sample(model, sampler), 1),
    }


def mean_iou(model: keras.Model, sampler: PatchSampler) -> float:
    """Return the mean IoU of foreground and background over all patches of a sampler."""
    metric = BinaryMeanIoU()
    for step in range(sampler.steps_per_epoch):
        images, targets = sampler.batch(step)
        metric.update_state(named_targets(targets, LOGITS)["logits"], model.predict_on_batch(images)["logits"])
    return float(metric.result())


def seconds_a_sample(model: keras.Model, sampler: PatchSampler) -> float:
    """Return the median time to predict one sample alone, the first call not counted [s]."""
    images, _ = sampler.batch(0)
    times = []
    for _ in range(_TIMED + 1):
        start = time.perf_counter()
        model.predict_on_batch(images[:1])
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def scored_on(job: Job) -> str:
    """Return what the scores are of: the test, or the validation where no slices were left for a test."""
    return "validation" if job.prepared.test is None else "test"


def ablation_table(cells: Mapping[str, dict[str, Any] | None], scored: str) -> str:
    """Return the rows as a Markdown table."""
    head, *rows = _rows(cells, scored)
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)])


def _rows(cells: Mapping[str, dict[str, Any] | None], scored: str) -> list[list[str]]:
    rows = [
        [
            *("model", "encoder", "slices", "decoder filters", "parameters", "of these decoder"),
            *(f"{scored} MeanIoU", "paper", "s an epoch", "ms a sample"),
        ]
    ]
    for name, cell in cells.items():
        model = ABLATION[name]
        known = [
            name,
            "ImageNet" if model.pretrained else "random",
            "pseudocolour" if model.pseudocolor else "grey triple",
            ", ".join(map(str, model.decoder_filters)),
        ]
        paper = "-" if model.paper_mean_iou is None else f"{model.paper_mean_iou:.4f}"
        if cell is None:
            rows.append([*known, "-", "-", "needs ImageNet weights", paper, "-", "-"])
            continue
        rows.append(
            [
                *known,
                f"{cell['parameters']:,}",
                f"{cell['decoder_parameters']:,}",
                f"{cell['test_mean_iou']:.4f}",
                paper,
                f"{cell['epoch_seconds']:.1f}",
                f"{cell['sample_ms']:.0f}",
            ]
        )
    return rows


_SIZES_HEAD = ("network", "parameters", "encoder", "decoder", "decoder filters")
_PAPER_SIZES = (
    ["U-Net, the paper's Table 1", "31.4 M", "18.9 M", "12.5 M", "512, 256, 128, 64"],
    ["DU-Net, Table 1", "46.4 M", "22.2 M", "24.2 M", "512, 256, 128, 64"],
    ["EfficientCellSeg, Table 1", "6.7 M", "5.6 M", "1.1 M", "64, 48, 32, 16"],
)


def _size_rows(cells: Mapping[str, dict[str, Any] | None]) -> list[list[str]]:
    """Return the sizes of the networks of Table 1, and of the models beside them."""
    rows = [*_PAPER_SIZES]
    for name, cell in cells.items():
        if cell is not None:
            decoder = cell["decoder_parameters"]
            sizes = (cell["parameters"], cell["parameters"] - decoder, decoder)
            filters = ", ".join(map(str, ABLATION[name].decoder_filters))
            rows.append([f"model {name}", *(f"{size / 1e6:.1f} M" for size in sizes), filters])
    return rows


def _layer_rows(cells: Mapping[str, dict[str, Any] | None]) -> list[list[str]]:
    """Return the parameters of the first model that was trained, part by part."""
    cell = next((cell for cell in cells.values() if cell is not None), None)
    if cell is None:
        return []
    shapes = [[name, " x ".join(map(str, shape)), f"{count:,}"] for name, shape, count in cell["layers"]]
    encoder = cell["parameters"] - cell["decoder_parameters"]
    return [["encoder", "", f"{encoder:,}"], *shapes, ["all", "", f"{cell['parameters']:,}"]]


def _write(job: Job, cells: Mapping[str, dict[str, Any] | None], missing: str) -> None:
    """Write ``ablation.json``, ``ablation.md`` and ``report.html``."""
    plan, folder, scored = job.plan, job.folder, scored_on(job)
    finished = {name: cell for name, cell in cells.items() if cell is not None}
    for name, text in (
        (ABLATION_NAME, json.dumps({"scored_on": scored, "models": cells}, indent=1)),
        ("ablation.md", ablation_table(cells, scored)),
    ):
        with whole_file(folder / name, overwrite=True) as unfinished:
            unfinished.write_text(text + "\n")
    head, *rows = _rows(cells, scored)
    titles = {name: f"model {name}" for name in finished}
    write_report(
        folder / "report.html",
        title=f"{plan.recipe}: {plan.structure}, ablation",
        notices=[
            *plan.notices,
            *([f"Models that need ImageNet weights are left out: {missing}."] if missing else []),
            *(
                ["No slices were kept for a test: the scores are of those that chose the checkpoints."]
                * (scored != "test")
            ),
            "MeanIoU is of resized slices, as the network sees them; times are of this machine.",
        ],
        plan={name: value for name, value in plan.to_dict().items() if name != "notices"},
        extra=[
            Section("Models", table(head, _cells(rows), kind="numbers")),
            *([validation_curves({titles[n]: cell["history"] for n, cell in finished.items()})] if finished else []),
            Section("Sizes", table(_SIZES_HEAD, _cells(_size_rows(cells)), kind="numbers")),
            Section("Parameters", table(("part", "output", "parameters"), _cells(_layer_rows(cells)), kind="numbers")),
        ],
        versions=versions(),
        seed=plan.training.seed,
        seconds=sum(cell["seconds"] for cell in finished.values()),
        command=command_line(),
        overwrite=True,
    )
    _LOG.info("report: %s", folder / "report.html")


def _cells(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[f"<td>{escape(text)}</td>" for text in row] for row in rows]
