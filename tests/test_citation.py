"""CITATION.cff says what the package says of itself."""

import configparser
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]


def test_version_and_licence_are_those_of_the_package():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    text = (ROOT / "CITATION.cff").read_text()
    for name in ("version", "license"):
        assert re.search(rf"^{name}: (.*)$", text, re.MULTILINE)[1] == settings["metadata"][name]
