"""Settings that the command line leaves open, derived from the cells on the training slices."""

from __future__ import annotations

import argparse
import dataclasses

from segkit.experiments.plan import RunPlan
from segkit.instances.instance_settings import InstanceSettings

_ONE_ID = (
    "All cells of a stack have one id. If the labels are a mask, give ids: otherwise cells cannot be scored separately."
)
_RESTARTS = (
    "Ids repeat from slice to slice without touching each other. If the slices are images of their own, give each as a "
    "file of its own: otherwise sizes, centres and scores are those of cells over several slices."
)
_FLAT_CENTERS = (
    "Single slices are annotated, so centres are those of cross-sections: cells are separated slice by slice, then "
    "joined."
)


def measured(plan: RunPlan, *, args: argparse.Namespace) -> RunPlan:
    """Return a plan with what follows from the cells on the training slices.

    Raises:
        InputError: If there are none, or an id is negative or not a whole number.
    """
    # Here, not above: SciPy and scikit-image take longer to load than --help and mistakes should.
    from segkit.data.cell_measures import measure_cells
    from segkit.preprocessing.pseudocolor import Pseudocoloring

    cells = measure_cells(plan.data, ignore_value=plan.training.ignore_value)
    share = args.expected_share or min(1.0, 2 * cells.share)
    method = plan.task.instances.method
    # Of slices annotated one by one the network learns the centres of cross-sections, not of cells.
    has_flat_centers = method == "centers" and any(source.annotated_in_part for source in plan.data)
    instances = {
        "method": method,
        "slice_wise": args.slice_wise or has_flat_centers,
        "seed_distance": _first(args.seed_distance, round(0.5 * cells.radius_px, 1)),
        "smoothing": _first(args.smoothing, round(0.2 * cells.radius_px, 1)),
        "min_depth": _first(args.min_depth, InstanceSettings.min_depth),
        "min_size": _first(args.min_size, max(1, round(0.05 * cells.voxels))),
    }
    told = (
        f"Measured on the training slices: {100 * cells.share:.3g} % of the voxels are cells, with a median radius of "
        f"{cells.radius_px:.3g} px. Unless they were given, these settings follow: an expected share of {share:.3g}, "
        f"a seed distance of {instances['seed_distance']} px, a smoothing of {instances['smoothing']} px and a "
        f"minimum size of {instances['min_size']} voxels."
    )
    notices, warnings = [*plan.notices], [*plan.warnings]
    if has_flat_centers and not args.slice_wise:
        notices.append(_FLAT_CENTERS)
    if cells.one_id:
        warnings.append(_ONE_ID)
    if cells.restarts:
        warnings.append(_RESTARTS)
    if args.images and cells.huge:  # only labels of one's own may have an ignore value
        first, *more = cells.huge
        files = f"{len(more)} more label file{'s' if len(more) > 1 else ''}"
        warnings.append(f"{first}; the same in {files}" if more else first)
    preprocessing = plan.preprocessing
    if isinstance(preprocessing.coloring, Pseudocoloring):
        coloring = dataclasses.replace(preprocessing.coloring, expected_share=share)
        preprocessing = dataclasses.replace(preprocessing, coloring=coloring)
    task = dataclasses.replace(plan.task, instances=InstanceSettings(**instances))
    told_of = {"notices": (*notices, told), "warnings": tuple(warnings)}
    return dataclasses.replace(plan, task=task, preprocessing=preprocessing, **told_of)


def _first(given: float | None, measured: float) -> float:
    return measured if given is None else given
