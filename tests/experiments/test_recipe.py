"""The life of a run, shown with a recipe of a few lines that stands outside ``recipes``."""

import dataclasses
import json
import logging
import pathlib
import re
import shutil
import sys
import types

import keras
import numpy as np
import pytest
import tifffile
from readme_commands import ROOT
from toy_recipe import TOY, happened, toy_draft, toy_network, write_stack

from segkit import cli
from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments import compare, job, modes, recipe, settings_search, tiny, training_run
from segkit.experiments.draft import Draft
from segkit.experiments.lock import only_process_in
from segkit.experiments.plan import read_plan
from segkit.experiments.recipe import drafts_of, made, parse_args, recipe_command, run_recipe
from segkit.experiments.resume import run_to_resume
from segkit.models.card import ModelCard
from segkit.models.files import load_model, read_card, save_model
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.foreground import ForegroundTask
from segkit.volumes.volume import Volume


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipe, "TINY", False)
    happened.clear()


@pytest.fixture
def no_training(monkeypatch):
    """Runs that are only noted down."""

    def set_up(plan, folder, network):
        happened.append("set up")
        return types.SimpleNamespace(plan=plan, folder=folder, network=network)

    monkeypatch.setattr(job, "set_up", set_up)
    monkeypatch.setattr(training_run, "run", lambda job, **how: happened.append(("run", how["resume"])))


def test_everything_is_checked_before_data_are_made_and_the_plan_is_written_before_the_run(no_training):
    run_recipe(TOY, ["--out", "run", "--max-ram", "1G"])
    assert happened == ["draft", "network", "make data", "network", "set up", ("run", False), ("finish", 2, 2**30)]
    assert read_plan(pathlib.Path("run/plan.json")).notices == ("measured",)
    assert json.loads(pathlib.Path("run/mode.json").read_text()) == {"kind": "run", "width": 2}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--max-ram", "much"], "size 'much'"),
        (["--saved-models", "file"], "file: can"),
        (["--width", "0"], "--width 0; give at least 1"),
        (["--start", "none.keras"], "none.keras"),
        (["--out", "full"], "full: already holds a run"),
        (["--out", "file/run"], "file/run: can"),
        (["--out", "docs"], "docs: holds other files and no run; choose another --out"),
        (["--out", "docs", "--folds", "3"], "docs: holds other files and no run; choose another --out"),
        (["--compare", "--widths", "1,9"], "unknown '9'; choose one of 1, 2, 3"),
        (["--compare", "--widths", "1,1"], "one is named twice"),
        (["--compare", "--seeds", "0"], "--seeds 0; give at least 1"),
        (["--compare", "--seed", "3"], "--seed cannot be combined with --compare"),
        (["--widths", "1"], "--widths or --seeds without --compare"),
        (["--search", "0"], "--search 0; give at least 1 trial"),
        (["--search", "1", "--halving"], "--search cannot be combined with --halving"),
        (["--search", "1", "--compare"], "search first, then compare"),
        (["--resume"], "no run to resume"),
    ],
)
def test_what_is_refused_is_refused_before_data_are_made(argv, message, no_training):
    pathlib.Path("file").write_text("a user's")
    pathlib.Path("full/state").mkdir(parents=True)
    pathlib.Path("docs").mkdir()
    pathlib.Path("docs/notes.md").write_text("a user's")
    with pytest.raises(InputError, match=message):
        run_recipe(TOY, ["--out", "run", *argv])
    assert "make data" not in happened
    assert not pathlib.Path("run").exists()


def test_a_plan_alone_is_written_and_waits(no_training, capsys):
    run_recipe(TOY, ["--out", "run", "--plan-only"])
    assert happened == ["draft", "network", "make data", "network", "set up"]
    assert capsys.readouterr().err == "plan: run/plan.json; start it with --out run --resume\n"
    assert len(pathlib.Path("run/commands.txt").read_text().splitlines()) == 1  # the page tells what the data were
    assert read_plan(pathlib.Path("run/plan.json")).notices == ("measured",)
    with pytest.raises(InputError, match="run: holds a plan; start it with --resume"):
        run_recipe(TOY, ["--out", "run"])
    happened.clear()
    run_recipe(TOY, ["--out", "run", "--resume", "--width", "7", "--epochs", "5"])
    assert happened[-2:] == [("run", True), ("finish", 2, None)]  # what was remembered counts
    plan = read_plan(pathlib.Path("run/plan.json"))
    assert (plan.model["width"], plan.training.epochs) == (2, 5)


def test_a_plan_alone_is_refused_where_its_run_would_be(monkeypatch):
    def write_too_few():
        write_stack()
        tifffile.imwrite("l.tif", np.ones((5, 32, 32), np.uint8))

    one = dataclasses.replace(toy_draft(parse_args(TOY, ["--out", "run"]))[0], make_data=write_too_few)
    other = dataclasses.replace(TOY, draft=lambda args: [dataclasses.replace(one, folder=args.out)])
    with pytest.raises(InputError, match="found 5 x 32 x 32 voxels"):
        run_recipe(other, ["--out", "run", "--plan-only"])
    assert not pathlib.Path("run").exists()


def test_a_plan_alone_leaves_to_its_run_what_depends_on_the_machine(no_training):
    def settle(plan, is_resumed, kind):
        return dataclasses.replace(plan, model={"width": 9}, notices=(*plan.notices, "no weights here"))

    run_recipe(dataclasses.replace(TOY, settle=settle), ["--out", "run", "--plan-only"])
    plan = read_plan(pathlib.Path("run/plan.json"))
    assert (plan.model, plan.notices) == ({"width": 2}, ("measured",))


def test_a_plan_is_started_elsewhere_with_its_own_settings(no_training):
    run_recipe(TOY, ["--out", "run", "--plan-only", "--width", "3"])
    happened.clear()
    run_recipe(TOY, ["--plan", "run/plan.json", "--out", "other", "--epochs", "4"])
    assert happened == ["network", "network", "set up", ("run", False), ("finish", 2, None)]
    plan = read_plan(pathlib.Path("other/plan.json"))
    assert (plan.model["width"], plan.training.epochs, plan.notices) == (3, 4, ("measured",))
    assert drafts_of(TOY, parse_args(TOY, ["--plan", "run/plan.json"]))[0].folder == pathlib.Path("runs/disc")


def test_a_plan_that_waits_elsewhere_tells_how_it_is_started_in_its_place(no_training, caplog):
    caplog.set_level("INFO", logger="segkit.run")
    run_recipe(TOY, ["--out", "waiting", "--plan-only"])

    def told(*words):
        caplog.clear()
        run_recipe(TOY, ["--plan", *words])
        return [line for line in caplog.messages if "--resume" in line]

    hint = "to run it where it lies, leave out --plan and give --out waiting --resume"
    assert told("waiting/plan.json", "--plan-only") == [f"waiting/plan.json is run in runs/disc; {hint}"]
    assert told("waiting/plan.json", "--out", "other") == [f"waiting/plan.json is run in other; {hint}"]
    assert told("waiting/plan.json", "--out", "waiting", "--overwrite") == []
    pathlib.Path("waiting/state").mkdir()  # a run has begun there
    assert told("waiting/plan.json", "--out", "third") == []
    pathlib.Path("mine.json").write_bytes(pathlib.Path("waiting/plan.json").read_bytes())
    assert told("mine.json", "--out", "fourth") == []  # it could not be resumed under this name


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--width", "3"], "--width cannot be combined with --plan run/plan.json, which holds it"),
        (["--resume"], "--plan cannot be combined with --resume"),
        (["--out", "run"], "run: holds a plan; start it with --resume"),
    ],
)
def test_a_plan_and_what_it_holds_are_not_given_together(argv, message, no_training):
    run_recipe(TOY, ["--out", "run", "--plan-only"])
    with pytest.raises(InputError, match=message):
        run_recipe(TOY, ["--plan", "run/plan.json", *argv])
    other = dataclasses.replace(TOY, name="fre")
    with pytest.raises(InputError, match=r"run/plan\.json: a plan of the recipe toy, not of fre"):
        run_recipe(other, ["--plan", "run/plan.json", "--out", "other"])


def test_an_earlier_run_is_removed_only_when_the_new_one_fits(no_training, monkeypatch):
    pathlib.Path("run/state").mkdir(parents=True)

    def refuse(plan, folder, network):
        raise InputError("does not fit")

    with monkeypatch.context() as broken:
        broken.setattr(job, "set_up", refuse)
        with pytest.raises(InputError, match="does not fit"):
            run_recipe(TOY, ["--out", "run", "--overwrite"])
        with pytest.raises(InputError, match="does not fit"):
            run_recipe(TOY, ["--out", "other"])
    assert pathlib.Path("run/state").exists()
    assert not pathlib.Path("other").exists()
    run_recipe(TOY, ["--out", "run", "--overwrite"])
    assert not pathlib.Path("run/state").exists()


@pytest.mark.parametrize("words", [[], ["--overwrite"], ["--compare"]])
def test_a_run_holds_its_folder_from_the_moment_it_replaces_what_is_there(words, no_training, monkeypatch):
    held = []

    def remember(*args, **_):
        with pytest.raises(InputError, match="another process is training"), only_process_in(pathlib.Path("run")):
            pass
        held.append(True)

    for owner, name in ((recipe, "write_plan"), (training_run, "run"), (compare, "compare")):
        monkeypatch.setattr(owner, name, remember)
    run_recipe(TOY, ["--out", "run", *words])
    assert len(held) >= 2
    with only_process_in(pathlib.Path("run")):
        pass


def test_a_run_that_begins_while_data_are_read_is_not_replaced(no_training, monkeypatch):
    measure = job.set_up

    def meanwhile(plan, folder, network):
        (folder / "state").mkdir(parents=True)
        return measure(plan, folder, network)

    monkeypatch.setattr(job, "set_up", meanwhile)
    with pytest.raises(InputError, match="run: already holds a run"):
        run_recipe(TOY, ["--out", "run"])


def test_a_worker_of_a_search_shares_the_folder_that_its_chief_holds(no_training, monkeypatch):
    found = []
    monkeypatch.setattr(settings_search, "search_settings", lambda *args: found.append(args[-1]))
    words = ["--out", "run", "--search", "3"]
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    with only_process_in(pathlib.Path("run")):
        monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
        with pytest.raises(InputError, match="another process is training"):
            run_recipe(TOY, words)
        monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker")
        run_recipe(TOY, words)
        pathlib.Path("run/search").mkdir()
        run_recipe(TOY, words)
        run_recipe(TOY, [*words, "--overwrite"])
    assert found == [3, 3, 3]
    assert pathlib.Path("run/search").exists()


def test_a_folder_stays_what_was_begun_in_it(no_training):
    run_recipe(TOY, ["--out", "run", "--plan-only"])
    mode = pathlib.Path("run/mode.json")
    run_recipe(TOY, ["--out", "run", "--resume", "--plan-only", "--compare", "--seeds", "2"])  # nothing has begun
    assert json.loads(mode.read_text()) == {"kind": "compare", "widths": ["1", "2"], "seeds": 2, "width": 2}
    pathlib.Path("run/cells").mkdir()
    run_recipe(TOY, ["--out", "run", "--resume", "--plan-only", "--widths", "3"])
    assert json.loads(mode.read_text()) == {"kind": "compare", "widths": ["3"], "seeds": 2, "width": 2}
    with pytest.raises(InputError, match="run: holds a compare, not a search"):
        run_recipe(TOY, ["--out", "run", "--resume", "--search", "3"])


@pytest.mark.parametrize(
    ("written", "kind"),
    [({"ablation": None, "sequences": ["01"]}, "run"), ({"ablation": ["1", "2"], "sequences": []}, "ablation")],
)
def test_modes_of_cells_before_kinds_are_read(written, kind):
    from segkit.experiments.modes import read_mode

    pathlib.Path("mode.json").write_text(json.dumps(written))
    found = read_mode(pathlib.Path())
    assert (found["kind"], found["sequences"]) == (kind, written["sequences"])
    assert found.get("models") == written["ablation"]


def test_a_run_of_another_recipe_is_not_resumed(no_training):
    run_recipe(TOY, ["--out", "run", "--plan-only"])
    other = dataclasses.replace(TOY, resumed=lambda args: [Draft(plan=run_to_resume("x", args.out, args), folder=None)])
    with pytest.raises(InputError, match="holds a run of the recipe toy, not of x"):
        run_recipe(other, ["--out", "run", "--resume"])


def test_tiny_plans_are_tiny_after_they_were_measured(monkeypatch):
    monkeypatch.setattr(recipe, "TINY", True)
    drafts = drafts_of(TOY, parse_args(TOY, ["--out", str(pathlib.Path("run"))]))
    (plan,) = made([dataclasses.replace(draft, folder=pathlib.Path("run")) for draft in drafts])
    assert (plan.model["width"], plan.training.epochs, plan.training.patch_px) == (1, 2, 32)
    assert set(plan.notices) == {"measured", tiny.NOTICE}


def test_what_tiny_plans_leave_out_is_told(monkeypatch):
    monkeypatch.setattr(modes, "TINY", True)
    args = parse_args(TOY, ["--out", "run", "--compare", "--seeds", "3"])
    assert (args.seeds, parse_args(TOY, ["--out", "run", "--search", "3"]).search) == (1, 2)
    for told in (tiny.NOTICE, (ROOT / "docs" / "training.md").read_text()):
        told = " ".join(told.split()).replace("`", "")
        assert "one seed in a comparison and at most two trials in a search, whatever --epochs, --seeds and" in told


def test_a_plan_alone_has_the_patches_that_its_data_let_it_have(monkeypatch, caplog):
    def large(args):
        (one,) = toy_draft(args)
        training = dataclasses.replace(one.plan.training, patch_px=64, stride_px=32, precision="auto")
        return [dataclasses.replace(one, plan=dataclasses.replace(one.plan, training=training))]

    run_recipe(dataclasses.replace(TOY, draft=large), ["--out", "run", "--plan-only"])
    training = read_plan(pathlib.Path("run/plan.json")).training
    assert (training.patch_px, training.stride_px, training.precision) == (32, 16, "auto")
    assert caplog.text.count("patches shrink") == 1
    caplog.clear()
    monkeypatch.setattr(training_run, "run", lambda job, **_: None)
    run_recipe(TOY, ["--out", "run", "--resume"])
    assert "patches shrink" not in caplog.text


def test_a_users_mistake_is_a_line_and_status_2(capsys, monkeypatch):
    log = logging.getLogger("segkit")  # which the command sets up for the console
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", log.propagate)
    assert recipe_command(TOY, ["--out", "run", "--max-ram", "much"]) == 2
    assert capsys.readouterr().err.startswith("error: size 'much'")


def test_variants_are_compared_over_seeds_and_finished_trials_stay(caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "recipes.toy", "--compare", "--widths", "1"])
    run_recipe(TOY, ["--out", "c", "--compare", "--widths", "1"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "recipes.toy", "--resume", "--seeds", "2"])
    first = {path.parent.name: path.read_bytes() for path in pathlib.Path("c").glob("cells/*/cell.json")}
    assert set(first) == {"1-0"}
    run_recipe(TOY, ["--out", "c", "--resume", "--seeds", "2"])
    after = {path.parent.name: path.read_bytes() for path in pathlib.Path("c").glob("cells/*/cell.json")}
    assert set(after) == {"1-0", "1-1"}
    assert {name: after[name] for name in first} == first
    found = json.loads(pathlib.Path("c/comparison.json").read_text())
    assert found["known"] is True
    assert [(row["variant"], row["seed"]) for row in found["rows"]] == [("1", 0), ("1", 1)]
    table = pathlib.Path("c/comparison.md").read_text().splitlines()
    assert table[0] == "| width | seeds | parameters |"
    assert table[2].startswith("| 1 | 2 | ")
    page = pathlib.Path("c/report.html").read_text()
    assert "A toy." in page
    commands = pathlib.Path("c/commands.txt").read_text()
    assert re.findall("recipes.toy (.*)", commands) == ["--compare --widths 1", "--resume --seeds 2"]
    assert commands.strip() in page
    assert "<h2>Widths</h2>" in page
    with pytest.raises(InputError, match=r"c/cells/1-0: holds a training with learning_rate .*; choose another --out"):
        run_recipe(TOY, ["--out", "c", "--resume", "--learning-rate", "0.5"])


def test_an_interrupted_run_tells_how_to_resume(monkeypatch, caplog):
    def interrupted(job, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training_run, "run", interrupted)
    for words, root in ((["--out", "run"], "run"), (["--out", "folds", "--folds", "3"], "folds")):
        with caplog.at_level(logging.INFO), pytest.raises(KeyboardInterrupt):
            run_recipe(TOY, words)
        assert caplog.records[-1].getMessage() == f"to resume: python -m recipes.toy --out {root} --resume"


def test_a_resumed_run_is_exported_as_its_first_command_said(no_training, monkeypatch):
    exported = []
    monkeypatch.setattr(training_run, "run", lambda job, **how: exported.append(how["saved_models"]))
    served = pathlib.Path("sm")
    for words, expected in [
        (["--no-export"], None),
        (["--resume"], None),
        (["--resume", "--saved-models", "sm"], served),
        (["--resume"], served),
        (["--resume", "--no-export"], None),
        (["--overwrite"], pathlib.Path("saved_models")),
        (["--resume"], pathlib.Path("saved_models")),
        (["--overwrite", "--saved-models", "sm", "--plan-only"], "waits"),
        (["--resume"], served),
    ]:
        exported.clear()
        run_recipe(TOY, ["--out", "run", *words])
        assert exported == ([] if expected == "waits" else [expected]), words
        pathlib.Path("run/state").mkdir(exist_ok=True)  # it has begun
    pathlib.Path("run/export.json").write_text('{"saved_models": 3}')
    with pytest.raises(InputError, match=r"export\.json: damaged; delete it, and give --saved-models or --no-export"):
        run_recipe(TOY, ["--out", "run", "--resume"])
    pathlib.Path("run/export.json").write_text('{"saved_models": "file"}')
    pathlib.Path("file").touch()
    with pytest.raises(InputError, match="file: cannot be written to"):
        run_recipe(TOY, ["--out", "run", "--resume"])


def test_a_resumed_run_tells_each_notice_once(monkeypatch, caplog):
    monkeypatch.setattr(ForegroundTask, "notices", lambda task, volumes: ["odd data"])
    monkeypatch.setattr(training_run, "run", lambda job, **how: None)
    caplog.set_level("INFO", logger="segkit.run")
    for words in ([], ["--resume"]):
        caplog.clear()
        run_recipe(TOY, ["--out", "run", *words])
        told = [record.getMessage() for record in caplog.records if record.name == "segkit.run"]
        assert [line for line in told if "odd data" in line or "measured" in line] == [
            "note: measured",
            "warning: odd data",
        ]
    plan = read_plan(pathlib.Path("run/plan.json"))
    assert (plan.notices, plan.warnings) == (("measured",), ("odd data",))


def test_a_plan_of_before_had_its_warnings_among_the_notices(monkeypatch, caplog):
    monkeypatch.setattr(ForegroundTask, "notices", lambda task, volumes: ["odd data"])
    monkeypatch.setattr(training_run, "run", lambda job, **how: None)
    run_recipe(TOY, ["--out", "run"])
    path = pathlib.Path("run/plan.json")
    stored = json.loads(path.read_text())
    stored["notices"] += stored.pop("warnings")
    path.write_text(json.dumps(stored))
    caplog.clear()
    run_recipe(TOY, ["--out", "run", "--resume"])
    assert [r.getMessage() for r in caplog.records if "odd data" in r.getMessage()] == ["warning: odd data"]
    assert (read_plan(path).notices, read_plan(path).warnings) == (("measured",), ("odd data",))


def test_what_a_measure_warns_of_is_a_warning_in_log_and_report(monkeypatch, caplog):
    measure = lambda plan: dataclasses.replace(plan, warnings=("a mask of ids",))  # noqa: E731
    drafted = TOY.draft
    odd = dataclasses.replace(TOY, draft=lambda args: [dataclasses.replace(d, measure=measure) for d in drafted(args)])
    caplog.set_level("INFO", logger="segkit.run")
    run_recipe(odd, ["--out", "run", "--no-export"])
    told = [(r.levelname, r.getMessage()) for r in caplog.records if "a mask of ids" in r.getMessage()]
    assert told == [("WARNING", "warning: a mask of ids")]
    page = pathlib.Path("run/report.html").read_text()
    assert page.count("a mask of ids") == 1 and '<li class="warned">a mask of ids</li>' in page
    assert json.loads(pathlib.Path("run/scores.json").read_text())["notices"] == ["a mask of ids"]


@pytest.mark.parametrize(("channel", "unsigned"), [(None, None), (1, None), (None, True), (2, False)])
def test_a_prediction_in_a_process_of_its_own_reads_the_images_as_the_plan_says(channel, unsigned, monkeypatch):
    asked = []
    done = types.SimpleNamespace(returncode=0)
    monkeypatch.setattr(training_run.subprocess, "run", lambda words, **_: asked.append(words) or done)
    source = Source(tomogram="T.mrc", mask="M.mrc", channel=channel, unsigned=unsigned)
    volume = types.SimpleNamespace(source=source, tomogram=Volume(array=np.zeros((1, 4, 4), np.int8), format="mrc"))
    plan = types.SimpleNamespace(task=ForegroundTask(), preprocessing=Standardize())
    alone = types.SimpleNamespace(volumes=[volume], plan=plan, folder=pathlib.Path("run"))
    training_run.predict_all(alone, pathlib.Path("run/model.keras"), 2**30)
    args = cli.parse_args(asked[0][3:])
    assert (args.input, args.channel, args.unsigned) == (["T.mrc"], channel, unsigned)


def test_a_run_ends_with_a_model_and_scores_and_what_it_takes_to_train_on():
    run_recipe(TOY, ["--out", "run", "--epochs", "3", "--no-export"])
    assert read_card("run").name == "toy-disc"
    scores = json.loads(pathlib.Path("run/scores.json").read_text())
    assert (scores["epochs"], scores["saved_model"]) == (3, None)
    assert not pathlib.Path("saved_models").exists()
    (snapshot,) = pathlib.Path("run/state").iterdir()
    run_recipe(TOY, ["--out", "run", "--resume", "--epochs", "4", "--saved-models", "served"])
    scores = json.loads(pathlib.Path("run/scores.json").read_text())
    assert (scores["epochs"], scores["saved_model"]) == (4, "served/toy-disc/1")
    (newer,) = pathlib.Path("run/state").iterdir()
    assert newer != snapshot
    assert len(pathlib.Path("run/log.csv").read_text().splitlines()) == 1 + 4


def test_settings_that_a_plan_leaves_to_the_defaults_are_told(no_training, caplog):
    run_recipe(TOY, ["--out", "run", "--plan-only"])
    path = pathlib.Path("run/plan.json")
    plan = json.loads(path.read_text())
    run_recipe(TOY, ["--out", "run", "--resume"])
    assert "defaults are used" not in caplog.text
    training = {name: value for name, value in plan["training"].items() if name not in ("patch_px", "batch_size")}
    path.write_text(json.dumps({**plan, "training": training}))
    told = "warning: run/plan.json: without batch_size, patch_px under 'training'; defaults are used"
    run_recipe(TOY, ["--out", "run", "--resume"])
    assert caplog.messages.count(told) == 1
    path.write_text(json.dumps({**plan, "training": training}))
    run_recipe(TOY, ["--out", "folds", "--plan", "run/plan.json", "--folds", "3", "--plan-only"])
    assert caplog.messages.count(told) == 2


def test_a_finished_run_without_its_state_keeps_its_model(caplog):
    run_recipe(TOY, ["--out", "run", "--no-export"])
    shutil.rmtree("run/state")
    before = {path: path.read_bytes() for path in pathlib.Path("run").rglob("*") if path.is_file()}
    caplog.clear()
    run_recipe(TOY, ["--out", "run", "--resume"])
    assert "warning: run: the run has ended and stays as it is; its folder state/ is missing" in caplog.messages
    with pytest.raises(InputError, match="run: has ended, and its folder state/, which more epochs need, is missing"):
        run_recipe(TOY, ["--out", "run", "--resume", "--epochs", "3"])
    assert {path: path.read_bytes() for path in pathlib.Path("run").rglob("*") if path.is_file()} == before


def test_a_run_whose_only_snapshot_is_damaged_says_that_it_starts_over(caplog):
    run_recipe(TOY, ["--out", "run", "--no-export", "--epochs", "2"])
    (snapshot,) = pathlib.Path("run/state").iterdir()
    snapshot.write_bytes(b"")
    caplog.clear()
    run_recipe(TOY, ["--out", "run", "--resume", "--no-export"])
    (told,) = (line for line in caplog.messages if "starts over" in line)
    assert told == (
        "warning: run: no snapshot in state/ can be read; the training starts over from epoch 1 and replaces log.csv "
        "and model.keras"
    )
    assert json.loads(pathlib.Path("run/scores.json").read_text())["epochs"] == 2


@pytest.mark.parametrize("count", [1, 2])
def test_slices_of_several_volumes_are_told_apart_in_the_report(count, monkeypatch):
    write_stack()
    pathlib.Path("more").mkdir()
    for name in ("i.tif", "l.tif"):
        shutil.copy(name, "more")

    def draft(args):
        (one,) = toy_draft(args)
        (source,) = one.plan.data
        more = dataclasses.replace(source, tomogram="more/i.tif", mask="more/l.tif")
        return [
            dataclasses.replace(one, make_data=None, plan=dataclasses.replace(one.plan, data=(source, more)[:count]))
        ]

    run_recipe(dataclasses.replace(TOY, draft=draft), ["--out", "run", "--no-export"])
    page = pathlib.Path("run/report.html").read_text()
    folder = pathlib.Path.cwd().name
    names = re.findall(r"<td>([^<]*z = 5)</td>", page)
    captions = re.findall(r"<figcaption>Only slice(.*?): foreground IoU", page)
    if count == 1:
        assert (names, captions) == (["z = 5"], [", z = 5"])
        return
    assert [name.removeprefix(f"{folder}/") for name in names] == ["i.tif, z = 5", "more/i.tif, z = 5"]
    assert captions == [f" of {name}" for name in names]


def test_a_title_repeats_no_word():
    (one,) = toy_draft(parse_args(TOY, ["--out", "run"]))
    assert (one.plan.title(), one.plan.title("ablation")) == ("toy: disc", "toy: disc, ablation")
    assert dataclasses.replace(one.plan, structure="ablation").title("ablation") == "toy: ablation"


def test_a_run_that_starts_from_a_model_has_the_penalty_of_its_plan(monkeypatch):
    def draft(args):
        (one,) = toy_draft(args)
        training = dataclasses.replace(one.plan.training, l2=0.25)
        return [dataclasses.replace(one, plan=dataclasses.replace(one.plan, training=training))]

    start = toy_network(types.SimpleNamespace(model={"width": 2})).build(width=2, l2=0.5)
    card = ModelCard(name="toy", structure="disc", preprocessing=Standardize(mean=0.0, std=1.0))
    save_model(start, "start.keras", card)
    before = pathlib.Path("start.keras").read_bytes()
    monkeypatch.setattr(training_run, "run", lambda job, **_: training_run.train(job, resume=False).publish())
    run_recipe(dataclasses.replace(TOY, draft=draft), ["--out", "run", "--start", "start.keras", "--no-export"])
    assert read_plan(pathlib.Path("run/plan.json")).training.l2 == 0.25
    found = load_model("run")
    kernel = next(layer for layer in found.layers if layer.weights).kernel
    assert float(sum(found.losses)) == pytest.approx(0.25 * float((kernel.numpy() ** 2).sum()), rel=1e-5)
    assert float(sum(found.losses)) > 0
    assert pathlib.Path("start.keras").read_bytes() == before


def test_a_network_that_no_file_gives_back_is_refused_before_the_first_epoch():
    def doubled(plan):
        def build(*, width, l2):
            inputs = keras.Input((None, None, 1))
            x = keras.layers.Lambda(lambda x: width * x, name="wider")(inputs)
            return keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1, name="logits")(x)})

        return job.Network(build, multiple_px=1, halo_px=None)

    with pytest.raises(InputError, match="layer 'wider' of the class Lambda could not be opened again"):
        run_recipe(dataclasses.replace(TOY, network=doubled), ["--out", "run"])
    assert not {"state", "log.csv", "model.keras"} & {path.name for path in pathlib.Path("run").iterdir()}
