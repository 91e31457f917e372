"""The recipe of EfficientCellSeg: what data mean, what follows from them, and one run from stacks to SEG."""

import dataclasses
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tifffile

from recipes import efficientcellseg
from recipes.cells import ablation as cell_ablation
from recipes.cells.protocols import PROTOCOLS
from segkit.data.cell_measures import measure_cells
from segkit.data.cell_simulation import CellSimulation
from segkit.data.labeled_stacks import paired_stacks
from segkit.data.simulated_cells import simulate_cells
from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments import challenge_results, training_run
from segkit.experiments.plan import read_plan
from segkit.experiments.recipe import drafts_of, made, parse_args
from segkit.models.encoders import ENCODERS
from segkit.models.files import read_card
from segkit.volumes.challenge import write_frame
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

SIMULATION = CellSimulation(shape=(5, 40, 48), count=3, voxel_size_um=(2.0, 0.8, 0.8))


def write_stacks(count, folder=pathlib.Path()):
    for name in ("stacks", "labels"):
        (folder / name).mkdir()
    for number in range(count):
        image, labels = simulate_cells(SIMULATION, number)
        tifffile.imwrite(folder / "stacks" / f"s{number}.tif", image, photometric="minisblack")
        tifffile.imwrite(folder / "labels" / f"s{number}.tiff", labels, photometric="minisblack")


def write_challenge(folder, frames):
    for frame in range(frames):
        image, labels = simulate_cells(SIMULATION, frame)
        volumes = [Volume(array=array, voxel_size_nm=(2000.0, 800.0, 800.0)) for array in (image, labels)]
        write_frame(folder, frame, *volumes)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def resolve(*argv):
    """Return the plan that a command line means, its data written, and the run folder."""
    recipe = efficientcellseg.RECIPE
    drafts = drafts_of(recipe, parse_args(recipe, [str(word) for word in argv]))
    return *made(drafts), drafts[0].folder


FOLDERS = ("--images", "stacks", "--labels", "labels")


def test_three_stacks_or_more_are_split_as_wholes():
    write_stacks(4)
    plan, folder = resolve(*FOLDERS)
    assert folder == pathlib.Path("runs/cells")
    uses = [(source.train, source.validation, source.test) for source in plan.data]
    assert uses == [("0-4", "", ""), ("0-4", "", ""), ("", "0-4", ""), ("", "", "0-4")]
    assert [pathlib.Path(source.mask).name for source in plan.data] == [f"s{n}.tiff" for n in range(4)]
    assert (plan.preset, plan.training.patch_px, plan.training.epochs) == ("paper", 384, 100)
    assert plan.model == {
        "encoder": "efficientnet_b5",
        "encoder_weights": "auto",
        "freeze_encoder": False,
        "decoder_filters": [64, 48, 32, 16],
    }


def test_the_slices_of_fewer_stacks_are_split_in_blocks():
    write_stacks(1)
    plan, _ = resolve("--images", "stacks/s0.tif", "--labels", "labels/s0.tiff")
    (source,) = plan.data
    assert (source.train, source.validation, source.test) == ("0-2", "3", "4")
    plan, _ = resolve(
        "--images", "stacks/s0.tif", "--labels", "labels/s0.tiff", "--train-z", "0,2", "--validation-z", "4"
    )
    assert (plan.data[0].train, plan.data[0].validation, plan.data[0].test) == ("0,2", "4", "")


def test_what_is_left_open_follows_from_the_cells_on_the_training_slices():
    labels = np.zeros((3, 60, 60), np.uint16)
    y, x = np.mgrid[:60, :60]
    for number, (center, radius) in enumerate([(15, 8), (40, 12)], start=1):
        labels[:2, np.hypot(y - center, x - center) < radius] = number
    tifffile.imwrite("l.tif", labels, photometric="minisblack")
    tifffile.imwrite("i.tif", labels * 100, photometric="minisblack")
    source = Source(tomogram="i.tif", mask="l.tif", train="0-1", validation="2")
    cells = measure_cells([source])
    assert cells.share == pytest.approx((labels[:2] > 0).mean())
    assert cells.radius_px == pytest.approx(10, abs=0.5)
    assert cells.voxels == pytest.approx(2 * np.pi * (8**2 + 12**2) / 2, rel=0.05)
    plan, _ = resolve("--images", "i.tif", "--labels", "l.tif")
    assert plan.preprocessing.coloring.expected_share == pytest.approx(2 * cells.share, rel=0.1)
    assert plan.task.instances.seed_distance == pytest.approx(5, abs=0.3)
    assert plan.task.instances.min_size == pytest.approx(
        0.05 * cells.voxels / 2, abs=1
    )  # of three slices one is trained on
    plan, _ = resolve(
        "--images", "i.tif", "--labels", "l.tif", "--seed-distance", "3", "--expected-share", "0.2", "--min-size", "0"
    )
    chosen = plan.task.instances
    assert (chosen.seed_distance, plan.preprocessing.coloring.expected_share, chosen.min_size) == (3, 0.2, 0)


def test_the_radius_of_cells_is_in_pixels_along_x_whatever_their_shape():
    y, x = np.mgrid[:30, :60]
    disc = (np.hypot(2 * (y - 15), x - 30) < 10).astype(np.uint16)  # as rows are twice as far apart as columns
    labels = Volume(array=np.stack([disc] * 3), voxel_size_nm=(1.0, 2.0, 1.0))
    save_volume("l.tif", labels)
    cells = measure_cells([Source(tomogram="none.tif", mask="l.tif", train="0-1")])
    assert cells.radius_px == pytest.approx(10, abs=0.5)
    save_volume("i.tif", labels)  # where the labels do not know their size, the stack does
    tifffile.imwrite("m.tif", labels.array, photometric="minisblack")
    assert measure_cells([Source(tomogram="i.tif", mask="m.tif", train="0-1")]) == cells


def test_ids_that_restart_in_every_slice_are_told_of():
    labels = np.zeros((5, 40, 60), np.uint16)
    for z in range(5):
        for number in range(1, 5):
            labels[z, 8 * number : 8 * number + 4, 10 * z : 10 * z + 8] = number
    save_volume("l.tif", Volume(array=labels))
    save_volume("i.tif", Volume(array=labels))
    source = Source(tomogram="i.tif", mask="l.tif", train="1-4", validation="0")
    assert measure_cells([source]).restarts
    assert not measure_cells([dataclasses.replace(source, annotated_in_part=True)]).restarts
    assert any(line.startswith("Ids repeat") for line in resolve("--images", "i.tif", "--labels", "l.tif")[0].warnings)
    save_volume("l.tif", Volume(array=np.stack([labels[0]] * 5)), overwrite=True)
    assert not measure_cells([source]).restarts


def test_a_stack_without_cells_is_fine_beside_others():
    write_stacks(5)  # three are trained on
    expected = measure_cells(resolve(*FOLDERS)[0].data[1:])

    def blank(name):
        path = pathlib.Path("labels", name)
        tifffile.imwrite(path, np.zeros_like(tifffile.imread(path)), photometric="minisblack")

    blank("s0.tiff")
    plan, _ = resolve(*FOLDERS)
    assert [source.train for source in plan.data] == ["0-4"] * 3 + [""] * 2
    found = measure_cells(plan.data)
    assert (found.radius_px, found.voxels) == (expected.radius_px, expected.voxels)
    assert found.share == pytest.approx(expected.share * 2 / 3)
    for name in ("s1.tiff", "s2.tiff"):
        blank(name)
    with pytest.raises(InputError, match="no cell on the training slices"):
        resolve(*FOLDERS)


def test_labels_may_be_upside_down():
    write_stacks(3)
    sources = resolve(*FOLDERS, "--flip-y")[0].data
    assert all(source.flip_y for source in sources)
    assert not any(source.flip_y for source in resolve(*FOLDERS)[0].data)
    for source in sources:
        np.testing.assert_array_equal(source.open_mask().array[:], tifffile.imread(source.mask)[:, ::-1])


def test_centres_of_single_annotated_slices_are_told_apart_slice_by_slice():
    write_challenge(pathlib.Path("data"), 3)
    plan, _ = resolve("--ctc", "data", "--instances", "centers")
    assert not plan.data[0].annotated_in_part
    assert not plan.task.instances.slice_wise
    whole = pathlib.Path("data/01_GT/SEG/man_seg000.tif")
    truth = tifffile.imread(whole)
    whole.unlink()
    for z in (0, 2, 3):
        tifffile.imwrite(whole.with_name(f"man_seg_000_{z:03d}.tif"), truth[z])
    plan, _ = resolve("--ctc", "data", "--instances", "centers")
    assert plan.task.instances.slice_wise
    assert any("slice by slice" in notice for notice in plan.notices)


def test_frames_of_the_challenge_with_whole_annotations_are_stacks():
    write_challenge(pathlib.Path("data"), 3)
    plan, _ = resolve("--ctc", "data", "--sequence", "01")
    assert [pathlib.Path(source.tomogram) for source in plan.data] == [
        pathlib.Path(f"data/01/t00{frame}.tif") for frame in range(3)
    ]
    assert [source.train for source in plan.data] == ["0-4", "", ""]


def test_of_frames_annotated_in_part_only_the_annotated_slices_are_used():
    write_challenge(pathlib.Path("data"), 1)
    (whole,) = pathlib.Path("data/01_GT/SEG").iterdir()
    truth = tifffile.imread(whole)
    whole.unlink()
    for z in (0, 2, 3):
        tifffile.imwrite(whole.with_name(f"man_seg_000_{z:03d}.tif"), truth[z])
    plan, folder = resolve("--ctc", "data")
    (source,) = plan.data
    assert (source.train, source.validation, source.test) == ("0", "2", "3")
    assert source.annotated_in_part
    assert not plan.task.instances.slice_wise
    assembled = np.asarray(open_volume(source.mask).array[:])
    np.testing.assert_array_equal(assembled[[0, 2, 3]], truth[[0, 2, 3]])
    assert not assembled[[1, 4]].any()
    assert folder in pathlib.Path(source.mask).parents
    with pytest.raises(InputError, match="slice 1 is not annotated"):
        resolve("--ctc", "data", "--train-z", "0-2", "--validation-z", "3")


def test_the_protocols_are_the_papers_data_sets():
    assert {name: (p.instances, p.windows, p.paper_seg) for name, p in PROTOCOLS.items() if name != "own"} == {
        "a549-sim": ("components", None, 0.951),
        "tric": ("distance", (2, 3), 0.782),
        "mda231": ("centers", None, 0.646),
    }
    write_stacks(3)
    plan, folder = resolve(*FOLDERS, "--protocol", "tric")
    assert (plan.preprocessing.windows, plan.task.instances.method) == ((2, 3), "distance")
    assert folder == pathlib.Path("runs/tric")


def test_single_images_are_stacks_of_one_and_that_is_said():
    write_stacks(3)
    for path in [*pathlib.Path("stacks").iterdir(), *pathlib.Path("labels").iterdir()]:
        tifffile.imwrite(path, tifffile.imread(path)[2], photometric="minisblack")
    plan, _ = resolve(*FOLDERS)
    assert [source.test for source in plan.data] == ["", "", "0"]
    assert plan.notices[0].startswith("3 of 3 images are a single slice")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--images", "stacks"], "give --images and --labels together"),
        ([*FOLDERS, "--ctc", "data"], "--ctc cannot be combined with --images"),
        (["--images", "stacks", "--ctc", "data"], "--ctc cannot be combined with --images"),
        (["--labels", "labels", "--ctc", "data"], "--ctc cannot be combined with --labels"),
        (["--sequence", "01"], "without --ctc"),
        (["--ignore-value", "255"], "--ignore-value without --images; leave it out"),
        (["--ctc", "data", "--ignore-value", "255"], "--ignore-value without --images; leave it out"),
        (["--ctc", "data", "--flip-y"], "--flip-y without --images; leave it out"),
        ([*FOLDERS, "--ignore-value", "0"], "--ignore-value 0, which is the background; give another value"),
        ([*FOLDERS, "--models", "1"], "--models without --ablation"),
        ([*FOLDERS, "--ablation", "--coloring", "grey"], "--ablation cannot be combined with --instances, --coloring"),
        ([*FOLDERS, "--size", "100"], "--size 100; give a multiple of 32"),
        ([*FOLDERS, "--decoder-filters", "64,48"], "--decoder-filters '64,48'; give 4 positive whole numbers"),
        ([*FOLDERS, "--windows", "2,0"], "give 2 positive whole numbers"),
        ([*FOLDERS, "--min-size", "-1"], "--min-size -1; give 0 or more"),
        ([*FOLDERS, "--expected-share", "1.5"], "--expected-share 1.5"),
        ([*FOLDERS, "--seed-distance", "nan"], "--seed-distance nan; give 0 or more"),
        ([*FOLDERS, "--seed", "-1"], "--seed -1; give 0 or more"),
        (["--ctc", "data", "--test-sequence", "01"], "--test-sequence 01 is trained on"),
        (["--out", "runs/x", "--resume", "--instances", "centers"], "--instances cannot be combined with --resume"),
        (["--out", "runs/x", "--resume", "--min-depth", "0"], "--min-depth cannot be combined with --resume"),
        (["--images", "stacks/s0.tif", "--labels", "labels"], "one is a folder and one is not"),
        (["--images", "stacks/s0.tif", "--labels", "labels/none.tif"], "no such file"),
        ([*FOLDERS, "--train-z", "0-1", "--validation-z", "2"], "are for a single stack; found 3"),
        (["--images", "stacks/s0.tif", "--labels", "labels/s0.tiff", "--train-z", "0-1"], "belong together; give both"),
        (["--images", "nothing", "--labels", "labels"], "nothing: no such file or folder"),
        (["--images", "stacks", "--labels", "stacks"], "given as image and as its annotation too"),
        (["--images", "labels", "--labels", "stacks"], "are these grey values, or were images and labels swapped"),
        (["--ctc", "data"], "data: no such folder; give the folder of a data set"),
        (["--ctc", "stacks"], "stacks: no folder 01 in it; give the folder of the data set"),
        (["--out", "nowhere", "--resume"], "no run to resume"),
    ],
)
def test_arguments_that_can_not_be_meant_are_refused_in_one_line(argv, message):
    write_stacks(3)
    with pytest.raises(InputError, match=message) as fault:
        resolve(*argv)
    assert "\n" not in str(fault.value)


def test_a_channel_of_the_stacks_is_chosen():
    write_stacks(3)
    for path in pathlib.Path("stacks").iterdir():
        stack = tifffile.imread(path)
        tifffile.imwrite(path, np.stack([stack, stack[::-1]], axis=1), imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(InputError, match="found 2 channels and none was chosen"):
        resolve(*FOLDERS)
    plan, _ = resolve(*FOLDERS, "--channel", 1)
    assert {source.channel for source in plan.data} == {1}
    with pytest.raises(InputError, match="--channel without --images"):
        resolve("--channel", 1)


def test_bytes_of_the_stacks_are_read_as_unsigned():
    write_stacks(3)
    plan, _ = resolve(*FOLDERS, "--unsigned")
    assert {source.unsigned for source in plan.data} == {True}
    assert {source.unsigned for source in resolve(*FOLDERS, "--no-unsigned")[0].data} == {False}
    for option in ("--unsigned", "--no-unsigned"):
        with pytest.raises(InputError, match=f"{option} without --images"):
            resolve(option)


def test_options_are_never_guessed():
    with pytest.raises(InputError, match=r"no option --plans; did you mean --plan\?"):
        resolve(*FOLDERS, "--plans", "plan.json")


def test_data_that_can_not_be_learnt_from_are_refused_in_one_line():
    write_stacks(3)
    stack, labels = tifffile.imread("stacks/s0.tif"), tifffile.imread("labels/s0.tiff").astype(np.int32)

    def message(image, ids, **given):
        tifffile.imwrite("i.tif", image, photometric="rgb" if image.shape[-1] == 3 else "minisblack")
        tifffile.imwrite("l.tif", ids, photometric="minisblack")
        with pytest.raises(InputError) as fault:
            resolve("--images", "i.tif", "--labels", "l.tif")
        assert "\n" not in str(fault.value)
        return str(fault.value)

    assert "found the id -1" in message(stack, np.where(labels == 1, -1, labels))
    assert "whole numbers" in message(stack, (labels * 0.5).astype(np.float32))
    assert "no cell on the training slices" in message(stack, 0 * labels)
    assert "found 4 x 40 x 48 voxels (z, y, x), expected 5 x 40 x 48 as in i.tif" in message(stack, labels[:4])
    assert "1 annotated slice; at least 3 slices or 3 stacks" in message(stack[:1], labels[:1])
    assert "found colour (3 samples per pixel), expected grey" in message(np.stack([stack] * 3, axis=-1), labels)
    pathlib.Path("labels/s1.tiff").unlink()
    with pytest.raises(InputError, match=r"labels: no labels named as s1\.tif; give"):
        paired_stacks("stacks", "labels")
    for path in pathlib.Path("stacks").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="stacks: no file in it"):
        paired_stacks("stacks", "labels")


def test_a_float_stack_with_nan_is_refused_before_anything_is_written(monkeypatch):
    write_stacks(3)
    stack = tifffile.imread("stacks/s2.tif").astype(np.float32)
    stack[1, 2, 3] = np.nan
    tifffile.imwrite("stacks/s2.tif", stack, photometric="minisblack")
    with pytest.raises(InputError, match="1 NaN"):
        efficientcellseg.main([*FOLDERS, "--encoder", "efficientnet_b0"])
    assert not pathlib.Path("runs").exists()


def test_weights_that_were_asked_for_and_are_missing_are_refused_at_once(monkeypatch):
    monkeypatch.setenv("KERAS_HOME", "nothing-here")
    write_stacks(3)
    with pytest.raises(InputError, match=r"efficientnetb0_notop.h5: no such file"):
        efficientcellseg.main([*FOLDERS, "--encoder", "efficientnet_b0", "--encoder-weights", "imagenet"])
    with pytest.raises(InputError, match="encoder 'vgg'; give one of"):
        efficientcellseg.main([*FOLDERS, "--encoder", "vgg"])
    assert not pathlib.Path("runs").exists()


def test_runs_are_named_after_their_folders():
    write_stacks(3)
    named = {
        "cells": FOLDERS,
        "nuclei": (*FOLDERS, "--out", "runs/nuclei"),
        "mine": (*FOLDERS, "--out", "runs/nuclei", "--name", "mine"),
        "tric": (*FOLDERS, "--protocol", "tric"),
    }
    assert [resolve(*argv)[0].structure for argv in named.values()] == list(named)
    assert resolve(*FOLDERS, "--out", "runs/(a)")[0].structure == "cells"


def test_another_sequence_may_be_the_one_that_is_scored():
    write_challenge(pathlib.Path("data"), 2)
    for name in ("01", "01_GT"):
        shutil.copytree(pathlib.Path("data", name), pathlib.Path("data", name.replace("01", "02")))
    plan, _ = resolve("--ctc", "data", "--test-sequence", "02")
    uses = [(pathlib.Path(s.tomogram).parts[1], s.train, s.validation, s.test) for s in plan.data]
    assert uses == [("01", "0-4", "", ""), ("01", "", "0-4", ""), ("02", "", "", "0-4"), ("02", "", "", "0-4")]
    assert not any("--test-sequence" in notice for notice in plan.notices)
    plan, _ = resolve("--ctc", "data")
    assert any("--test-sequence" in notice for notice in plan.notices)


def test_ids_of_annotated_slices_are_never_wrapped():
    write_challenge(pathlib.Path("data"), 1)
    (whole,) = pathlib.Path("data/01_GT/SEG").iterdir()
    truth = tifffile.imread(whole).astype(np.uint32)
    whole.unlink()
    for z in range(3):
        tifffile.imwrite(whole.with_name(f"man_seg_000_{z:03d}.tif"), truth[z] + np.uint32(70_000) * (truth[z] > 0))
    plan, _ = resolve("--ctc", "data")
    assembled = np.asarray(open_volume(plan.data[0].mask).array[:3])
    np.testing.assert_array_equal(assembled, np.where(truth[:3] > 0, truth[:3] + 70_000, 0))


def test_the_score_of_the_paper_stands_beside_those_of_its_data_sets():
    write_stacks(3)

    def notices(*args):
        return " ".join(resolve(*args)[0].notices)

    assert "paper's SEG for this data set is 0.646" in notices(*FOLDERS, "--protocol", "mda231")
    assert "paper's SEG" not in notices(*FOLDERS)


def test_a_mask_in_the_place_of_ids_is_noticed():
    write_stacks(3)
    assert not resolve(*FOLDERS)[0].warnings
    for path in pathlib.Path("labels").iterdir():
        mask = np.zeros((5, 40, 48), np.uint8)
        mask[:, 4:8, 4:8] = mask[:, 4:8, 20:24] = mask[:, 20:24, 4:8] = 255
        tifffile.imwrite(path, mask, photometric="minisblack")
    assert any("one id" in line for line in resolve(*FOLDERS)[0].warnings)


def test_what_follows_from_the_cells_is_told():
    write_stacks(3)
    plan, _ = resolve(*FOLDERS, "--smoothing", "7")
    (told,) = (notice for notice in plan.notices if notice.startswith("Measured"))
    chosen = plan.task.instances
    assert f"a seed distance of {chosen.seed_distance} px, a smoothing of 7.0 px" in told
    assert f"a minimum size of {chosen.min_size} voxels" in told
    assert f"an expected share of {plan.preprocessing.coloring.expected_share:.3g}" in told


def test_a_plan_alone_may_be_edited_and_run(monkeypatch):
    from tiny_encoder import TINY_ENCODER

    monkeypatch.setenv("KERAS_HOME", "nothing-here")
    monkeypatch.setitem(ENCODERS, "tiny", TINY_ENCODER)
    write_stacks(3)
    argv = [*FOLDERS, "--encoder", "tiny", "--size", "32", "--epochs", "1", "--precision", "float32", "--out", "run"]
    efficientcellseg.main([*argv, "--plan-only"])
    path = pathlib.Path("run/plan.json")
    for again in (argv, [*argv, "--plan-only"], ["--out", "run"]):
        with pytest.raises(InputError, match="run: holds a plan; start it with --resume"):
            efficientcellseg.main(again)
    plan = json.loads(path.read_text())
    assert plan["model"]["encoder_weights"] == "auto"
    edited = {**plan, "model": {**plan["model"], "decoder_filters": [6, 3]}}
    edited["task"]["instances"]["threshold"] = 0.375
    path.write_text(json.dumps(edited))
    efficientcellseg.main(["--out", "run", "--resume"])
    assert (pathlib.Path("run") / "scores.json").exists()
    assert read_plan(path).model["decoder_filters"] == [6, 3]
    assert read_card(pathlib.Path("run/model.keras")).task.threshold == 0.375
    for name, wrong, message in (
        ("model", {**edited["model"], "encoder": "vgg"}, "encoder 'vgg'; give one of"),
        ("model", {**edited["model"], "encoder": None}, "run/plan.json: plan: under 'model': encoder None; give text"),
        ("model", {**edited["model"], "decoder_filters": [6, 0]}, "run/plan.json: .*`decoder_filters` must be a list"),
        ("model", {**edited["model"], "freeze_encoder": 1}, "freeze_encoder 1; give true or false"),
        (
            "model",
            {**edited["model"], "decoder_filters": [6, 3, 3]},
            "run/plan.json: the network cannot be built .*`decoder_filters` must be 2 numbers",
        ),
        (
            "task",
            {**edited["task"], "instances": {**edited["task"]["instances"], "method": "magic"}},
            "run/plan.json: .*'magic'",
        ),
    ):
        path.write_text(json.dumps({**edited, name: wrong}))
        with pytest.raises(InputError, match=message):
            efficientcellseg.main(["--out", "run", "--resume"])
    grey = {**edited["preprocessing"], "coloring": {"kind": "grey"}}
    path.write_text(json.dumps({**edited, "preprocessing": grey}))
    with pytest.raises(InputError, match="the run to resume has preprocessing"):
        efficientcellseg.main(["--out", "run", "--resume", "--epochs", "2"])


def test_weights_of_another_network_leave_the_run_that_lies_there(monkeypatch):
    write_stacks(3)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save_weights("other.weights.h5")
    (pathlib.Path("run") / "state").mkdir(parents=True)
    pathlib.Path("run/model.keras").write_bytes(b"precious")
    argv = [*FOLDERS, "--encoder", "efficientnet_b0", "--encoder-weights", "other.weights.h5"]
    with pytest.raises(InputError, match="not the weights of EfficientNetB0 without its top"):
        efficientcellseg.main([*argv, "--out", "run", "--overwrite"])
    assert pathlib.Path("run/model.keras").read_bytes() == b"precious"
    assert not pathlib.Path("run/plan.json").exists()
    with pytest.raises(InputError, match="--freeze-encoder with random weights"):
        efficientcellseg.main([*FOLDERS, "--freeze-encoder", "--encoder-weights", "none"])


def test_the_ablation_trains_what_it_can_and_says_what_needs_weights(monkeypatch):
    from tiny_encoder import TINY_ENCODER

    monkeypatch.setenv("KERAS_HOME", "nothing-here")
    monkeypatch.setitem(ENCODERS, "tiny", TINY_ENCODER)
    models = {
        name: dataclasses.replace(model, decoder_filters=model.decoder_filters[-2:])
        for name, model in cell_ablation.ABLATION.items()
    }
    monkeypatch.setattr(cell_ablation, "ABLATION", models)
    monkeypatch.setattr(efficientcellseg, "DECODER_FILTERS", (8, 4))
    write_stacks(3)
    argv = [*FOLDERS, "--ablation", "--encoder", "tiny", "--size", "32", "--epochs", "1", "--precision", "float32"]
    efficientcellseg.main([*argv, "--out", "run", "--models", "2,1"])  # the first one is left out
    found = json.loads(pathlib.Path("run/ablation.json").read_text())["models"]
    assert list(found) == ["2", "1"]
    assert found["2"] is None
    assert len(found["1"]["history"]) == 1
    assert found["1"]["plan"]["preprocessing"]["coloring"] == {"kind": "grey"}
    assert 0 < found["1"]["test_mean_iou"] < 1
    assert found["1"]["parameters"] == found["1"]["decoder_parameters"] + 334  # two convolutions
    assert [layer for layer, _, _ in found["1"]["layers"]] == ["decoder_1", "decoder_2", "head"]
    efficientcellseg.main(["--out", "run", "--resume", "--models", "1,2,3r,5r"])
    more = json.loads(pathlib.Path("run/ablation.json").read_text())["models"]
    assert more["1"] == found["1"]  # not trained again
    assert more["3r"]["plan"]["preprocessing"]["coloring"]["kind"] == "pseudocolor"
    assert more["5r"]["parameters"] > more["3r"]["parameters"]
    lines = pathlib.Path("run/ablation.md").read_text().splitlines()
    assert "test MeanIoU" in lines[0]
    assert "needs ImageNet weights" in lines[3]
    page = pathlib.Path("run/report.html").read_text()
    assert "Models that need ImageNet weights are left out" in page
    assert "DU-Net, Table 1" in page
    assert "No slices were held out for a test" not in page
    with pytest.raises(InputError, match="unknown '9'; choose one of 1, 2, 3"):
        efficientcellseg.main([*argv, "--out", "other", "--models", "9"])
    assert not pathlib.Path("other").exists()


def test_weights_of_another_network_stop_an_ablation_before_it_begins():
    pathlib.Path("broken.weights.h5").write_bytes(b"no weights")
    write_stacks(3)
    argv = [*FOLDERS, "--ablation", "--encoder", "efficientnet_b0", "--size", "32", "--epochs", "1", "--out", "run"]
    for name in ("broken.weights.h5", "missing.weights.h5"):
        with pytest.raises(InputError, match=name):
            efficientcellseg.main([*argv, "--models", "1", "--encoder-weights", name])
    assert not pathlib.Path("run/cells").exists()


def test_an_ablation_without_test_slices_says_what_its_scores_are_of(monkeypatch):
    from tiny_encoder import TINY_ENCODER

    monkeypatch.setenv("KERAS_HOME", "nothing-here")
    monkeypatch.setitem(ENCODERS, "tiny", TINY_ENCODER)
    models = {"1": dataclasses.replace(cell_ablation.ABLATION["1"], decoder_filters=(8, 4))}
    monkeypatch.setattr(cell_ablation, "ABLATION", models)
    monkeypatch.setattr(efficientcellseg, "DECODER_FILTERS", (8, 4))
    write_stacks(1)
    image, labels = (str(next(pathlib.Path(name).iterdir())) for name in ("stacks", "labels"))
    argv = ["--images", image, "--labels", labels, "--train-z", "0-2", "--validation-z", "3-4", "--ablation"]
    argv += ["--encoder", "tiny", "--size", "32", "--epochs", "1", "--precision", "float32", "--out", "run"]
    efficientcellseg.main([*argv, "--models", "1"])
    assert "validation MeanIoU" in pathlib.Path("run/ablation.md").read_text().splitlines()[0]
    assert json.loads(pathlib.Path("run/ablation.json").read_text())["scored_on"] == "validation"
    assert "No slices were held out for a test" in pathlib.Path("run/report.html").read_text()


def test_nothing_is_left_of_a_run_that_is_refused():
    write_challenge(pathlib.Path("data"), 3)
    for frame in range(3):
        whole = pathlib.Path(f"data/01_GT/SEG/man_seg{frame:03d}.tif")
        truth = tifffile.imread(whole)
        whole.unlink()
        for z in range(3):
            part = truth[z] if (frame, z) != (2, 1) else truth[z][1:]
            tifffile.imwrite(whole.with_name(f"man_seg_{frame:03d}_{z:03d}.tif"), part)
    with pytest.raises(InputError, match=r"man_seg_002_001.tif: .* voxels \(z, y, x\) for slice 1"):
        efficientcellseg.main(["--ctc", "data", "--out", "run"])
    assert not pathlib.Path("run").exists()
    pathlib.Path("run").mkdir()
    pathlib.Path("run/notes.txt").write_text("a user's")
    with pytest.raises(InputError, match="for slice 1"):
        efficientcellseg.main(["--ctc", "data", "--out", "run", "--overwrite"])
    assert pathlib.Path("run/notes.txt").exists()


def test_a_plan_alone_that_replaces_a_run_leaves_nothing_of_it():
    write_stacks(3)
    for name in ("state", "01_RES"):
        pathlib.Path("run", name).mkdir(parents=True)
    pathlib.Path("run/model.keras").write_text("of an earlier run")
    with pytest.raises(InputError, match="already holds a run"):
        efficientcellseg.main([*FOLDERS, "--plan-only", "--out", "run"])
    efficientcellseg.main([*FOLDERS, "--plan-only", "--overwrite", "--out", "run"])
    assert sorted(path.name for path in pathlib.Path("run").iterdir()) == ["commands.txt", "mode.json", "plan.json"]


def test_the_ablation_is_the_papers():
    paper = {name: model.paper_mean_iou for name, model in cell_ablation.ABLATION.items() if model.paper_mean_iou}
    assert paper == {"3": 0.9007, "4": 0.9003, "5": 0.9042}
    assert cell_ablation.COMPARISON.chosen == ("1", "2", "3", "3r", "4", "5")


def test_a_plan_of_a_challenge_says_which_sequences_get_a_result(monkeypatch):
    from tiny_encoder import TINY_ENCODER

    monkeypatch.setitem(ENCODERS, "tiny", TINY_ENCODER)
    write_challenge(pathlib.Path("data"), 3)
    monkeypatch.setattr(training_run, "run", lambda job, **_: None)
    results = []
    monkeypatch.setattr(challenge_results, "write_results", lambda job, sequence, **_: results.append(str(sequence)))
    size = ("--encoder", "tiny", "--encoder-weights", "none", "--size", "32")
    efficientcellseg.main(["--ctc", "data", *size, "--out", "a", "--plan-only"])
    efficientcellseg.main(["--plan", "a/plan.json", "--out", "b"])
    assert results == ["data/01"]
    assert json.loads(pathlib.Path("b/mode.json").read_text())["sequences"] == ["data/01"]


@pytest.mark.parametrize(
    ("words", "model"),
    [
        (("--instances", "distance"), {}),
        (("--instances", "components", "--coloring", "grey"), {}),
        (("--instances", "components"), {"freeze_encoder": True}),
    ],
)
def test_an_ablation_of_a_plan_that_sets_what_it_compares_is_refused(monkeypatch, words, model):
    from tiny_encoder import TINY_ENCODER

    monkeypatch.setitem(ENCODERS, "tiny", TINY_ENCODER)
    write_stacks(3)
    size = ("--encoder", "tiny", "--encoder-weights", "none", "--size", "32")
    efficientcellseg.main([*FOLDERS, *size, *words, "--out", "a", "--plan-only"])
    plan = json.loads(pathlib.Path("a/plan.json").read_text())
    pathlib.Path("p.json").write_text(json.dumps({**plan, "model": {**plan["model"], **model}}))
    with pytest.raises(InputError, match="an ablation compares masks of connected components"):
        efficientcellseg.main(["--plan", "p.json", "--out", "b", "--ablation"])
    assert not pathlib.Path("b").exists()


def test_slices_without_a_cell_may_be_unannotated():
    write_stacks(1)
    ids = tifffile.imread("labels/s0.tiff")
    ids[[1, 3]] = 0
    tifffile.imwrite("l.tif", ids, photometric="minisblack")
    data = ("--images", "stacks/s0.tif", "--labels", "l.tif")
    plan, _ = resolve(*data, "--annotation", "slices")
    (source,) = plan.data
    assert (source.train, source.validation, source.test) == ("0", "2", "4") and source.annotated_in_part
    assert not resolve(*data)[0].data[0].annotated_in_part
    with pytest.raises(InputError, match="slice 1 is not annotated"):
        resolve(*data, "--annotation", "slices", "--train-z", "0-1", "--validation-z", "2")
    with pytest.raises(InputError, match="--annotation without --images"):
        resolve("--annotation", "slices")


def write_unknown(value, dtype):
    """Write stacks of which a part was not looked at, and such whose cells there are left out."""
    write_stacks(3)
    for name in ("unknown", "blanked"):
        pathlib.Path(name).mkdir()
    for path in pathlib.Path("labels").iterdir():
        ids = tifffile.imread(path).astype(dtype)
        for name, there in (("unknown", value), ("blanked", 0)):
            ids[:, :, 30:] = there
            tifffile.imwrite(pathlib.Path(name, path.name), ids, photometric="minisblack")


@pytest.mark.parametrize(("value", "dtype"), [(255, np.uint16), (-1, np.int16), (-1, np.float32)])
def test_what_is_unannotated_is_not_measured(value, dtype):
    write_unknown(value, dtype)
    plan, _ = resolve("--images", "stacks", "--labels", "unknown", "--ignore-value", value)
    blanked, _ = resolve("--images", "stacks", "--labels", "blanked")
    assert (plan.training.ignore_value, blanked.training.ignore_value) == (value, None)
    assert plan.task == blanked.task
    found, expected = measure_cells(plan.data, ignore_value=value), measure_cells(blanked.data)
    assert found.share == pytest.approx(expected.share * 48 / 30)  # of what was looked at
    assert (found.radius_px, found.voxels, found.huge) == (expected.radius_px, expected.voxels, ())


def test_slices_that_hold_unannotated_pixels_alone_are_not_painted():
    write_stacks(1)
    ids = tifffile.imread("labels/s0.tiff").astype(np.int16)
    ids[[1, 3]] = 0
    ids[1, 5:9] = ids[4, :4] = -1
    tifffile.imwrite("l.tif", ids, photometric="minisblack")
    data = ("--images", "stacks/s0.tif", "--labels", "l.tif", "--annotation", "slices", "--ignore-value", "-1")
    (source,) = resolve(*data)[0].data
    assert (source.train, source.validation, source.test) == ("0", "2", "4") and source.annotated_in_part


def test_an_id_that_looks_like_unannotated_pixels_is_noticed():
    def told(*argv):
        return [line for line in resolve(*argv)[0].warnings if "--ignore-value" in line]

    write_stacks(4)  # two are trained on
    assert not told(*FOLDERS)
    for path in pathlib.Path("labels").iterdir():
        ids = np.zeros((5, 40, 48), np.uint8)
        ids[:, 1:3, 1:3], ids[:, 5:7, 1:4], ids[:, 10:] = 1, 2, 255
        tifffile.imwrite(path, ids, photometric="minisblack")
    (notice,) = told(*FOLDERS)
    assert notice == (
        "labels/s0.tiff: the object 255 has 99 % of the voxels with an id, 240 times as many as the next; where it "
        "means unannotated, pass --ignore-value 255; the same in 1 more label file"
    )
    assert not told(*FOLDERS, "--ignore-value", "255")
    (notice,) = told("--images", "stacks/s0.tif", "--labels", "labels/s0.tiff")
    assert notice.endswith("pass --ignore-value 255")


def test_a_run_scores_and_shows_what_is_annotated(monkeypatch):
    from tiny_encoder import TINY_ENCODER

    monkeypatch.setenv("KERAS_HOME", "nothing-here")
    monkeypatch.setitem(ENCODERS, "tiny", TINY_ENCODER)
    monkeypatch.setattr(efficientcellseg, "DECODER_FILTERS", (8, 4))
    write_unknown(-1, np.int16)
    argv = ["--images", "stacks", "--labels", "unknown", "--ignore-value", "-1", "--instances", "centers"]
    argv += ["--encoder", "tiny", "--size", "32", "--epochs", "1", "--precision", "float32", "--no-export"]
    efficientcellseg.main([*argv, "--out", "run", "--plan-only"])
    assert read_plan(pathlib.Path("run/plan.json")).training.ignore_value == -1
    efficientcellseg.main(["--plan", "run/plan.json", "--out", "other", "--plan-only"])
    assert read_plan(pathlib.Path("other/plan.json")).training.ignore_value == -1
    efficientcellseg.main(["--out", "run", "--resume", "--no-export"])
    scores = json.loads(pathlib.Path("run/scores.json").read_text())
    truth = tifffile.imread("blanked/s2.tiff")
    assert scores["total"]["objects"] == scores["otsu"]["objects"] == len(np.unique(truth)) - 1
    (entry,) = scores["scores"]
    counted = [
        sum(part[name] for name in ("true_positives", "false_positives", "false_negatives", "true_negatives"))
        for part in entry["slices"]
    ]
    assert counted == [40 * 30] * 5
    assert pathlib.Path("run/report.html").exists()
