"""Where a run is exported to is known in its folder; whole command lines are in ``test_recipe``."""

import argparse
import pathlib

import pytest

from segkit.errors import InputError
from segkit.experiments.folder import EXPORT_NAME
from segkit.experiments.served_folder import served_folder, write_served_folder


def command(saved_models=None, *, no_export=False, resume=False):
    given = None if saved_models is None else pathlib.Path(saved_models)
    return argparse.Namespace(saved_models=given, no_export=no_export, resume=resume)


@pytest.mark.parametrize("served", [None, pathlib.Path("saved_models"), pathlib.Path("other/served")])
def test_what_was_written_counts_for_a_command_that_resumes_and_says_nothing(served, tmp_path):
    write_served_folder(pathlib.Path("before"), tmp_path)
    write_served_folder(served, tmp_path)
    assert (tmp_path / EXPORT_NAME).exists() == (served != pathlib.Path("saved_models"))
    assert served_folder(command(resume=True), tmp_path) == served
    assert served_folder(command("mine", resume=True), tmp_path) == pathlib.Path("mine")
    assert served_folder(command(no_export=True, resume=True), tmp_path) is None
    assert served_folder(command(), tmp_path) == pathlib.Path("saved_models"), "a run of its own"


def test_no_export_counts_beside_a_folder(tmp_path):
    assert served_folder(command("mine", no_export=True), tmp_path) is None


@pytest.mark.parametrize("content", ["{}", '{"saved_models": 3}', '{"saved_models": ""}', "[]", "text"])
def test_a_damaged_file_is_told(content, tmp_path):
    (tmp_path / EXPORT_NAME).write_text(content)
    with pytest.raises(InputError, match=EXPORT_NAME):
        served_folder(command(resume=True), tmp_path)
