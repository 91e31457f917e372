"""A user's mistake ends in one line with what was found and what to do, status 2, and nothing written.

``python -m pytest tests/test_bad_input.py -s`` shows every message.
"""

import dataclasses
import errno
import json
import os
import pathlib
import shutil
import zipfile

import keras
import mrcfile
import numpy as np
import pytest
import tifffile

from recipes import fre, segET
from segkit import cli
from segkit.console import run_command
from segkit.errors import InputError
from segkit.inference.legend import write_legend
from segkit.inference.loaded_model import LoadedModel
from segkit.models.card import ModelCard
from segkit.models.files import CARD_MEMBER, save_model
from segkit.models.seget import seget
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.classes import ClassesTask
from segkit.volumes.files import save_volume
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(0)
TRAIN = ("--structure", "golgi", "--tomogram", "T.mrc", "--mask", "M.mrc")


EDITED = {
    "kind": ({"task": {"kind": ["cells"]}}, "unknown task ['cells']; choose one of foreground"),
    "instances": (
        {"task": {"kind": "cells", "instances": "distance"}},
        "task 'cells': instances 'distance'; give a JSON object",
    ),
    "null": ({"task": {"kind": "cells", "instances": None}}, "task 'cells': instances None; give a JSON object"),
    "share": (
        {"task": {"kind": "cells", "instances": {"threshold": "high"}}},
        "instances: threshold 'high'; give a number",
    ),
    "names": (
        {"task": {"kind": "classes", "class_names": "ab"}},
        "task 'classes': class_names 'ab'; give a list of entries, each text",
    ),
    "missing": ({"task": {"kind": "classes"}}, "task 'classes': the setting 'class_names' is missing; add it"),
    "derived": (
        {"task": {"kind": "cells", "threshold": 0.3}},
        "task 'cells': unknown setting 'threshold'; correct or remove it",
    ),
    "text": ({"task": "cells"}, "task 'cells'; give a JSON object with the entry 'kind'"),
    "coloring": (
        {"preprocessing": {"kind": "coloring", "coloring": "grey"}},
        "`coloring` must be a colouring, or an object with its kind. Received: coloring='grey'",
    ),
    "tiles": (
        {"preprocessing": {"kind": "coloring", "coloring": {"kind": "pseudocolor", "tiles": "many"}}},
        "colouring 'pseudocolor': tiles 'many'; give a whole number",
    ),
    "windows": (
        {"preprocessing": {"kind": "coloring", "coloring": {"kind": "grey"}, "windows": [1.5, 2]}},
        "windows [1.5, 2]; give a list of 2 entries, each a whole number or null",
    ),
    "mean": (
        {"preprocessing": {"kind": "standardize", "mean": "3", "std": 1}},
        "preprocessing 'standardize': mean '3'; give a number or null",
    ),
    "training": ({"training": "short"}, "plan: training 'short'; give a JSON object"),
    "augmentation": (
        {"training": {"augmentation": {"brightness": "much"}}},
        "plan: augmentation: brightness 'much'; give a number",
    ),
    "structure": ({"structure": "../../x"}, "plan: structure '../../x': it becomes part of file names; use letters"),
    "penalty": ({"training": {"l2": float("nan")}}, "penalty.json: not a plan (NaN is not a number)"),
    "deterministic": ({"training": {"deterministic": "false"}}, "plan: deterministic 'false'; give true or false"),
    "seed": ({"training": {"seed": 2**32}}, "plan: seed is 4294967296; give a whole number up to 4294967295"),
    "rate": ({"training": {"learning_rate": float("inf")}}, "rate.json: not a plan (Infinity is not a number)"),
    "data": ({"data": ["T.mrc"]}, "plan: data ['T.mrc']; give a list of entries, each a JSON object"),
}
"""What somebody has changed in a plan, and the line that follows."""


def write_mrc(name, array, voxel_size=22.55):
    with mrcfile.new(name, overwrite=True) as mrc:
        mrc.set_data(array)
        mrc.voxel_size = voxel_size


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with a good tomogram and mask, and with one of each thing that can be wrong."""
    place = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        write_all()
    return place


@pytest.fixture
def folder(written, tmp_path, monkeypatch):
    """A copy of that folder, and the working directory."""
    place = tmp_path / "folder"
    shutil.copytree(written, place)
    monkeypatch.chdir(place)
    return place


def write_all():
    mask = np.zeros((6, 64, 64), np.int8)
    mask[:, 20:40, 10:30] = 1
    tomogram = (40 * mask + RNG.integers(-30, 30, mask.shape)).astype(np.int8)
    write_mrc("T.mrc", tomogram)
    write_mrc("copy.mrc", tomogram)
    write_mrc("M.mrc", mask)
    write_mrc("one.mrc", tomogram[:1])
    write_mrc("one-mask.mrc", mask[:1])
    write_mrc("small.mrc", mask[:, :32])
    write_mrc("empty.mrc", np.zeros_like(mask))
    write_mrc("full.mrc", np.ones_like(mask))
    write_mrc("many.mrc", (mask * np.arange(6, dtype=np.int8)[:, None, None]).astype(np.int8))
    late = np.zeros_like(mask)
    late[[0, 5], 20:40, 10:30] = 1
    write_mrc("late.mrc", late)
    broken = tomogram.astype(np.float32)
    broken[3, 5, 5] = np.nan
    save_volume("nan.mrc", Volume(array=broken.copy()))
    broken[3, 5, 5] = np.inf
    save_volume("inf.mrc", Volume(array=broken))
    write_legend("many.legend.json", ["synapse", "golgi"])
    pathlib.Path("cut.mrc").write_bytes(pathlib.Path("T.mrc").read_bytes()[:-100])
    pathlib.Path("text.keras").write_text("no model")
    card = ModelCard(name="a", structure="a", preprocessing=Standardize(mean=0.0, std=30.0), multiple_px=4, halo_px=48)
    save_model(seget(filters=(2, 4), dilation_rates=(1,)), "good.keras", card)
    save_model(seget(input_shape=(None, None, 3), filters=(2, 4), dilation_rates=(1,)), "rgb.keras", card)
    three = dataclasses.replace(card, task=ClassesTask(class_names=("background", "a", "b")))
    save_model(toy("logits", 3), "classes.keras", three)
    toy("probability", 1).save("bare.keras")  # by plain Keras: segkit refuses to save it
    with zipfile.ZipFile("bare.keras", "a") as archive:
        archive.writestr(CARD_MEMBER, json.dumps(card.to_dict()))
    save_model(toy("logits", 1, axes=3), "volumes.keras", card)
    classes = np.zeros((6, 64, 64), np.uint8)
    classes[:, 20:40, 10:30] = 1
    classes[:, 45:55, 40:60] = 2
    stacks = {
        "I.tif": np.clip(60 * classes + RNG.normal(60, 15, classes.shape), 0, 255).astype(np.uint8),
        "L.tif": classes,
        "gaps.tif": classes * 2,
        "fewer.tif": classes[:5],
        "narrow.tif": classes[:, :, :48],
        "minus.tif": classes.astype(np.int16) - 1,
        "two.tif": classes[:2],
    }
    stacks["two-images.tif"] = stacks["I.tif"][:2]
    for name, stack in stacks.items():
        tifffile.imwrite(name, stack, photometric="minisblack")
    tifffile.imwrite("rgb.tif", np.stack([stacks["I.tif"]] * 3, axis=-1), photometric="rgb")
    plan = {"recipe": "segET", "structure": "golgi", "preset": "demo", "data": [{"tomogram": "T.mrc", "mask": "M.mrc"}]}
    for name, (changes, _) in EDITED.items():
        pathlib.Path(f"{name}.json").write_text(json.dumps({**plan, **changes}))
    edit_card("good.keras", "edited.keras", {"preprocessing": {"kind": "standardize", "mean": [1], "std": 2}})
    edit_card("good.keras", "unnamed.keras", {"name": 3})
    pathlib.Path("taken.mrc").write_text("somebody's work")
    pathlib.Path("file").write_text("")


def toy(output, channels, axes=2):
    """A network of one layer."""
    inputs = keras.Input((*(None,) * axes, 1))
    convolution = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[axes]
    return keras.Model(inputs, {output: convolution(channels, 1, name=output)(inputs)})


def edit_card(source, target, changes):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, json.dumps({**json.loads(content), **changes}) if name == CARD_MEMBER else content)


def everything_below(folder):
    return {str(p.relative_to(folder)): p.stat().st_size for p in sorted(folder.rglob("*"))}


def train(**changes):
    words = dict(zip(TRAIN[::2], TRAIN[1::2], strict=True))
    words.update({f"--{name.replace('_', '-')}": value for name, value in changes.items()})
    return segET.main, [word for pair in words.items() for word in pair]


def classes(**changes):
    words = {"images": "I.tif", "labels": "L.tif", **changes}
    given = (word for name, value in words.items() for word in (f"--{name.replace('_', '-')}", value))
    return fre.main, [word for word in given if word]


def predict(**changes):
    words = {"model": "good.keras", "input": "T.mrc", "output": "out.mrc", **changes}
    return cli.main, ["predict", *(word for name, value in words.items() for word in (f"--{name}", value))]


CASES = {
    "missing tomogram": (train(tomogram="none.mrc"), "none.mrc"),
    "missing input": (predict(input="none.mrc"), "none.mrc"),
    "truncated file": (predict(input="cut.mrc"), "cut.mrc"),
    "mask of another shape": (train(mask="small.mrc"), "6 x 32 x 64"),
    "mask without foreground": (train(mask="empty.mrc"), "foreground"),
    "mask all foreground": (train(mask="full.mrc"), "found no background"),
    "mask not binary": (train(mask="many.mrc"), "found the values"),
    "NaN in the tomogram": (train(tomogram="nan.mrc"), "slice 3"),
    "infinite voxel in the input": (predict(input="inf.mrc"), "slice 3"),
    "one slice": (train(tomogram="one.mrc", mask="one-mask.mrc"), "none can be held out"),
    "unknown structure without a mask": ((segET.main, ["--structure", "nucleus"]), "--tomogram and --mask"),
    "start from a missing model": (train(init="none.keras"), "none.keras"),
    "start from a model of other channels": (train(init="rgb.keras"), "3 channels"),
    "start from a model of three classes": (train(init="classes.keras"), "Received: 'logits' of 3 channels"),
    "start from a model of volumes": (train(init="volumes.keras"), "takes volumes, expected slices"),
    "no foreground on the training slices": (train(mask="late.mrc"), "no foreground on the training slices"),
    "served models can not be written": (train(saved_models="file"), "file"),
    "output folder can not be made": (train(out="file/run"), "is not a writable folder"),
    "output exists": (predict(output="taken.mrc"), "taken.mrc"),
    "output in a folder that is none": (predict(output="file/out.mrc"), "file"),
    "no model file": (predict(model="text.keras"), "not a Keras model file"),
    "missing model": (predict(model="none.keras"), "no such file"),
    "model of other channels": (predict(model="rgb.keras"), "3 channels"),
    "region outside": (predict(roi="0:9,:,:"), "reaches beyond"),
    "region unreadable": (predict(roi="middle"), "expected three spans"),
    "size unreadable": (predict(**{"max-ram": "lots"}), "such as 4G"),
    "too little memory": (predict(**{"max-ram": "10M"}), "--max-ram"),
    "evaluation of another shape": (
        (cli.main, ["evaluate", "--prediction", "small.mrc", "--reference", "M.mrc"]),
        "6 x 32 x 64",
    ),
    "evaluation of labels": (
        (cli.main, ["evaluate", "--prediction", "many.mrc", "--reference", "M.mrc"]),
        "choose with --label one of 1 (synapse), 2 (golgi)",
    ),
    "evaluation of a label that is none": (
        (cli.main, ["evaluate", "--prediction", "many.mrc", "--reference", "M.mrc", "--label", "9"]),
        "9 is not in its legend",
    ),
    "evaluation of all labels and of one": (
        (cli.main, ["evaluate", "--prediction", "many.mrc", "--reference", "M.mrc", "--all-labels", "--label", "1"]),
        "give one of them",
    ),
    "structure that is no name": (train(structure="a/b"), "letters, digits"),
    "resume of nothing": ((segET.main, ["--structure", "golgi", "--resume"]), "no run to resume"),
    "labels with gaps": (classes(labels="gaps.tif"), "expected 0, 1, 2, ... without a gap"),
    "labels above the class count": (classes(class_names="a,b"), "expected whole numbers from 0 to 1"),
    "negative labels": (classes(labels="minus.tif"), "found -1"),
    "images and labels of different number": (classes(labels="fewer.tif"), "5 x 64 x 64"),
    "images and labels of different size": (classes(labels="narrow.tif"), "6 x 64 x 48"),
    "colour images": (classes(images="rgb.tif"), "found colour (3 samples per pixel)"),
    "two images": (classes(images="two-images.tif", labels="two.tif"), "at least 3 are needed"),
    "more enhanced maps than there are": (classes(num_enhanced="513"), "513 of 512 feature maps"),
    "no enhanced map": (classes(num_enhanced="0"), "give at least 1"),
    "gain that is no number": (classes(gain="nan"), "positive, finite"),
    "negative gain": (classes(gain="-2"), "positive, finite"),
    "a protocol for other data": (classes(protocol="mouse"), "is for 50 x 256 x 256"),
    "search of nothing": (classes(method="plain", search="3"), "nothing to search for"),
    "missing images": (classes(images="none.tif"), "none.tif"),
    **{f"plan, {name}": ((segET.main, ["--plan", f"{name}.json"]), line) for name, (_, line) in EDITED.items()},
    "card, preprocessing": (predict(model="edited.keras"), "edited.keras: preprocessing 'standardize': mean [1]; give"),
    "card, name": (predict(model="unnamed.keras"), "unnamed.keras: model card: name 3; give text"),
    "export of a network with other outputs": (
        (cli.main, ["export", "--model", "bare.keras", "--root", "served"]),
        "a: the model gives probability, expected logits",
    ),
    "model with other outputs": (predict(model="bare.keras"), "a: the model gives probability, expected logits"),
    "info of nothing": ((cli.main, ["info", "none.mrc"]), "none.mrc"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_written(case, folder, capfd):
    (main, argv), expected = CASES[case]
    before = everything_below(folder)
    status = run_command(main, argv)
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error:")]
    print(f"{case}: {errors}")
    assert status == 2
    assert len(errors) == 1
    assert expected in errors[0]
    assert "Traceback" not in errors[0]
    assert everything_below(folder) == before


def test_a_run_folder_that_is_taken_is_left_alone(folder, capfd):
    pathlib.Path("run").mkdir()
    pathlib.Path("run/model.keras").write_text("a trained model")
    before = everything_below(folder)
    assert run_command(*train(out="run")) == 2
    assert "--resume, replace it with --overwrite" in capfd.readouterr().err
    assert everything_below(folder) == before


def test_a_full_disk_is_said_in_one_line(capfd):
    def main(_argv):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x/state/epoch-00001.unfinished")

    assert run_command(main, []) == 2
    error = capfd.readouterr().err
    assert error.startswith("error: runs/x/state/epoch-00001.unfinished: No space left on device; free some space")


def test_ctrl_c_says_how_to_go_on(capfd):
    def main(_argv):
        raise KeyboardInterrupt

    assert run_command(main, [], when_interrupted="Run it with --resume.") == 130
    assert "interrupted. Run it with --resume." in capfd.readouterr().err


def test_a_fault_of_the_program_keeps_its_traceback():
    def main(_argv):
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        run_command(main, [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--output", "text.keras"], "text.keras: found the suffix"),
        (["--output", "there.mrc"], "there.mrc: already exists"),
        (["--output", "T.mrc"], "T.mrc: is the input; choose another output"),
        (["--output", "T.mrc", "--overwrite", "--workers", "2"], "T.mrc: is the input; choose another output"),
        (["--output", "m.png", "--probability"], "m.png: .*expected"),
        (["--output", "m.png"], "m.png: .*expected"),
        (["--output", "no/such/m.mrc"], "no/such"),
        (["--roi", "0:40,:,:"], "region 0:40,:,: reaches beyond the volume of 6 x 64 x 64"),
        (["--model", "none.keras"], "none.keras: no such file"),
        (["--model", "text.keras"], "text.keras: not a Keras model file"),
        (["--model", "zip.keras"], "zip.keras: a zip archive, but not a Keras model"),
        (["--average"], "--average with one model; give several"),
        (["--output", "m.xyz"], r"m.xyz: found the suffix \.xyz, expected one of \.mrc"),
        (["--output", "m.tif.gz"], r"m.tif.gz: found \.gz on another format than MRC"),
    ],
)
def test_paths_and_regions_are_checked_before_a_model_is_opened(change, message, folder, monkeypatch):
    monkeypatch.setattr(LoadedModel, "open", lambda path: pytest.fail("a model was opened"))
    with zipfile.ZipFile("zip.keras", "w") as archive:
        archive.writestr("readme.txt", "no model")
    pathlib.Path("there.mrc").touch()
    words = ["predict", "--model", "good.keras", "--input", "T.mrc", "--output", "m.mrc", *change]
    with pytest.raises(InputError, match=message):
        cli.run_predict(cli.parse_args(words))


@pytest.mark.parametrize(
    ("make", "words", "message"),
    [
        (train, {"train_z": "0-99", "validation_z": "1"}, "slices '0-99' reach outside the volume"),
        (train, {"train_z": "0-3", "validation_z": "4-6"}, "slices '4-6' reach outside the volume"),
        (train, {"train_z": "0-3", "validation_z": "3-4"}, "slice 3 is used twice"),
        (
            train,
            {"train_z": "0-9", "validation_tomogram": "copy.mrc", "validation_mask": "late.mrc"},
            "slices '0-9' reach outside the volume",
        ),
        (classes, {"train_z": "0-99", "validation_z": "1"}, "slices '0-99' reach outside the volume"),
        (classes, {"train_z": "0-3", "validation_z": "3-4"}, "slice 3 is used twice"),
    ],
)
def test_slices_are_checked_before_a_network_is_built(make, words, message, folder, monkeypatch):
    monkeypatch.setattr("segkit.experiments.recipe._jobs", lambda *_, **__: pytest.fail("Keras was loaded"))
    main, argv = make(**words)
    with pytest.raises(InputError, match=message):
        main(argv)
