import csv
import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tifffile

from recipes import fre
from recipes.enhancement.network import network
from recipes.enhancement.protocols import PROTOCOLS
from segkit.data.splits import parse_slices
from segkit.errors import InputError
from segkit.experiments import compare, settings_search, training_run
from segkit.experiments.job import set_up
from segkit.experiments.modes import resolve_mode
from segkit.experiments.plan import read_plan, write_plan
from segkit.experiments.recipe import drafts_of, parse_args
from segkit.experiments.settings_search import best_trial, keep_best_state
from segkit.experiments.trials import TRIAL_NAME
from segkit.monitor import MEAN_IOU
from segkit.preprocessing.standardize import Standardize
from segkit.preprocessing.standardize_each import StandardizeEach
from segkit.search.trials_table import SearchTrial


def write_data(count=8, side=64, folder="."):
    """Discs (1) and rings (2) on noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((count, side, side), np.uint8)
    for image in labels:
        for label in (1, 2, 1, 2):
            radius = np.hypot(y - rng.integers(8, side - 8), x - rng.integers(8, side - 8))
            image[(radius < 7) if label == 1 else (abs(radius - 6) < 2)] = label
    images = np.clip(60 * labels + rng.normal(60, 15, labels.shape), 0, 255).astype(np.uint8)
    tifffile.imwrite(pathlib.Path(folder, "images.tif"), images, photometric="minisblack")
    tifffile.imwrite(pathlib.Path(folder, "labels.tif"), labels, photometric="minisblack")


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data()


DATA = ("--images", "images.tif", "--labels", "labels.tif")


def resolve(*argv):
    """Return the plan that a command line means, with its folder."""
    (draft,) = drafts_of(fre.RECIPE, parse_args(fre.RECIPE, [str(word) for word in argv]))
    return draft.plan, draft.folder


def test_a_channel_of_the_images_is_chosen(data):
    images = tifffile.imread("images.tif")
    tifffile.imwrite("images.tif", np.stack([images, 255 - images], axis=1), imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(InputError, match="found 2 channels and none was chosen"):
        resolve(*DATA)
    plan, _ = resolve(*DATA, "--channel", 1)
    (source,) = plan.data
    assert (source.channel, source.train, source.test) == (1, "0-5", "7")
    with pytest.raises(InputError, match="argument --channel: '-1'; give a whole number from 0 on"):
        resolve(*DATA, "--channel=-1")


def test_bytes_of_the_images_are_read_as_unsigned(data, tmp_path):
    plan, folder = resolve(*DATA, "--unsigned", "--out", tmp_path / "run")
    assert [source.unsigned for source in plan.data] == [True]
    write_plan(plan, folder / "plan.json")
    resumed, _ = resolve("--resume", "--out", folder)
    again, _ = resolve("--plan", folder / "plan.json", "--out", tmp_path / "other")
    assert resumed.data == again.data == plan.data
    with pytest.raises(InputError, match="--unsigned without --images; leave it out"):
        resolve("--resume", "--out", folder, "--unsigned")


def test_the_card_of_a_run_holds_the_grey_values_of_its_training_images(data):
    plan, folder = resolve(*DATA)
    job = set_up(plan, folder, network(plan))
    card = training_run.card_of(job)
    trained = tifffile.imread("images.tif")[:6].astype(float)
    assert (card.preprocessing.mean, card.preprocessing.std) == pytest.approx((trained.mean(), trained.std()), rel=1e-4)
    assert card.grey_values.mean == pytest.approx(trained.mean(), rel=1e-2)  # of a sample
    assert (card.task, card.dtype) == (plan.task, "uint8")


def strokes_of(labels, side=2):
    """Paint some of the pixels of every other image: each label one higher, 0 elsewhere."""
    painted = np.zeros_like(labels)
    painted[::2, ::side, ::side] = labels[::2, ::side, ::side] + 1
    return painted


def test_strokes_leave_all_else_unknown(data):
    labels = tifffile.imread("labels.tif")
    tifffile.imwrite("strokes.tif", strokes_of(labels), photometric="minisblack")
    words = ("--images", "images.tif", "--labels", "strokes.tif", "--annotation", "strokes")
    plan, folder = resolve(*words)
    (source,) = plan.data
    assert (source.strokes, source.train, source.validation, source.test) == (True, "0,2", "4", "6")
    assert plan.task.class_names == ("background", "class-1", "class-2")
    assert plan.training.ignore_value == 255
    job = set_up(plan, folder, network(plan))
    known = np.asarray(job.volumes[0].mask.array[0])
    np.testing.assert_array_equal(known[::2, ::2], labels[0, ::2, ::2])
    assert (known[1::2] == 255).all()
    _, targets = job.prepared.validation.batch(0)
    weights = targets[..., -1]
    assert np.isclose((weights > 0).mean(), 0.25), "pixels without a stroke weigh nothing"
    with pytest.raises(InputError, match="--ignore-value cannot be combined with --annotation strokes"):
        resolve(*words, "--ignore-value", "9")
    with pytest.raises(InputError, match=r"slice 1 was chosen, but nothing is painted on it; .* --annotation strokes"):
        resolve(*words, "--train-z", "0-2", "--validation-z", "4")


def test_images_without_paint_have_no_use_where_slices_are_annotated(data):
    labels = tifffile.imread("labels.tif")
    labels[1::2] = 0
    tifffile.imwrite("painted.tif", labels, photometric="minisblack")
    words = ("--images", "images.tif", "--labels", "painted.tif", "--annotation", "slices")
    (source,) = resolve(*words)[0].data
    assert (source.annotated_in_part, source.strokes) == (True, False)
    assert (source.train, source.validation, source.test) == ("0,2", "4", "6")
    with pytest.raises(InputError, match=r"slice 1 was chosen, but nothing is painted on it; .* --annotation slices"):
        resolve(*words, "--train-z", "0-2", "--validation-z", "4")


def test_grey_values_may_be_normalised_volume_by_volume(data):
    assert resolve(*DATA, "--normalize", "volume")[0].preprocessing == StandardizeEach(per="volume")
    assert resolve(*DATA)[0].preprocessing == Standardize()


def test_labels_may_be_upside_down(data):
    labels = tifffile.imread("labels.tif")
    (as_is,), (flipped,) = (resolve(*DATA, *words)[0].data for words in ((), ("--flip-y",)))
    assert (as_is.flip_y, flipped.flip_y) == (False, True)
    np.testing.assert_array_equal(flipped.open_mask().array[:], labels[:, ::-1])
    np.testing.assert_array_equal(as_is.open_mask().array[:], labels)


def test_the_default_is_the_method_with_the_papers_settings_for_ones_own_data(data):
    plan, folder = resolve(*DATA)
    assert folder == pathlib.Path("runs/images")
    assert plan.task.class_names == ("background", "class-1", "class-2")
    assert plan.model == {
        "method": "fre",
        "filters": [16, 32, 64, 128, 512],
        "num_enhanced": 8,
        "gain": 250.0,
        "supervision": 0.2781,
        "normalization": "batch",
    }
    (source,) = plan.data
    assert (source.train, source.validation, source.test) == ("0-5", "6", "7")
    assert plan.training.epochs == 1000  # 6 tiles are 2 batches: 2000 steps


@pytest.mark.parametrize(("count", "split"), [(50, ("0-34", "35-39", "40-49")), (3, ("0", "1", "2"))])
def test_fifty_images_are_split_as_the_papers_and_three_are_enough(count, split, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(count, 32)
    (source,) = resolve(*DATA)[0].data
    assert (source.train, source.validation, source.test) == split


def test_the_two_protocols_are_the_papers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(50, 256)
    plan, _ = resolve(*DATA, "--protocol", "mouse", "--preset", "paper")
    assert plan.task.class_names == ("background", "membrane", "nucleus")
    assert (plan.model["num_enhanced"], plan.model["gain"], plan.model["supervision"]) == (162, 632.0, 0.3257)
    assert plan.model["filters"] == [64, 128, 256, 512, 512]
    assert (plan.training.epochs, plan.training.patch_px, plan.training.stride_px) == (2000, 256, 256)
    with pytest.raises(InputError, match=r"50 x 256 x 256 .* drosophila is for 20 x 1024 x 1024"):
        resolve(*DATA, "--protocol", "drosophila")
    drosophila = PROTOCOLS["drosophila"]
    assert (drosophila.num_enhanced, drosophila.gain, drosophila.supervision) == (8, 250.0, 0.2781)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "give both --images FILE and --labels FILE"),
        ((*DATA, "--compare", "--method", "fre"), "--method cannot be combined with --compare"),
        ((*DATA, "--seeds", "3"), "without --compare"),
        ((*DATA, "--compare", "--methods", "plain,fre,plain"), "named twice"),
        ((*DATA, "--search", "3", "--gain", "5"), "cannot be combined with a search for it"),
        (("--resume", "--out", "run", "--gain", "5"), "the plan of the resumed run holds them"),
        ((*DATA, "--compare", "--seeds", "0"), "give at least 1"),
        ((*DATA, "--compare", "--seed", "1"), "--seed cannot be combined with --compare"),
        ((*DATA, "--compare", "--methods", "plain,best"), "unknown 'best'; choose one of plain"),
        ((*DATA, "--compare", "--search", "3"), "search first"),
        ((*DATA, "--search", "3", "--halving"), "give one of them"),
        ((*DATA, "--search", "0"), "at least 1 trial"),
        ((*DATA, "--gain", "0"), "positive, finite"),
        ((*DATA, "--gain", "inf"), "positive, finite"),
        ((*DATA, "--gain", "nan"), "positive, finite"),
        ((*DATA, "--num-enhanced", "0"), "give at least 1"),
        ((*DATA, "--supervision", "1"), "between 0 and 1"),
        ((*DATA, "--class-names", "a,a,b"), "two or more different names"),
        ((*DATA, "--train-z", "0-3"), "together"),
        ((*DATA, "--name", "a/b"), "letters, digits"),
        (("--images", "none.tif", "--labels", "labels.tif"), "none.tif"),
        (
            ("--images", "labels.tif", "--labels", "images.tif"),
            "images.tif: .*; are these grey values, or were images and",
        ),
        (
            ("--images", "labels.tif", "--labels", "images.tif", "--class-names", "a,b,c"),
            "images.tif: .* were images and labels swapped",
        ),
        (("--images", "labels.tif", "--labels", "./labels.tif"), "given as image and as its annotation too"),
    ],
)
def test_what_does_not_fit_together_is_said_in_one_line(argv, message, data):
    with pytest.raises(InputError, match=message) as caught:
        resolve(*argv)
    assert "\n" not in str(caught.value)


@pytest.fixture
def small_plans(monkeypatch):
    """Make every plan small."""
    whole = fre.training_plan
    size = {"patch_px": 32, "stride_px": 32, "validation_stride_px": 32, "precision": "float32", "epochs": 2}
    monkeypatch.setattr(fre, "training_plan", lambda *args: dataclasses.replace(whole(*args), **size))
    monkeypatch.setattr(fre, "SMALL_FILTERS", (2, 8))


SPLIT = ("--train-z", "0-4", "--validation-z", "5", "--test-z", "6-7")


@pytest.mark.parametrize("tied", [True, False])
def test_the_state_that_is_kept_is_that_of_the_best_trial(tied, tmp_path):
    scores = {"c": 0.5, "a": 0.5 if tied else 0.4, "b": 0.1}
    trials = []
    for number, (name, score) in enumerate(scores.items()):
        (tmp_path / name / "state").mkdir(parents=True)
        (tmp_path / name / "cell.json").write_text(json.dumps({"val_mean_iou": score}))
        trials.append(SearchTrial(number, {}, None, score, "COMPLETED", tmp_path / name))
        keep_best_state(tmp_path, MEAN_IOU)
    assert [path.parent.name for path in tmp_path.glob("*/state")] == [best_trial(trials, 5, MEAN_IOU).folder.name]


class AsIfTrained:
    """Trials that are written without a training, and the plans of the runs that follow them."""

    def __init__(self, monkeypatch):
        self.trials, self.runs = [], []
        monkeypatch.setattr(settings_search, "run_trial", self.run_trial)
        monkeypatch.setattr(training_run, "run", lambda job, **_: self.runs.append(job.plan))

    def run_trial(self, job, measure, *, keep_state):
        share, epochs = job.plan.model["supervision"], job.plan.training.epochs
        assert job.plan.task.supervision == share
        self.trials.append((job.folder, share, epochs))
        trial = {"val_mean_iou": 1 - abs(share - 0.4), "epochs": epochs}
        (job.folder / "state").mkdir(parents=True, exist_ok=True)
        (job.folder / "state" / f"after-{epochs}").touch()
        (job.folder / TRIAL_NAME).write_text(json.dumps(trial))
        return trial


@pytest.fixture
def as_if_trained(monkeypatch):
    return AsIfTrained(monkeypatch)


def test_halving_ends_with_a_point_that_was_trained_to_the_end(data, small_plans, as_if_trained):
    fre.main([*DATA, *SPLIT, "--method", "supervision", "--halving", "--epochs", "3", "--out", "h"])
    plan = read_plan(pathlib.Path("h/plan.json"))
    assert as_if_trained.runs == [plan]
    with open("h/search/trials.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["epochs"]) for row in rows] == [epochs for *_, epochs in as_if_trained.trials]
    assert {row["epochs"] for row in rows} == {"1", "3"}
    whole = [row for row in rows if row["epochs"] == "3"]
    best = max(whole, key=lambda row: float(row["score"]))
    assert plan.model["supervision"] == plan.task.supervision == float(best["supervision"])
    assert plan.training.epochs == 3
    # A point that goes on does so in its folder, from the state of its shorter trial; the best one's is the run's.
    shorter = {folder: share for folder, share, epochs in as_if_trained.trials if epochs == 1}
    promoted = [(folder, share) for folder, share, epochs in as_if_trained.trials if epochs == 3 and folder in shorter]
    assert promoted
    assert all(shorter[folder] == share for folder, share in promoted)
    assert pathlib.Path("h/state/after-3").exists()
    fre.main(["--out", "h", "--resume"])  # what was found stands in the task too, and is not what the search is about
    assert len(as_if_trained.trials) == len(rows)
    assert as_if_trained.runs == [plan, plan]
    assert read_plan(pathlib.Path("h/plan.json")) == plan


def test_settings_of_a_search_are_plain_numbers_after_the_gaussian_process_too(data, small_plans, as_if_trained):
    command = [*DATA, *SPLIT, "--method", "supervision", "--out", "l"]
    fre.main([*command, "--search", "4"])
    fre.main([*command, "--search", "5", "--resume"])
    tried = [share for _, share, _ in as_if_trained.trials]
    with open("l/search/trials.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["trial"] for row in rows] == list("01234")
    # Snapshots and plans of a number that JSON does not keep would be refused when they are resumed.
    assert {type(share) for share in tried} == {float}
    assert tried == [float(row["supervision"]) for row in rows]
    assert json.loads(json.dumps(tried)) == tried
    found = as_if_trained.runs[-1]
    assert read_plan(pathlib.Path("l/plan.json")) == found
    assert found.model["supervision"] == min(tried, key=lambda share: abs(share - 0.4))


def test_small_images_are_counted_in_the_patches_they_will_be_cut_into(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(10, 250)
    training = resolve(*DATA)[0].training
    assert training.epochs == 286  # 7 images of 4 tiles of 240 px are 7 steps


def test_a_class_that_the_training_images_lack_is_named(data, small_plans, monkeypatch):
    labels = tifffile.imread("labels.tif")
    labels[:5][labels[:5] == 2] = 1
    tifffile.imwrite("labels.tif", labels, photometric="minisblack")
    found = []
    monkeypatch.setattr(training_run, "run", lambda job, **_: found.append(job.plan))
    fre.main([*DATA, *SPLIT, "--class-names", "background,disc,ring", "--out", "run"])
    for plan in (*found, read_plan(pathlib.Path("run/plan.json"))):
        assert any("no ring on the slices for training: it cannot be learnt" in line for line in plan.warnings)


@pytest.mark.parametrize(("method", "trials"), [("fre", 50), ("supervision", 15)])
def test_a_search_has_as_many_trials_as_the_papers_unless_told(method, trials, data, small_plans):
    def asked(*words):
        args = parse_args(fre.RECIPE, [*words, "--out", "x"])
        return resolve_mode(args, drafts_of(fre.RECIPE, args)[0], fre.COMPARISON, fre.SEARCH, {})

    command = [*DATA, *SPLIT, "--method", method]
    assert asked(*command, "--search") == {"kind": "search", "trials": trials}
    assert asked(*command, "--search", "7") == {"kind": "search", "trials": 7}
    fre.main([*command, "--search", "7", "--out", "x", "--plan-only"])
    assert asked("--search", "--resume")["trials"] == asked("--resume")["trials"] == 7  # as many as it began with
    assert asked("--search", "8", "--resume")["trials"] == 8
    assert asked("--plan", "x/plan.json", "--search")["trials"] == trials


def test_a_plan_without_settings_is_not_searched(data, small_plans):
    fre.main([*DATA, *SPLIT, "--method", "plain", "--out", "p", "--plan-only"])
    for words in (["--plan", "p/plan.json", "--out", "q"], ["--resume", "--out", "p"]):
        with pytest.raises(InputError, match="nothing in the plan can be searched for; leave out --search"):
            fre.main([*words, "--search", "2"])
    plan = json.loads(pathlib.Path("p/plan.json").read_text())
    for model in ({**plan["model"], "method": "fres"}, {"filters": [2, 8]}):
        pathlib.Path("bad.json").write_text(json.dumps({**plan, "model": model}))
        with pytest.raises(InputError, match="plan: "):
            fre.main(["--plan", "bad.json", "--out", "q", "--search"])
    assert not pathlib.Path("q").exists()


def test_a_fold_trains_as_many_steps_as_its_images_need(data):
    assert resolve(*DATA)[0].training.epochs == 1000  # of two steps: six images, four at a time
    fre.main([*DATA, "--folds", "4", "--out", "f", "--plan-only"])
    plans = [read_plan(pathlib.Path(f"f/fold-{number}/plan.json")) for number in range(1, 5)]
    assert [len(parse_slices(plan.data[0].train, 8)) for plan in plans] == [4] * 4
    assert [plan.training.epochs for plan in plans] == [2000] * 4
    fre.main(["--plan", "f/fold-1/plan.json", "--folds", "4", "--out", "g", "--plan-only"])
    assert any("settings of one plan" in notice for notice in read_plan(pathlib.Path("g/fold-2/plan.json")).notices)


def test_a_method_without_settings_is_not_searched(data, small_plans):
    with pytest.raises(InputError, match="nothing to search for"):
        fre.main([*DATA, *SPLIT, "--method", "plain", "--search", "2", "--out", "s"])


def test_a_comparison_that_is_replaced_leaves_nothing_of_its_trials(data, monkeypatch):
    def stop(job, _measure):
        assert not list(job.folder.parent.glob("*/cell.json"))
        raise InputError("trained from the start")

    pathlib.Path("c/cells/fre-0").mkdir(parents=True)
    pathlib.Path("c/cells/fre-0/cell.json").write_text("{}")
    pathlib.Path("c/mode.json").write_text('{"kind": "compare"}')
    monkeypatch.setattr(compare, "run_trial", stop)
    with pytest.raises(InputError, match="trained from the start"):
        fre.main([*DATA, *SPLIT, "--compare", "--methods", "fre", "--out", "c", "--overwrite"])


def test_slips_in_an_edited_plan_are_found(data):
    plan, _ = resolve(*DATA)
    for change, message in (
        ({"gian": 2}, "plan: under 'model': unknown setting 'gian'"),
        ({"method": "best"}, "`method` must be one of plain, .*'best'"),
        ({"filters": 8}, r"under 'model': filters 8; give a list of entries, each a whole number"),
        ({"filters": [8]}, "`filters` must be a list of positive whole numbers, at least 2"),
        ({"num_enhanced": "3"}, "num_enhanced '3'; give a whole number"),
        ({"gain": None}, "gain None; give a number"),
        ({"gain": 10**39}, "`gain` must be a finite number"),
        (
            {"method": "supervision"},
            "method 'supervision' under 'model' and supervision 0 under 'task' exclude each other",
        ),
        ({"normalization": "layer"}, "normalization 'layer'; give one of batch, renorm"),
    ):
        with pytest.raises(InputError, match=message):
            network(dataclasses.replace(plan, model={**plan.model, **change}))
