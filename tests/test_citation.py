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


def test_keywords_are_those_of_the_package():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    block = re.search(r"^keywords:\n((?:  - .*\n)+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    cited = [line.removeprefix("  - ").lower() for line in block.splitlines()]
    assert cited == settings["metadata"]["keywords"].split(", ")


def test_pictures_of_the_readme_are_files_of_the_repository():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert pictures
    missing = [picture for picture in pictures if not (ROOT / picture).is_file()]
    assert not missing
