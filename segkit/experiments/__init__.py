"""What a run is: plan, folder, lock, resume, training, scores, report; and comparisons and searches of several."""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "Column": "segkit.experiments.tables",
    "Comparison": "segkit.experiments.comparison",
    "Draft": "segkit.experiments.draft",
    "Evidence": "segkit.experiments.job",
    "Findings": "segkit.experiments.comparison",
    "FinishedRun": "segkit.experiments.job",
    "Job": "segkit.experiments.job",
    "Network": "segkit.experiments.job",
    "Recipe": "segkit.experiments.recipe",
    "RunPlan": "segkit.experiments.plan",
    "Search": "segkit.experiments.modes",
    "Table": "segkit.experiments.tables",
    "Trial": "segkit.experiments.comparison",
    "only_process_in": "segkit.experiments.lock",
    "read_plan": "segkit.experiments.plan",
    "recipe_command": "segkit.experiments.recipe",
    "run_recipe": "segkit.experiments.recipe",
    "run_trial": "segkit.experiments.trials",
    "run_trials": "segkit.experiments.comparison",
    "set_up": "segkit.experiments.job",
    "summary_table": "segkit.experiments.tables",
    "tidy_rows": "segkit.experiments.comparison",
    "tiny_plan": "segkit.experiments.tiny",
    "varied": "segkit.experiments.variation",
    "write_plan": "segkit.experiments.plan",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
