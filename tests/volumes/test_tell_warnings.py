"""What reading a file left open is told by every command, not by ``segkit info`` alone."""

import logging
import pathlib

import numpy as np
import pytest
import tifffile

import segkit
from segkit import cli
from segkit.console import run_command
from segkit.models.card import ModelCard
from segkit.models.files import save_model
from segkit.models.unet import unet
from segkit.preprocessing.standardize import Standardize
from segkit.volumes.tell_warnings import tell_warnings
from segkit.volumes.volume import Volume

SERIES = "the file holds 2 image series; the first is read"
VOXELS = np.random.default_rng(0).integers(0, 2, (3, 16, 16), np.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a file of two series, and the first of them alone."""
    monkeypatch.chdir(tmp_path)
    for name, series in (("two.tif", (VOXELS, VOXELS[:, :12, :12])), ("one.tif", (VOXELS,))):
        with tifffile.TiffWriter(name) as tif:
            for pages in series:
                tif.write(pages, photometric="minisblack")
    card = ModelCard(name="tiny", structure="golgi", preprocessing=Standardize(mean=0.5, std=0.5), multiple_px=2)
    save_model(unet(filters=(2, 4)), "model.keras", card)
    return tmp_path


COMMANDS = {
    "predict": "predict --model model.keras --output out.tif --input",
    "dry run": "predict --model model.keras --output out.tif --dry-run --input",
    "two processes": "predict --model model.keras --output out.tif --workers 2 --input",
    "components": "components --output ids.tif --input",
    "prediction": "evaluate --reference one.tif --prediction",
    "reference": "evaluate --prediction one.tif --reference",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_it_once(name, capfd):
    for file, count in (("two.tif", 1), ("one.tif", 0)):
        assert run_command(cli.main, [*COMMANDS[name].split(), file]) == 0
        told = capfd.readouterr().err
        assert told.count(SERIES) == count
        assert (f"warning: two.tif: {SERIES}" in told) == bool(count)
        for made in ("out.tif", "ids.tif"):
            pathlib.Path(made).unlink(missing_ok=True)


def test_notebooks_are_told_too(caplog):
    with caplog.at_level(logging.WARNING, "segkit"):
        segkit.predict("model.keras", "two.tif")
        assert caplog.text.count(SERIES) == 1
        segkit.evaluate("two.tif", "one.tif")
        assert caplog.text.count(SERIES) == 2


def test_an_unknown_voxel_size_is_told_where_it_matters(caplog):
    volume = Volume(array=VOXELS, warnings=("voxel size unknown: no unit", "other"))
    tell_warnings(volume)
    assert [record.getMessage() for record in caplog.records] == ["warning: volume in memory: other"]
    tell_warnings(volume, of_voxel_size=True)
    assert len(caplog.records) == 3
