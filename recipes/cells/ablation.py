"""EfficientCellSeg's ablation: what pretrained weights, pseudocolouring and larger decoders bring (Fig. 5, Table 2)."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segkit.errors import InputError
from segkit.experiments.comparison import Comparison, Findings, Trial, tidy_rows
from segkit.experiments.folder import CELLS_NAME
from segkit.experiments.plan import RunPlan
from segkit.experiments.tables import Column, Table, summary_table
from segkit.preprocessing.colorings import GreyTriple

if TYPE_CHECKING:
    from segkit.experiments.job import Job
    from segkit.monitor import Monitor
    from segkit.report.page import Section
    from segkit.training.resumable import Resumable

_LOG = logging.getLogger("segkit.run")
_EPOCHS_TIMED = 20  # the last ones: the first of a process compiles, and colours slices
_DECODER = ("decoder_", "head")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AblationModel:
    """A row of the ablation.

    Attributes:
        name: Name on the command line and in tables; never renamed. ``r`` means random weights in place of the
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

    def facts(self) -> dict[str, str]:
        """Return what distinguishes its rows from those of other models."""
        return {
            "encoder": "ImageNet" if self.pretrained else "random",
            "slices": "pseudocolour" if self.pseudocolor else "grey triple",
            "decoder_filters": ", ".join(map(str, self.decoder_filters)),
        }


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

_SIZES_HEAD = ("network", "parameters", "encoder", "decoder", "decoder filters")
_PAPER_SIZES = (
    ["U-Net, the paper's Table 1", "31.4 M", "18.9 M", "12.5 M", "512, 256, 128, 64"],
    ["DU-Net, Table 1", "46.4 M", "22.2 M", "24.2 M", "512, 256, 128, 64"],
    ["EfficientCellSeg, Table 1", "6.7 M", "5.6 M", "1.1 M", "64, 48, 32, 16"],
)


def vary(job: Job) -> Callable[[str, int], Job | None]:
    """Return the job of each model: pseudocoloured or grey slices, random or ImageNet weights, its decoder."""
    from recipes.cells.network import network
    from segkit.experiments.epoch_seconds import EpochSeconds
    from segkit.experiments.job import prepare_plan

    wanted, missing = job.plan.model["encoder_weights"], missing_weights(job.plan)
    if missing and wanted is not None:
        _LOG.warning("warning: models that need ImageNet weights are left out: %s", missing)
    # One pipeline with pseudocoloured slices and one with grey ones, shared by the models that take them.
    prepared = {True: job.prepared}

    def of_model(name: str, seed: int) -> Job | None:
        model = ABLATION[name]
        if model.pretrained and missing:
            return None
        weights = "imagenet" if wanted == "auto" else wanted
        preprocessing = job.plan.preprocessing
        if not model.pseudocolor:
            preprocessing = dataclasses.replace(preprocessing, coloring=GreyTriple())
        plan = dataclasses.replace(
            job.plan,
            preprocessing=preprocessing,
            model={
                **job.plan.model,
                "encoder_weights": weights if model.pretrained else None,
                "decoder_filters": list(model.decoder_filters),
            },
        )
        if model.pseudocolor not in prepared:
            prepared[model.pseudocolor] = prepare_plan(plan, job.volumes)
        plain = network(plan)
        timed = dataclasses.replace(plain, callbacks=lambda *known: [*plain.callbacks(*known), EpochSeconds()])
        folder = job.folder / CELLS_NAME / f"model-{name}"
        return dataclasses.replace(job, plan=plan, folder=folder, network=timed, prepared=prepared[model.pseudocolor])

    return of_model


def missing_weights(plan: RunPlan) -> str:
    """Return why there are no ImageNet weights; empty where they are available."""
    from segkit.models.encoders import ENCODERS

    wanted = plan.model["encoder_weights"]
    if wanted is None:
        return "none were requested"
    try:
        ENCODERS[plan.model["encoder"]].find_weights("imagenet" if wanted == "auto" else wanted)
    except InputError as fault:
        return str(fault)
    return ""


def measure(job: Job, record: Resumable) -> dict[str, Any]:
    """Return score, sizes and times of a trained model."""
    import numpy as np

    from segkit.experiments.sampled_scores import sampled_mean_iou, seconds_per_sample
    from segkit.models.files import load_model

    model = load_model(job.folder)
    sampler = job.prepared.test or job.prepared.validation
    decoder = [layer for layer in model.layers if layer.name.startswith(_DECODER)]
    return {
        "test_mean_iou": sampled_mean_iou(model, sampler),
        "parameters": model.count_params(),
        "decoder_parameters": sum(layer.count_params() for layer in decoder),
        "layers": [[layer.name, list(layer.output.shape[1:]), layer.count_params()] for layer in decoder],
        "epoch_seconds": round(float(np.median(record.tracked["EpochSeconds"][0].seconds[-_EPOCHS_TIMED:])), 2),
        "sample_ms": round(1000 * seconds_per_sample(model, sampler), 1),
    }


_SCORES = ("test_mean_iou", "parameters", "decoder_parameters", "epoch_seconds", "sample_ms")


def findings(job: Job, trials: Sequence[Trial]) -> Findings:
    """Return the rows of the models, the paper's MeanIoU and ours, and their sizes."""
    scored = "validation" if job.prepared.test is None else "test"
    models = [ABLATION[trial.variant] for trial in trials]
    rows = tidy_rows(
        trials,
        lambda result: [{"score": score, "value": result[score]} for score in _SCORES],
        {model.name: model.facts() for model in models},
    )
    paper = [
        {"variant": model.name, "seed": None, **model.facts(), "score": "paper", "value": model.paper_mean_iou}
        for model in models
    ]
    order = {model.name: number for number, model in enumerate(models)}
    rows = sorted([*rows, *paper], key=lambda row: order[row["variant"]])
    table = summary_table(
        rows,
        {"variant": "model", "encoder": "encoder", "slices": "slices", "decoder_filters": "decoder filters"},
        [
            Column(head="parameters", score="parameters", form=",.0f"),
            Column(head="of these decoder", score="decoder_parameters", form=",.0f"),
            Column(head=f"{scored} MeanIoU", score="test_mean_iou", missing="needs ImageNet weights"),
            Column(head="paper", score="paper"),
            Column(head="s per epoch", score="epoch_seconds", form=".1f"),
            Column(head="ms per sample", score="sample_ms", form=".0f"),
        ],
        count=None,
    )
    finished = {trial.variant: trial.result for trial in trials if trial.result is not None}
    left_out = missing_weights(job.plan) if len(finished) < len(trials) else ""
    return Findings(
        title=job.plan.title("ablation"),
        rows=rows,
        table=table,
        entries={"scored_on": scored, "models": {trial.variant: trial.result for trial in trials}},
        notices=[
            *([f"Models that need ImageNet weights are left out: {left_out}."] if left_out else []),
            *[
                "No slices were held out for a test: the scores are those of the validation slices, which chose the "
                "checkpoints."
            ]
            * (scored != "test"),
            "MeanIoU is computed on resized slices, as the network sees them; times were measured on this machine.",
        ],
        sections=lambda: _sections(finished, job.plan.task.monitor),
    )


def _sections(finished: Mapping[str, Mapping[str, Any]], monitor: Monitor) -> list[Section]:
    from segkit.report.page import Section
    from segkit.report.sections import validation_curves

    if not finished:
        return [Section("Sizes", Table(_SIZES_HEAD, _PAPER_SIZES).to_html())]
    sizes = [*_PAPER_SIZES]
    for name, found in finished.items():
        decoder = found["decoder_parameters"]
        counts = (found["parameters"], found["parameters"] - decoder, decoder)
        sizes.append(
            [f"model {name}", *(f"{count / 1e6:.1f} M" for count in counts), ABLATION[name].facts()["decoder_filters"]]
        )
    first = next(iter(finished.values()))
    layers = [[name, " x ".join(map(str, shape)), f"{count:,}"] for name, shape, count in first["layers"]]
    encoder = first["parameters"] - first["decoder_parameters"]
    parts = [["encoder", "", f"{encoder:,}"], *layers, ["all", "", f"{first['parameters']:,}"]]
    return [
        validation_curves({f"model {name}": found["history"] for name, found in finished.items()}, monitor=monitor),
        Section("Sizes", Table(_SIZES_HEAD, sizes).to_html()),
        Section("Parameters", Table(("part", "output", "parameters"), parts).to_html()),
    ]


COMPARISON = Comparison(
    kind="ablation",
    noun="models",
    file_name="ablation",
    variants=tuple(ABLATION),
    chosen=("1", "2", "3", "3r", "4", "5"),
    has_seeds=False,
    help="train the models of the paper's ablation instead",
    vary=vary,
    findings=findings,
)
