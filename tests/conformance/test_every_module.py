"""Every module has a test file of its own, or it stands here where its facts are tested, and why there.

The test file of ``segkit/<room>/<module>.py`` is ``tests/<room>/test_<module>.py``, that of ``recipes/<module>.py``
``tests/recipes/test_<module>.py``. No two test files may have one name: ``test_<room>_<module>.py`` counts too.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TESTS = ROOT / "tests"

ALONE = {
    "__main__": "one call of segkit.cli.run; README's --max-ram command predicts through it",
    "settings": "constants; README's commands run under SEGKIT_TINY_PLAN",
    "style": "a style sheet; a browser shows it, test_write_report looks at the page",
}
"""Modules without a test file, and why. As below, a name is the end of the module's: rooms may be renamed."""

# The test file (below tests/), why it holds the facts of several modules, and which.
SHARED = {
    "inference/test_map_blocks.py": (
        "engines and executors are what map_blocks drives",
        "inference.engines inference.executors",
    ),
    "test_face.py": (
        "what packages offer, and what that loads",
        "lazy_face",
    ),
    "notebook/test_notebook.py": (
        "a network is trained on arrays, predicts others, and is scored",
        "evaluation.evaluation_like notebook.as_volume notebook.evaluate notebook.predict notebook.train",
    ),
    "volumes/test_hdf5_process.py": (
        "the child is a program, which only its parent runs",
        "volumes.hdf5_child",
    ),
    "layers/test_any_rank.py": (
        "the same layer on lines, images and volumes",
        "layers.convolution layers.linear_up",
    ),
    "test_cli_evaluate.py": (
        "the commands, one by one; predict in test_readme.py too",
        "cli",
    ),
    "data/test_sampler.py": (
        "draws, targets and normalisation have a meaning only for a patch and its annotation",
        "preprocessing.standardize targets.classes targets.target",
    ),
    "data/test_pipelines.py": (
        "the two pipelines must give the same batches",
        "data.pipeline data.py_pipeline",
    ),
    "training/test_prepare_colored.py": (
        "what a training on coloured slices reads",
        "preprocessing.color_slices preprocessing.colored_stack tasks.cells tasks.centers",
    ),
    "targets/test_resized_annotations.py": (
        "annotations and what a network learns of them, resized together",
        "targets.centers",
    ),
    "experiments/test_own_task.py": (
        "what every task and its images have in common is shown by one from outside",
        "targets.image tasks.task preprocessing.preprocessing",
    ),
    "test_files_of_0_1.py": (
        "plans and model files of the version before",
        "experiments.old_plans models.old_cards tasks.old_entries",
    ),
    "data/phantom/test_phantom_shapes.py": (
        "shapes are measured side by side",
        "phantom.canvas phantom.centriole phantom.golgi phantom.granules phantom.microtubules phantom.synapse",
    ),
    "data/phantom/test_phantom_generate.py": (
        "what a whole phantom looks like",
        "phantom.cytoplasm phantom.organelles phantom.placement phantom.scene phantom.vesicles",
    ),
    "evaluation/test_instance_scores.py": (
        "scores of objects are compared on the same cases",
        "evaluation.average_precision evaluation.detection_score evaluation.seg_score",
    ),
    "recipes/test_seget_recipe.py": (
        "how a command line becomes a plan is asked of a recipe",
        "experiments.arguments experiments.plan experiments.resume recipes.segET "
        "organelles.arguments organelles.measured organelles.structures",
    ),
    "test_readme.py": (
        "they need a run from its beginning to its end",
        "report.mask_pictures",
    ),
    "recipes/test_fre_recipe.py": (
        "the recipe and its modes; what comes out of a run needs a trained one",
        "experiments.statistics experiments.tile_scores report.label_pictures "
        "experiments.class_comparison experiments.image_arguments experiments.settings_search "
        "experiments.training_run recipes.fre enhancement.arguments enhancement.comparison enhancement.network "
        "enhancement.presets enhancement.protocols",
    ),
    "test_bad_input.py": (
        "what a run refuses before it writes",
        "experiments.job",
    ),
    "export/test_saved_model.py": (
        "what is served is tested through the C++ loader",
        "export.signatures",
    ),
    "inference/test_predict_volume.py": (
        "what predict_volume takes, writes and warns of",
        "inference.decision inference.loaded_model inference.prediction inference.slice_engine",
    ),
    "inference/test_whole_and_tiled.py": (
        "whole slices and tiles must agree",
        "inference.slice_predictor",
    ),
    "instances/test_segment_instances.py": (
        "seeds are judged by the objects that they give",
        "instances.instance_settings instances.saddles instances.seeds",
    ),
    "layers/test_every_layer.py": (
        "what Keras asks of every layer, and what layers refuse",
        "layers.equal_sizes layers.join_skip layers.known_channels layers.two_tensors",
    ),
    "layers/test_blocks.py": (
        "the layers of one network, on the same inputs",
        "layers.bilinear_up_2d layers.conv_bn_relu layers.encoder_block layers.fusion_block layers.multi_scale_center",
    ),
    "models/test_unet_se.py": (
        "what they make of the features inside their network",
        "layers.match_statistics",
    ),
    "experiments/test_recipe.py": (
        "they are the steps of a run, and their order is what matters",
        "experiments.compare experiments.draft experiments.modes experiments.tiny experiments.variation",
    ),
    "experiments/test_comparison.py": (
        "tables are made of the rows of a comparison",
        "experiments.tables",
    ),
    "experiments/test_demo_data.py": (
        "both say where their data are before they are made",
        "experiments.demo_cells experiments.demo_phantoms",
    ),
    "data/test_simulated_cells.py": (
        "what a simulation is like shows in its stacks",
        "data.cell_simulation",
    ),
    "models/test_efficient_cell_seg.py": (
        "they have a meaning only in this network",
        "layers.resize_like layers.resize_to models.encoders",
    ),
    "metrics/test_mean_iou.py": (
        "what the metrics have in common",
        "metrics.confusion_counts",
    ),
    "metrics/test_binary_mean_iou.py": (
        "the metrics of masks share their cases",
        "metrics.predicted_foreground",
    ),
    "models/test_files.py": (
        "what a model file keeps",
        "model_path models.card models.precision",
    ),
    "losses/test_bce_jaccard.py": (
        "terms of the losses, and the weight they all take",
        "ops.overlap_loss ops.split_weight",
    ),
    "report/test_instance_figures.py": (
        "figures of cells are drawn from one volume",
        "report.coloring_steps report.instance_overlay report.size_histogram",
    ),
    "report/test_write_report.py": (
        "a page is read as a whole",
        "report.page report.sections",
    ),
    "search/test_oracles.py": (
        "a search and its oracle are one",
        "search.trials_table search.tuner",
    ),
    "training/test_callbacks.py": (
        "callbacks and the precision are driven through the same epochs",
        "tasks.collapse_alarm training.decay_on_plateau training.stop_diverged training.precision",
    ),
    "training/test_task.py": (
        "what a task gives to the training: losses, metrics, alarms",
        "tasks.classes tasks.foreground tasks.missed_class_alarm",
    ),
    "training/test_fit.py": (
        "what a training reads",
        "training.plan",
    ),
    "layers/test_fr_enhance.py": (
        "when the layer draws",
        "training.redraw_enhanced",
    ),
    "training/test_resume.py": (
        "a training that is killed",
        "training.resumable",
    ),
    "volumes/test_open_and_save.py": (
        "all formats at once",
        "volumes.compressed volumes.files",
    ),
    "inference/test_memory.py": (
        "the memory of a process and how predictions keep below a bound",
        "process_memory",
    ),
    "volumes/test_mrc.py": (
        "a header is read with its file",
        "volumes.mrc_header",
    ),
    "volumes/test_slice_folder.py": (
        "slices of folders",
        "volumes.png",
    ),
    "volumes/test_tiff.py": (
        "pages and sizes are read from files of many programs",
        "volumes.tiff_pages volumes.tiff_voxel_size",
    ),
    "recipes/test_efficientcellseg_recipe.py": (
        "the recipe, its data and its modes",
        "experiments.cell_evidence recipes.efficientcellseg cells.ablation cells.arguments cells.presets "
        "cells.measured cells.network cells.protocols data.cell_measures data.challenge_stacks data.labeled_stacks "
        "experiments.challenge_results experiments.epoch_seconds experiments.sampled_scores "
        "experiments.stack_arguments",
    ),
}

TESTED_IN = {module: path for path, (_, modules) in SHARED.items() for module in modules.split()}


def modules():
    """Return the dotted names of all modules with code; packages are left out, they only name what is in them."""
    paths = (path for name in ("segkit", "recipes") for path in (ROOT / name).rglob("*.py"))
    names = (path.relative_to(ROOT).with_suffix("").parts for path in paths if path.name != "__init__.py")
    return sorted(".".join(parts) for parts in names)


def has_test_file(module):
    package, *rooms, name = module.split(".")
    folder = TESTS.joinpath(*["recipes"] * (package == "recipes"), *rooms)
    names = [name, f"{rooms[-1]}_{name}"] if rooms else [name]
    return any((folder / f"test_{stem}.py").exists() for stem in names)


def exceptions_of(module):
    """Return the keys of both tables that mean a module."""
    return [key for key in (*ALONE, *TESTED_IN) if f".{module}".endswith(f".{key}")]


@pytest.mark.parametrize("module", modules())
def test_a_module_has_a_test_file_or_a_reason(module):
    found = exceptions_of(module)
    if has_test_file(module):
        assert not found, "it has a test file by now; take it out of the table"
    else:
        assert len(found) == 1, "write its test file, or say in the table where its facts are tested"


@pytest.mark.parametrize("key", [*ALONE, *TESTED_IN])
def test_an_exception_is_of_a_module_that_is_there(key):
    assert [module for module in modules() if key in exceptions_of(module)]


@pytest.mark.parametrize("path", SHARED)
def test_the_test_file_that_is_named_is_there_and_the_reason_stated(path):
    assert (TESTS / path).is_file()
    reason, names = SHARED[path]
    assert len(reason.split()) >= 3
    assert len(set(names.split())) == len(names.split()) >= 1


def test_a_test_file_is_of_something():
    """Test files hold tests: a renamed or emptied one would leave its module untested without a word."""
    for path in TESTS.rglob("test_*.py"):
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        assert any(function.name.startswith("test_") for function in functions), path
