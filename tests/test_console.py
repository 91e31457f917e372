"""What every command does alike; how each mistake is told is in ``test_bad_input``."""

import argparse
import logging
import os
import warnings

import pytest

from recipes.fre import RECIPE as FRE
from recipes.segET import RECIPE as SEGET
from segkit import cli
from segkit.console import (
    CommandParser,
    add_console_arguments,
    first_given,
    parse_size,
    run_command,
    set_console,
)
from segkit.errors import InputError
from segkit.experiments.recipe import parse_args
from segkit.progress import ProgressLine


@pytest.mark.parametrize(
    ("text", "size"), [("17", 17), ("500M", 500 * 2**20), ("1.5 GiB", 3 * 2**29), ("2kb", 2048), ("1T", 2**40)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "lots", "0", "-1G", "4X", "1e3"])
def test_what_is_no_size(text):
    with pytest.raises(InputError, match="write a number with K, M or G"):
        parse_size(text)


def test_no_size_stays_none():
    assert parse_size(None) is None


def parser():
    made = CommandParser(prog="tool")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    predict = commands.add_parser("predict")
    predict.add_argument("--output-dir", required=True)
    predict.add_argument("--epochs", type=int)
    predict.add_argument("--labels")
    predict.add_argument("--max-ram")
    return made


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predct"], "tool: no command 'predct'; did you mean predict?"),
        (["predict", "--output_dir", "x"], "tool predict: no option --output_dir; did you mean --output-dir?; see"),
        (["predict", "--out", "x"], "tool predict: no option --out; see tool predict --help"),
        (["predict", "--epoch=3"], "tool predict: no option --epoch; did you mean --epochs?"),
        (["predict", "--mask", "x"], "tool predict: no option --mask; did you mean --labels?"),
        (["predict"], "the following arguments are required: --output-dir"),
        (["predict", "--output-dir", "x", "--epochs", "three"], "argument --epochs: invalid int value: 'three'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_a_wrong_command_line_is_one_line_with_what_may_have_been_meant(words, message):
    with pytest.raises(InputError) as fault:
        parser().parse_args(words)
    assert str(fault.value).startswith(message) or message in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("main", "words", "meant"),
    [
        (cli.parse_args, ["export", "--model", "m", "--saved-models", "s"], "--root"),
        (cli.parse_args, ["evaluate", "--prediction", "p", "--mask", "m"], "--reference"),
        (cli.parse_args, ["predict", "--model", "m", "--tomogram", "t"], "--input"),
        (lambda argv: parse_args(FRE, argv), ["--images", "i", "--mask", "m"], "--labels"),
        (lambda argv: parse_args(FRE, argv), ["--tomogram", "i", "--labels", "m"], "--images"),
        (lambda argv: parse_args(SEGET, argv), ["--images", "i", "--mask", "m"], "--tomogram"),
        (lambda argv: parse_args(SEGET, argv), ["--tomogram", "i", "--labels", "m"], "--mask"),
    ],
)
def test_what_another_command_calls_the_same_is_meant(main, words, meant):
    with pytest.raises(InputError, match=rf"did you mean {meant}\?"):
        main(words)


@pytest.mark.parametrize(("words", "told"), [([], {"note", "warning: odd"}), (["--quiet"], {"warning: odd"}),
                                             (["--verbose"], {"detail", "note", "warning: odd"})])  # fmt: skip
def test_how_much_is_told(words, told, capsys, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")

    def main(argv):
        made = CommandParser(prog="tool")
        add_console_arguments(made)
        set_console(made.parse_args(argv))
        log = logging.getLogger("segkit.run")
        log.debug("detail")
        log.info("note")
        log.warning("odd")
        ProgressLine("predicting", "slices")(1, 1)

    assert run_command(main, words) == 0
    lines = capsys.readouterr().err.splitlines()
    assert {line for line in lines if "predicting" not in line} == told
    assert any("predicting 1/1" in line for line in lines) == ("--quiet" not in words)
    assert (os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0") == ("--verbose" in words)


def test_names_cannot_write_to_the_terminal(capsys):
    def main(argv):
        logging.getLogger("segkit.run").warning("warning: %s", "a\x1b[2J\nb")
        raise InputError("c\rd.mrc: no such file")

    assert run_command(main, []) == 2
    assert capsys.readouterr().err == "warning: a\\x1b[2J\\nb\nerror: c\\rd.mrc: no such file\n"


def test_a_warning_is_told_from_what_is_reported_whoever_logs_it(capsys):
    def main(argv):
        log = logging.getLogger("segkit.inference")
        log.warning("%s: no voxel was found", "mask.mrc")
        log.warning("warning: %s", "said once")
        log.info("done")

    assert run_command(main, []) == 0
    assert capsys.readouterr().err == "warning: mask.mrc: no voxel was found\nwarning: said once\ndone\n"


def test_zero_is_given_and_false_is_not():
    args = argparse.Namespace(slice_wise=False, roi=None, min_depth=0, label=3)
    assert first_given(args, ["slice_wise", "roi", "min_depth", "label"]) == "--min-depth"
    assert first_given(args, ["slice_wise", "roi"]) is None


def test_arguments_reach_the_command_and_its_log_the_terminal(capfd):
    seen = []

    def main(argv):
        seen.extend(argv)
        logging.getLogger("segkit.run").info("training: %d steps", 5)
        warnings.warn_explicit("not ours", UserWarning, "/elsewhere/library.py", 1)

    with warnings.catch_warnings():  # the command replaces how warnings are shown
        warnings.simplefilter("always")
        assert run_command(main, ["--out", "run"]) == 0
    assert seen == ["--out", "run"]
    assert capfd.readouterr().err == "training: 5 steps\n"


@pytest.mark.parametrize(
    ("chosen", "remedy"), [("jax", "install it, or choose another KERAS_BACKEND than jax"), (None, "install it")]
)
def test_a_backend_that_is_not_installed_is_one_line(chosen, remedy, monkeypatch, capsys):
    def main(_argv):
        raise ModuleNotFoundError("No module named 'jax'", name="jax")

    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if chosen:
        monkeypatch.setenv("KERAS_BACKEND", chosen)
    assert run_command(main, []) == 2
    assert capsys.readouterr().err == f"error: the package jax is not installed; {remedy}\n"


def test_another_module_that_is_missing_is_a_fault_of_the_program():
    def main(_argv):
        raise ModuleNotFoundError("No module named 'segkit.nothing'", name="segkit.nothing")

    with pytest.raises(ModuleNotFoundError):
        run_command(main, [])


def test_a_file_that_is_not_there_is_a_fault_of_the_program():
    def main(_argv):
        raise FileNotFoundError(2, "No such file or directory", "x")

    with pytest.raises(FileNotFoundError):
        run_command(main, [])
