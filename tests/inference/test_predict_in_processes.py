import logging
import zipfile

import mrcfile
import numpy as np
import pytest
from killed_predictions import predict_and_kill
from tiny_models import TINY_REACH_PX, tiny_card, tiny_seget

from segkit.cli import main, parse_args, run_predict
from segkit.errors import InputError
from segkit.inference.engines import Deferred
from segkit.inference.executors import Processes
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_in_processes import predict_in_processes
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.models.files import save_model
from segkit.volumes.files import open_volume

SIZE_NM = (2.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model and a tomogram."""
    folder = tmp_path_factory.mktemp("predict")
    save_model(tiny_seget(), folder / "model.keras", tiny_card(voxel_size_nm=SIZE_NM, halo_px=TINY_REACH_PX))
    with mrcfile.new(folder / "T.mrc") as mrc:
        mrc.set_data(np.random.default_rng(0).normal(100, 20, (9, 96, 80)).astype(np.float32))
        mrc.voxel_size = 20.0
    return folder


def test_several_processes_give_what_one_gives(folder, tmp_path, caplog):
    options = PredictOptions(probability=True, max_ram=6 * 2**30)
    models, volume = [folder / "model.keras"], Deferred(open_volume, folder / "T.mrc")
    one = predict_volume([LoadedModel.open(models[0])], volume.made(), tmp_path / "one.mrc", options)
    seen = []
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="segkit"):
        two = predict_in_processes(
            models, volume, tmp_path / "two.mrc", options, num_workers=2, progress=lambda *at: seen.append(at)
        )
    results = [np.asarray(open_volume(found.path).array[:]) for found in (one, two)]
    np.testing.assert_allclose(*results, atol=1e-5)
    assert results[0].std() > 0.1
    assert (two.voxels, two.resumed_blocks, two.summary) == (one.voxels, 0, None)
    assert caplog.text.count("blob has") == 1
    assert seen[-1] == (9, 9)
    assert seen == sorted(set(seen))
    assert {path.name for path in tmp_path.iterdir()} == {"one.mrc", "two.mrc"}


def test_a_fault_in_the_input_is_one_line_and_leaves_nothing(folder, tmp_path, warm_workers):
    with mrcfile.new(tmp_path / "T.mrc") as mrc:
        mrc.set_data(np.zeros((4, 32, 32), np.float32))
        mrc.voxel_size = 20.0
        mrc.data[3] = np.nan
    with pytest.raises(InputError, match=r"T\.mrc: found 1,024 NaN or infinite voxels in slice") as fault:
        predict_in_processes(
            [folder / "model.keras"], Deferred(open_volume, tmp_path / "T.mrc"), tmp_path / "m.mrc", num_workers=2
        )
    assert "\n" not in str(fault.value)
    assert [path.name for path in tmp_path.iterdir()] == ["T.mrc"]


def test_kinds_of_a_users_module_are_known_to_the_workers(folder, tmp_path, warm_workers):
    import toy_task  # registers a kind of task

    card = tiny_card(voxel_size_nm=SIZE_NM, task=toy_task.BackgroundTask())
    save_model(tiny_seget(), tmp_path / "model.keras", card)
    ask = [tmp_path / "model.keras"], Deferred(open_volume, folder / "T.mrc"), tmp_path / "m.mrc"
    with pytest.raises(InputError, match="toy background"):
        predict_in_processes(*ask, num_workers=1)
    with pytest.raises(InputError, match=r"module no\.such: cannot be imported"):
        predict_in_processes(*ask, num_workers=1, modules=["no.such"])
    predict_in_processes(*ask, num_workers=1, modules=["toy_task"])
    predict_volume([LoadedModel.open(folder / "model.keras")], open_volume(folder / "T.mrc"), tmp_path / "whole.mrc")
    background, foreground = (open_volume(tmp_path / name).array[:] for name in ("m.mrc", "whole.mrc"))
    np.testing.assert_array_equal(background, 1 - foreground)


@pytest.mark.parametrize(("model", "message"), [("model.keras", "already exists"), ("none.keras", "no such file")])
def test_what_is_wrong_with_the_paths_is_said_before_processes_are_started(folder, monkeypatch, model, message):
    monkeypatch.setattr(Processes, "run", lambda *_: pytest.fail("processes were started"))
    volume = Deferred(open_volume, folder / "T.mrc")
    with pytest.raises(InputError, match=message):
        predict_in_processes([folder / model], volume, folder / "T.mrc", num_workers=2)


def test_no_worker_at_all_is_refused():
    with pytest.raises(InputError, match="--workers 0: expected a number of processes, at least 1"):
        run_predict(
            parse_args(["predict", "--model", "m.keras", "--input", "T.mrc", "--output", "m.mrc", "--workers", "0"])
        )


def test_the_command_tells_processes_what_to_import(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "not read by the process that starts the others")
    given = {}
    monkeypatch.setattr(
        "segkit.inference.predict_in_processes.predict_in_processes", lambda *args, **words: given.update(words)
    )
    words = "predict --model m.keras --input T.mrc --output m.mrc --workers 2 --import toy_engines --import tiny_models"
    main(words.split())
    assert given["modules"] == ["toy_engines", "tiny_models"]
    assert given["num_workers"] == 2


def test_killed_commands_leave_the_result_equal(tmp_path, warm_python):
    command = {"workers": 0, "start": warm_python.start}
    assert predict_and_kill(tmp_path, 2, shape=(40, 256, 256), **command) >= 1
