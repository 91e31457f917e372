import dataclasses
import json
import logging
import pathlib
import re
import shutil

import mrcfile
import numpy as np
import pytest
import tifffile
from readme_commands import README

from recipes import segET
from recipes.organelles.structures import STRUCTURES, demo_plan, measured_structure, paper_plan
from segkit.data.sources import open_source
from segkit.errors import InputError
from segkit.experiments import recipe
from segkit.experiments.job import set_up
from segkit.experiments.plan import RunPlan, read_plan, write_plan
from segkit.experiments.recipe import drafts_of, made, parse_args
from segkit.experiments.training_run import data_identity
from segkit.preprocessing.standardize import Standardize
from segkit.preprocessing.standardize_each import StandardizeEach
from segkit.volumes.files import open_volume


def write_mrc(path, array, voxel_size=22.55):
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(array)
        mrc.voxel_size = voxel_size
    return str(path)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    mask = np.zeros((10, 64, 64), np.int8)
    mask[:, 20:40, 10:30] = 1
    noise = rng.integers(-30, 30, mask.shape)
    return write_mrc(tmp_path / "T.mrc", (40 * mask + noise).astype(np.int8)), write_mrc(tmp_path / "M.mrc", mask)


DATA = ("--tomogram", "T.mrc", "--mask", "M.mrc")


def resolve(*argv):
    """Return the plans that a command line means, with their folders."""
    drafts = drafts_of(segET.RECIPE, parse_args(segET.RECIPE, [str(word) for word in argv]))
    return list(zip(made(drafts), (draft.folder for draft in drafts), strict=True))


# Structure, learning rate, decay, epochs, early stop, plateau, weight limit, extra copies: the paper's Sec. 3.2.
PAPER = [
    ("synapse", 1e-4, 1e-6, 38, 8, 3, None, 0),
    ("microtubules", 1e-3, 1e-5, 300, 8, 3, 2000, 0),
    ("centriole", 2e-3, 1e-6, 300, 10, 3, 2000, 4),
    ("granules", 2e-3, 1e-5, 60, 5, 2, None, 0),
    ("golgi", 2e-3, 1e-5, 124, 5, 2, 1000, 2),
]


@pytest.mark.parametrize("row", PAPER, ids=[row[0] for row in PAPER])
def test_the_five_recipes_are_the_papers(row):
    plan = paper_plan(STRUCTURES[row[0]])
    assert (
        plan.learning_rate,
        plan.decay,
        plan.epochs,
        plan.early_stopping_patience,
        plan.plateau_patience,
        plan.weight_limit,
        plan.positive_copies,
    ) == row[1:]
    assert (plan.patch_px, plan.stride_px, plan.batch_size, plan.plateau_factor) == (512, 256, 12, 0.5)
    assert not plan.augmentation.flips


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_the_demo_preset_is_as_small_as_the_readme_says(structure):
    (said,) = re.findall(r"`--preset demo` is for a CPU: patches of (\d+) px, (\d+) epochs", README)
    plan = demo_plan(structure)
    assert (plan.patch_px, plan.epochs) == tuple(map(int, said))


@pytest.mark.parametrize(
    ("ratio", "share", "limit", "copies"),
    [(4, 1.0, None, 0), (30, 0.5, 1000, 0), (30, 0.2, 1000, 2), (500, 0.01, 2000, 4), (500, 0.4, 2000, 0)],
)
def test_a_structure_of_ones_own_gets_settings_by_the_stated_rule(ratio, share, limit, copies):
    structure = measured_structure("mine", ratio, share)
    assert (structure.weight_limit, structure.positive_copies) == (limit, copies)
    if 0 < copies < 4:  # as few as bring the positive patches to 40 %
        after = [share * (1 + n) / (share * (1 + n) + 1 - share) for n in (copies - 1, copies)]
        assert after[0] < 0.4 <= after[1]


def test_every_fifth_slice_is_held_out(files):
    tomogram, mask = files
    ((plan, folder),) = resolve("--structure", "golgi", "--tomogram", tomogram, "--mask", mask)
    assert folder == pathlib.Path("runs/golgi")
    assert (plan.preset, plan.structure) == ("paper", "golgi")
    assert (plan.data[0].train, plan.data[0].validation) == ("1-4,6-9", "0,5")


def test_test_slices_are_neither_trained_nor_validated_on(files):
    tomogram, mask = files
    ((plan, _),) = resolve("--structure", "golgi", "--tomogram", tomogram, "--mask", mask, "--test-z", "4-6")
    (source,) = plan.data
    assert (source.train, source.validation, source.test) == ("1-3,7-9", "0", "4-6")


def test_what_was_measured_is_said(files):
    tomogram, mask = files
    ((plan, _),) = resolve("--structure", "mine", "--tomogram", tomogram, "--mask", mask, "--preset", "demo")
    assert plan.preset == "demo, measured"
    assert "100 % of them have foreground, with 9.2 times as much background" in plan.notices[0]  # 64 * 64 / 400 - 1


def test_a_channel_of_every_tomogram_is_chosen(files):
    tomogram, mask = files
    image = np.asarray(open_volume(tomogram).array[:])
    for name in ("C.tif", "D.tif"):
        tifffile.imwrite(name, np.stack([image, image], axis=1).view(np.uint8), imagej=True, metadata={"axes": "ZCYX"})
    argv = ("--structure", "golgi", "--tomogram", "C.tif", "--mask", mask)
    ((plan, _),) = resolve(*argv, "--validation-tomogram", "D.tif", "--validation-mask", mask, "--channel", 1)
    assert [source.channel for source in plan.data] == [1, 1]
    with pytest.raises(InputError, match=r"C\.tif: found 2 channels and none was chosen"):
        resolve(*argv)


def test_bytes_of_every_tomogram_are_read_as_unsigned(files):
    tomogram, mask = files
    argv = ("--structure", "golgi", "--tomogram", tomogram, "--mask", mask)
    other = shutil.copy(tomogram, "other.mrc")
    ((plan, _),) = resolve(*argv, "--validation-tomogram", other, "--validation-mask", mask, "--unsigned")
    assert [source.unsigned for source in plan.data] == [True, True]
    for option in ("--unsigned", "--channel=1"):
        with pytest.raises(InputError, match=f"{option.partition('=')[0]} without --tomogram; leave it out"):
            resolve("--structure", "golgi", option)


def test_strokes_of_a_structure_and_of_background(files):
    tomogram, _ = files
    strokes = np.zeros((10, 64, 64), np.int8)
    strokes[3:7, 20:24, 10:30], strokes[3:7, 50:60, 40:60] = 2, 1
    write_mrc("S.mrc", strokes)
    words = ("--structure", "golgi", "--tomogram", tomogram, "--mask", "S.mrc", "--annotation", "strokes")
    ((plan, folder),) = resolve(*words, "--preset", "demo", "--hold-out-every", 2)
    (source,) = plan.data
    assert (source.strokes, source.annotated_in_part, source.train, source.validation) == (True, True, "4,6", "3,5")
    job = set_up(plan, folder, segET.network(plan))
    assert job.volumes[0].warnings == ()
    _, targets = job.prepared.validation.batch(0)
    assert [int(((targets[..., 0] == kind) & (targets[..., 1] > 0)).sum()) for kind in (0, 1)] == [2 * 200, 2 * 80]
    assert read_plan_of(plan) == plan
    ((own, _),) = resolve(*("--structure", "mine", *words[2:]), "--preset", "demo", "--hold-out-every", 2)
    assert "with 2.5 times as much background" in own.notices[0]
    write_mrc("S.mrc", (strokes == 2).astype(np.int8))
    message = (
        r"S\.mrc: found strokes of background \(1\) alone, expected .* structure \(2\) as well; paint 1 on background"
    )
    for name in ("golgi", "mine"):
        with pytest.raises(InputError, match=message):
            ((other, folder),) = resolve("--structure", name, *words[2:], "--preset", "demo", "--hold-out-every", 2)
            set_up(other, folder, segET.network(other))
    strokes[4, 0, 0] = -3
    write_mrc("S.mrc", strokes)
    with pytest.raises(InputError, match=r"S\.mrc: found values other than whole numbers from 0 to 255 in slice 4"):
        set_up(plan, folder, segET.network(plan))


def test_slices_without_paint_have_no_use_where_slices_are_annotated(files):
    tomogram, _ = files
    mask = np.zeros((10, 64, 64), np.int8)
    mask[0:8:2, 20:40, 10:30] = 1
    write_mrc("P.mrc", mask)
    words = ("--structure", "golgi", "--tomogram", tomogram, "--mask", "P.mrc", "--annotation", "slices")
    ((plan, _),) = resolve(*words, "--hold-out-every", 2)
    (source,) = plan.data
    assert (source.annotated_in_part, source.strokes) == (True, False)
    assert (source.train, source.validation, source.test) == ("2,6", "0,4", "")
    with pytest.raises(InputError, match=r"slice 1 was chosen, but nothing is painted on it; .* --annotation slices"):
        resolve(*words, "--train-z", "0-2", "--validation-z", "4")


def test_grey_values_may_be_normalised_volume_by_volume(files):
    tomogram, mask = files
    words = ("--structure", "golgi", "--tomogram", tomogram, "--mask", mask)
    ((plan, _),) = resolve(*words, "--normalize", "volume")
    assert plan.preprocessing == StandardizeEach(per="volume")
    assert read_plan_of(plan) == plan
    ((plan, _),) = resolve(*words)
    assert plan.preprocessing == Standardize()


def test_training_patches_may_be_bent(files):
    tomogram, mask = files
    words = ("--structure", "golgi", "--tomogram", tomogram, "--mask", mask)
    ((plan, _),), ((bent, _),) = resolve(*words), resolve(*words, "--elastic", 4)
    augmentation = dataclasses.replace(plan.training.augmentation, elastic_px=4.0)
    assert plan.training.augmentation.elastic_px == 0
    assert bent == dataclasses.replace(plan, training=dataclasses.replace(plan.training, augmentation=augmentation))
    for wrong in ("-1", "nan"):
        with pytest.raises(InputError, match=f"--elastic {wrong}: expected a standard deviation"):
            resolve(*words, "--elastic", wrong)


def read_plan_of(plan):
    write_plan(plan, path := pathlib.Path("again.json"))
    return read_plan(path)


def test_a_plan_survives_its_file(files, tmp_path):
    tomogram, mask = files
    ((plan, _),) = resolve("--structure", "golgi", "--tomogram", tomogram, "--mask", mask, "--epochs", 3)
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(plan.to_dict()))
    assert read_plan(path) == plan
    ((again, _),) = resolve("--plan", path)
    assert again == plan
    assert plan.training.epochs == 3


def test_all_means_one_run_a_mask(files):
    tomogram, mask = files
    plans = resolve(
        "--structure", "all", "--tomogram", tomogram, "--mask", f"golgi={mask}", "--mask", f"mine={mask}", "--out", "o"
    )
    assert [(plan.structure, folder) for plan, folder in plans] == [
        ("golgi", pathlib.Path("o/golgi")),
        ("mine", pathlib.Path("o/mine")),
    ]


def test_the_checkpoint_may_be_chosen_on_another_tomogram(files):
    tomogram, mask = files
    other = shutil.copy(tomogram, "other.mrc")
    ((plan, _),) = resolve(
        *("--structure", "golgi", "--tomogram", tomogram, "--mask", mask),
        *("--validation-tomogram", other, "--validation-mask", mask),
    )
    assert [(source.train, source.validation) for source in plan.data] == [("0-9", ""), ("", "0-9")]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "give --structure NAME, --plan FILE, or --resume"),
        (("--structure", "nucleus"), "unknown structure 'nucleus'; choose one of synapse, microtubules"),
        (("--structure", "centriol"), "structure 'centriol'; did you mean centriole. for one of your own give"),
        (("--structure", "golgi", "--tomogram", "M.mrc", "--mask", "M.mrc"), "M.mrc: given as image and as its annot"),
        (
            ("--structure", "golgi", *DATA, "--validation-tomogram", "M.mrc", "--validation-mask", "M.mrc"),
            "given as image",
        ),
        (("--structure", "golgi", "--mask", "M.mrc"), "a mask without a tomogram"),
        (("--structure", "golgi", "--tomogram", "T.mrc"), "a tomogram without a mask"),
        (("--structure", "all", "--tomogram", "T.mrc", "--mask", "M.mrc"), "write NAME=FILE"),
        (("--structure", "golgi", "--tomogram", "T.mrc", "--mask", "synapse=M.mrc"), "is not --structure golgi"),
        (("--structure", "golgi", "--tomogram", "T.mrc", "--mask", "M.mrc", "--mask", "M.mrc"), "2 masks for 1"),
        (("--structure", "golgi", "--tomogram", "T.mrc", "--mask", "M.mrc", "--train-z", "1-3"), "together"),
        (("--structure", "golgi", "--tomogram", "missing.mrc", "--mask", "M.mrc"), "missing.mrc"),
        (("--structure", "golgi", *DATA, "--validation-mask", "M.mrc"), "--validation-mask without"),
        (("--structure", "golgi", *DATA, "--validation-tomogram", "T.mrc"), "used for both training and validation"),
        (("--structure", "golgi", *DATA, "--hold-out-every", "1"), "leaves nothing to train on"),
        (("--plan", "p.json", *DATA), "--tomogram cannot be combined with --plan p.json, which holds it"),
        (("--plan", "missing.json"), "no plan can be read"),
        (("--structure", "golgi", "--resume"), "no run to resume there"),
        (("--structure", "my organelle/x", *DATA), "letters, digits"),
        (("--structure", "all", "--tomogram", "T.mrc", "--mask", "a/b=M.mrc"), "letters, digits"),
    ],
)
def test_what_does_not_fit_together_is_said_in_one_line(argv, message, files):
    with pytest.raises(InputError, match=message) as caught:
        resolve(*argv)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in pathlib.Path().iterdir()) == ["M.mrc", "T.mrc"]


def test_a_run_is_resumed_as_itself_with_more_epochs_at_most(files):
    tomogram, mask = files
    same = ("--structure", "golgi", "--tomogram", tomogram, "--mask", mask, "--out", "run")
    ((plan, folder),) = resolve(*same, "--epochs", 3)
    write_plan(plan, folder / "plan.json")
    ((again, _),) = resolve(*same, "--resume", "--epochs", 5)
    assert again == dataclasses.replace(plan, training=dataclasses.replace(plan.training, epochs=5))
    ((again, _),) = resolve("--out", "run", "--resume")
    assert again == plan
    with pytest.raises(InputError, match="--mask without --structure"):
        resolve("--mask", "other.mrc", "--out", "run", "--resume")
    with pytest.raises(InputError, match="holds a run of golgi, not of synapse"):
        resolve("--structure", "synapse", "--out", "run", "--resume")
    with pytest.raises(InputError, match=r"other\.mrc: not in the run to resume"):
        resolve("--structure", "golgi", "--tomogram", "other.mrc", "--out", "run", "--resume")


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"train": "1,2,3,4,6,7,8"}, "train"),
        ({"validation": "0"}, "validation"),
        ({"mask": "other.mrc"}, "mask"),
        ({"flip_y": True}, "flip_y"),
        ({"tomogram": "elsewhere/T.mrc"}, None),
    ],
)
def test_a_run_is_resumed_on_its_own_data_alone(files, changed, names):
    tomogram, mask = files
    shutil.copy(mask, "other.mrc")
    pathlib.Path("elsewhere").mkdir()
    shutil.copy(tomogram, "elsewhere/T.mrc")
    ((plan, _),) = resolve("--structure", "golgi", "--tomogram", tomogram, "--mask", mask, "--out", "run")
    source = plan.data[0]
    before, after = (data_identity([open_source(one)]) for one in (source, dataclasses.replace(source, **changed)))
    differ = [name for name in before["data 1"] if before["data 1"][name] != after["data 1"][name]]
    assert differ == ([names] if names else [])


def test_of_several_structures_the_unfinished_are_resumed_by_the_same_command(files):
    tomogram, mask = files
    other = shutil.copy(mask, "other-mask.mrc")
    same = ("--structure", "all", "--tomogram", tomogram, "--mask", f"golgi={mask}", "--mask", f"mine={other}")
    plans = resolve(*same, "--out", "o")
    for plan, folder in plans:
        write_plan(plan, folder / "plan.json")
    (plans[0][1] / "scores.json").write_text("{}")

    def resumed(*words):
        return [plan.structure for plan, _ in resolve(*words, "--out", "o", "--resume")]

    assert resumed() == ["golgi", "mine"], "one was killed before its report was written"
    (plans[0][1] / "report.html").write_text("")
    for words in (same, ()):  # or by their folder alone
        assert resumed(*words) == ["mine"]
    for name in ("scores.json", "report.html"):
        (plans[1][1] / name).write_text("")
    assert resumed() == []
    assert resumed("--epochs", 120) == ["mine"], "it has 100; golgi has 124"


def test_what_another_recipe_has_begun_is_not_resumed(files):
    tomogram, mask = files
    ((plan, _),) = resolve("--structure", "golgi", "--tomogram", tomogram, "--mask", mask, "--out", "run")
    for folder in ("run", "runs/golgi", "of_fre"):
        write_plan(dataclasses.replace(plan, recipe="fre", model={"gain": 2.0}), pathlib.Path(folder, "plan.json"))
    told = "holds a run of the recipe fre, not of segET; resume it with python -m recipes.fre --out"
    for words, folder in (
        (("--out", "run"), "run"),
        (("--structure", "golgi", "--tomogram", "other.mrc"), "runs/golgi"),
        (("--out", "runs"), "runs/golgi"),
        (("--structure", "all", "--out", "runs"), "runs/golgi"),
    ):
        with pytest.raises(InputError, match=f"^{folder}: {told} {folder} --resume"):
            resolve(*words, "--resume")
    with pytest.raises(InputError, match=r"start it with python -m recipes\.fre --plan run/plan\.json"):
        resolve("--plan", "run/plan.json")


def test_nothing_is_made_where_all_structures_have_ended(files, caplog):
    tomogram, mask = files
    same = ("--structure", "all", "--tomogram", tomogram, "--mask", f"golgi={mask}", "--out", "o")
    for plan, folder in resolve(*same):
        write_plan(plan, folder / "plan.json")
        (folder / "scores.json").write_text("{}")
        (folder / "report.html").write_text("of before")
    with caplog.at_level(logging.INFO, logger="segkit.run"):
        segET.main([*map(str, same), "--resume"])
    assert "all runs have ended and stay as they are; give more --epochs to train on" in caplog.messages
    assert pathlib.Path("o/golgi/report.html").read_text() == "of before"


def test_that_patches_shrink_is_told_once_and_not_of_tiny_plans(files, caplog, monkeypatch):
    words = ["--structure", "mine", *DATA, "--preset", "demo", "--plan-only"]
    for is_tiny, patch_px in ((False, 64), (True, 32)):
        monkeypatch.setattr(recipe, "TINY", is_tiny)
        segET.main([*words, "--out", str(patch_px)])
        assert read_plan(pathlib.Path(str(patch_px), "plan.json")).training.patch_px == patch_px
        assert caplog.text.count("patches shrink") == (0 if is_tiny else 1)
        caplog.clear()


def test_a_typo_in_a_name_is_pointed_at(files, caplog):
    tomogram, mask = files
    with caplog.at_level(logging.WARNING):
        resolve("--structure", "all", "--tomogram", tomogram, "--mask", f"goly={mask}", "--out", "o")
    assert caplog.text.count("if you mean 'golgi', give that name") == 1
    caplog.clear()
    resolve("--structure", "goly", "--tomogram", tomogram, "--mask", mask)
    assert caplog.text.count("if you mean 'golgi', give that name") == 1
    caplog.clear()
    with pytest.raises(InputError, match="did you mean golgi"):
        resolve("--structure", "goly")
    assert not caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"structre": 1}, "unknown entry 'structre'"),
        ({"training": {"epoch": 1}}, "unknown setting 'epoch'"),
        ({"data": [{"tomogram": "T.mrc"}]}, "an entry under 'data' is wrong"),
        ({"data": []}, "no entry under 'data'"),
        ({"data": [{"tomogram": "T.mrc", "mask": "M.mrc", "train": [0, 1]}]}, "give text, slices as"),
    ],
)
def test_typos_in_an_edited_plan_are_found(change, message):
    data = [{"tomogram": "T.mrc", "mask": "M.mrc"}]
    plan = {"recipe": "segET", "structure": "a", "preset": "paper", "data": data}
    with pytest.raises(InputError, match=message):
        RunPlan.from_dict({**plan, **change})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"filters": 8}, "filters 8; give a list of entries, each a whole number"),
        ({"filters": [2, "4"]}, r"filters \[2, '4'\]; give a list of entries, each a whole number"),
        ({"filters": [4]}, r"`filters` must be a list of positive whole numbers, at least 2.*\[4\]"),
        ({"dilation_rates": [0]}, r"`dilation_rates` must be a list of positive whole numbers, at least 1.*\[0\]"),
        ({"dilation_rates": []}, "`dilation_rates` must be"),
        ({"dilation_rates": [10**30]}, "`dilation_rates` must be at most 1024"),
        ({"filtres": [2, 4]}, "unknown setting 'filtres'; correct or remove it"),
    ],
)
def test_a_wrong_setting_of_the_network_is_told_with_its_plan(model, message, files):
    tomogram, mask = files
    segET.main(["--structure", "a", "--tomogram", tomogram, "--mask", mask, "--out", "run", "--plan-only"])
    path = pathlib.Path("run/plan.json")
    text = json.dumps({**json.loads(path.read_text()), "model": model})
    path.write_text(text)
    with pytest.raises(InputError, match=f"^run/plan.json: plan: under 'model': {message}"):
        segET.main(["--out", "run", "--resume"])
    pathlib.Path("other.json").write_text(text)
    with pytest.raises(InputError, match=f"^other.json: plan: under 'model': {message}"):
        segET.main(["--plan", "other.json", "--out", "other"])
    assert {one.name for one in pathlib.Path("run").glob("[!.]*")} == {"plan.json", "commands.txt"}
