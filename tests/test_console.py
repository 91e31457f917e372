"""What every command does alike; how each mistake is told is in ``test_bad_input``."""

import argparse
import logging
import warnings

import pytest

from segkit.console import first_given, parse_size, run_command
from segkit.errors import InputError


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


def test_a_file_that_is_not_there_is_a_fault_of_the_program():
    def main(_argv):
        raise FileNotFoundError(2, "No such file or directory", "x")

    with pytest.raises(FileNotFoundError):
        run_command(main, [])
