"""A recipe of a few lines that stands outside ``recipes``; what it is asked to do is noted in ``happened``."""

import dataclasses

import keras
import numpy as np
import tifffile

from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments import job
from segkit.experiments.comparison import Comparison, Findings, tidy_rows
from segkit.experiments.draft import Draft
from segkit.experiments.folder import CELLS_NAME
from segkit.experiments.modes import Search
from segkit.experiments.plan import RunPlan
from segkit.experiments.recipe import Recipe
from segkit.experiments.resume import run_to_resume
from segkit.experiments.tables import Column, summary_table
from segkit.experiments.tiny import tiny_plan
from segkit.experiments.variation import varied
from segkit.training.plan import TrainingPlan

happened = []


def write_stack():
    """Discs on noise, six slices."""
    happened.append("make data")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    labels = np.stack([np.hypot(y - 16, x - 10 - z) < 6 for z in range(6)]).astype(np.uint8)
    tifffile.imwrite("i.tif", (90 * labels + rng.integers(0, 90, labels.shape)).astype(np.uint8))
    tifffile.imwrite("l.tif", labels)


def toy_arguments(parser):
    parser.add_argument("--width", type=int, default=2)
    parser.add_argument("--start")


def toy_draft(args):
    happened.append("draft")
    training = TrainingPlan(
        patch_px=32, stride_px=32, validation_stride_px=32, batch_size=4, epochs=args.epochs or 1, precision="float32"
    )
    plan = RunPlan(
        recipe="toy",
        structure="disc",
        preset="toy",
        data=(Source(tomogram="i.tif", mask="l.tif", train="0-3", validation="4", test="5"),),
        model={"width": args.width},
        training=training,
        init=args.start,
    )
    measure = lambda plan: dataclasses.replace(plan, notices=(*plan.notices, "measured"))  # noqa: E731
    return [Draft(plan=plan, folder=args.out, make_data=write_stack, measure=measure)]


def toy_network(plan):
    happened.append("network")
    if plan.model["width"] < 1:
        raise InputError("--width 0; give at least 1")

    def build(*, width, l2):
        inputs = keras.Input((None, None, 1))
        x = keras.layers.Conv2D(2 * width, 3, padding="same", kernel_regularizer=keras.regularizers.L2(l2))(inputs)
        return keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1, name="logits", dtype="float32")(x)})

    return job.Network(build, multiple_px=1, halo_px=None)


def toy_findings(job, trials):
    rows = tidy_rows(trials, lambda result: [{"score": "parameters", "value": result["parameters"]}])
    table = summary_table(rows, {"variant": "width"}, [Column(head="parameters", score="parameters", form=".0f")])
    return Findings(title="toy", rows=rows, table=table, entries={"known": True}, notices=["A toy."])


def toy_vary(job):
    def of(width, seed):
        return varied(job, toy_network, job.folder / CELLS_NAME / f"{width}-{seed}", seed=seed, width=int(width))

    return of


def toy_measure(job, record):
    return {"parameters": job.plan.model["width"]}


TOY = Recipe(
    name="toy",
    description="A toy.",
    add_arguments=toy_arguments,
    draft=toy_draft,
    resumed=lambda args: [Draft(plan=run_to_resume("toy", args.out, args), folder=args.out)],
    network=toy_network,
    tiny=lambda plan: tiny_plan(plan, model={"width": 1}),
    comparison=Comparison(
        kind="compare",
        noun="widths",
        file_name="comparison",
        variants=("1", "2", "3"),
        chosen=("1", "2"),
        help="compare widths",
        vary=toy_vary,
        findings=toy_findings,
    ),
    search=Search(help="search", searched=lambda plan: ("width",), space=lambda plan: None, vary=varied),
    measure=toy_measure,
    remember=lambda args, plan: {"width": args.width},
    finish=lambda job, mode, max_ram: happened.append(("finish", mode["width"], max_ram)),
)
