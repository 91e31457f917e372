"""`segkit train` runs recipes that packages register."""

import importlib.metadata

import pytest

from segkit import cli
from segkit.errors import InputError


class Recipe:
    """An entry point whose command line is noted down."""

    def __init__(self, name):
        self.name = name
        self.given = []

    def load(self):
        return self.given.append


@pytest.fixture
def recipes(monkeypatch):
    """Recipes in the place of those that are installed, by name."""
    found = {name: Recipe(name) for name in ("fre", "segET", "Other")}

    def entry_points(*, group):
        return list(found.values()) if group == "segkit.recipes" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return found


@pytest.mark.parametrize("name", ["segET", "SEGET", "seget"])
def test_a_recipe_gets_its_own_command_line_however_its_name_is_written(recipes, name):
    cli.main(["train", name, "--x", "--help"])
    assert {name: recipe.given for name, recipe in recipes.items()} == {
        "fre": [],
        "segET": [["--x", "--help"]],
        "Other": [],
    }


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_recipe_all_are_listed(recipes, capsys, words):
    cli.main(["train", *words])
    told = capsys.readouterr().out
    assert told.startswith("usage: segkit train RECIPE")
    assert "recipes: fre, Other, segET\n" in told
    assert not any(recipe.given for recipe in recipes.values())


def test_an_unknown_recipe_is_refused_with_those_that_there_are(recipes):
    with pytest.raises(InputError, match=r"no recipe 'seg'; choose one of fre, Other, segET$"):
        cli.main(["train", "seg"])
    recipes.clear()
    with pytest.raises(InputError, match=r"choose one of none$"):
        cli.main(["train", "seg"])


def test_the_help_of_segkit_names_the_command(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    assert "train a network by a recipe: segkit train segET --help" in " ".join(capsys.readouterr().out.split())
