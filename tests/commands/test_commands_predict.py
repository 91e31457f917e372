"""``segkit predict``: one input or many, on a chosen device, at a given voxel size."""

import numpy as np
import pytest

from segkit import cli
from segkit.commands.predict import output_in, run_predict
from segkit.console import run_command
from segkit.errors import InputError
from segkit.models.card import ModelCard
from segkit.models.files import save_model
from segkit.models.unet import unet
from segkit.preprocessing.standardize import Standardize
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(0)


def test_windows_are_two_numbers():
    words = ["predict", "--model", "m", "--input", "a.tif", "--output", "b.tif", "--windows"]
    for text in ("2", "2,x", "0,3", "1,2,3"):
        with pytest.raises(InputError, match=f"--windows '{text}'; give 2 positive whole numbers with commas"):
            run_predict(cli.parse_args([*words, text]))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    card = ModelCard(name="tiny", structure="golgi", preprocessing=Standardize(mean=100.0, std=20.0), multiple_px=2,
                     voxel_size_nm=(4.0, 2.0, 2.0), halo_px=8)  # fmt: skip
    save_model(unet(filters=(2, 4)), path, card)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mrc", "b.tif", "c.ome.tif"):
        save_volume(name, Volume(array=RNG.normal(100, 20, (3, 16, 18)).astype(np.float32)))
    (tmp_path / "bad.mrc").write_bytes(b"damaged")
    (tmp_path / "masks").mkdir()
    return tmp_path


def predict(model, *words):
    return run_command(cli.main, ["predict", "--model", str(model), *words])


def test_a_bad_input_harms_no_other_and_the_table_tells_of_each(model, folder, capsys):
    inputs = ["a.mrc", "bad.mrc", "b.tif", "c.ome.tif"]
    assert predict(model, "--input", *inputs, "--output-dir", "masks") == 2
    found = capsys.readouterr()
    assert "error: 1 of 4 inputs failed, see above; correct them, and use --continue" in found.err
    titles, *rows = found.out.splitlines()
    assert titles.split() == ["input", "output", "time", "result"]
    assert [row.split()[0] for row in rows] == inputs
    assert "failed: bad.mrc: " in rows[1] and all("golgi: " in row for row in (rows[0], *rows[2:]))
    assert sorted(path.name for path in (folder / "masks").iterdir()) == ["a-mask.mrc", "b-mask.tif", "c-mask.ome.tif"]
    before = (folder / "masks" / "b-mask.tif").stat().st_mtime_ns
    assert predict(model, "--input", "b.tif", "a.mrc", "--output-dir", "masks", "--continue") == 0
    assert capsys.readouterr().out.count("was there (not compared with these models and options)") == 2
    assert (folder / "masks" / "b-mask.tif").stat().st_mtime_ns == before
    assert predict(model, "--input", "b.tif", "--output-dir", "masks") == 2
    assert "already exists" in capsys.readouterr().out


def test_one_output_for_two_inputs(model, folder, capsys):
    save_volume("a.rec", open_volume("a.mrc"))
    assert predict(model, "--input", "a.mrc", "a.rec", "--output-dir", "masks") == 2
    assert "a.rec: its output would be that of a.mrc" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "a.mrc"], "give --output FILE for one input, or --output-dir"),
        (["--input", "a.mrc", "--output", "m.mrc", "--output-dir", "masks"], "give --output FILE for one input"),
        (["--input", "a.mrc", "b.tif", "--output", "m.mrc"], "2 inputs and one --output"),
        (["--input", "a.mrc", "--output", "m.mrc", "--continue"], "--continue cannot be combined with --output"),
        (["--input", "a.mrc", "--output-dir", "none/masks"], "none/masks: is not a folder"),
        (["--input", "a.mrc", "--output", "."], r"\.: names no file"),
        (
            ["--input", "a.mrc", "--output", "m.mrc", "--voxel-size", "4", "0", "2"],
            "--voxel-size 4 0 2: expected positive",
        ),
        (["--input", "a.mrc", "--output", "m.mrc", "--device", "tpu"], "--device tpu: expected cpu, gpu, or gpu:N"),
        (["--input", "a.mrc", "--output", "m.mrc", "--workers", "0"], "--workers 0"),
    ],
)
def test_what_cannot_be_meant(model, folder, words, message):
    with pytest.raises(InputError, match=message):
        cli.main(["predict", "--model", str(model), *words])
    assert not list((folder / "masks").iterdir())


def test_a_voxel_size_that_the_file_does_not_know(model, folder):
    assert predict(model, "--input", "a.mrc", "--output", "m.mrc", "--rescale") == 2
    assert predict(model, "--input", "a.mrc", "--output", "m.mrc", "--rescale", "--voxel-size", "4", "1", "1") == 0
    assert open_volume("m.mrc").voxel_size_nm == pytest.approx((4.0, 1.0, 1.0))


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_done(model, folder, monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    for output in (["--output", "m.mrc"], ["--output-dir", "new"], ["--output", "m.mrc", "--workers", "2"]):
        assert predict(model, "--input", "a.mrc", *output, "--device", "gpu:1") == 2
        found = capsys.readouterr()
        assert found.err.startswith("error: --device gpu:1: ") and " finds no GPU" in found.err
        assert found.err.count("\n") == 1 and not found.out
    assert not (folder / "m.mrc").exists() and not (folder / "new").exists()


@pytest.mark.parametrize(
    ("name", "output"),
    [("a.mrc", "a-mask.mrc"), ("c.ome.tif", "c-mask.ome.tif"), ("x.y.mrc.gz", "x.y-mask.mrc"), ("s", "s-mask")],
)
def test_outputs_are_named_after_their_inputs(folder, name, output):
    if not (folder / name).exists():
        save_volume(name, Volume(array=RNG.integers(0, 9, (2, 4, 5)).astype(np.uint8)))
    assert output_in(folder, name).name == output
    assert output_in(folder, name, probability=True).name == output.replace("mask", "probability")
