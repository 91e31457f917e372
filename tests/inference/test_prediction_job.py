"""What follows from models, volume and choices before anything is computed."""

import numpy as np
import pytest
from tiny_models import pointwise

from segkit.errors import InputError
from segkit.geometry.block_grid import BlockGrid
from segkit.geometry.region import Region
from segkit.inference.executors import Share
from segkit.inference.predict_options import PredictOptions
from segkit.inference.prediction_job import PredictionJob
from segkit.volumes.volume import Volume

VOLUME = Volume(array=np.zeros((6, 20, 24), np.float32))


@pytest.mark.parametrize(
    ("models", "options", "structures", "has_legend", "dtypes"),
    [
        (1, {}, ["blob"], False, ("u1", "u1")),
        (1, {"probability": True}, ["blob"], False, ("f4", "f4")),
        (2, {}, ["blob", "blob"], True, ("u1", "u1")),
        (2, {"average": True}, ["blob"], False, ("u1", "u1")),
        (2, {"average": True, "probability": True}, ["blob"], False, ("f4", "f4")),
    ],
)
def test_what_is_written(models, options, structures, has_legend, dtypes):
    job = PredictionJob([pointwise(threshold=0.3)] * models, VOLUME, PredictOptions(**options))
    assert (job.structures, job.has_legend, job.kept_channels) == (structures, has_legend, ())
    assert (job.kept_dtype, job.result_dtype) == tuple(map(np.dtype, dtypes))
    assert [task.threshold for task in job.tasks] == [0.3] * len(structures)


def test_the_threshold_that_was_asked_for_counts():
    (task,) = PredictionJob([pointwise(threshold=0.3)], VOLUME, PredictOptions(threshold=0.8)).tasks
    assert task.threshold == 0.8


def test_blocks_are_slices_that_meet_the_region():
    job = PredictionJob([pointwise()], VOLUME, PredictOptions(roi=Region.parse("2:4,5:9,:")))
    assert job.positions(job.grid()) == [(2, 0, 0), (3, 0, 0)]
    assert job.positions(BlockGrid((6, 20, 24), (4, 4, 12), (0, 0, 0))) == [
        (z, y, x) for z in (0,) for y in (1, 2) for x in (0, 1)
    ]


def test_the_bound_on_the_memory_is_shared_by_processes(monkeypatch):
    asked = []
    monkeypatch.setattr("segkit.inference.prediction_job.SliceEngine", lambda *args, **_: asked.append(args[-1]))
    for share in (Share(), Share(1, 4)):
        PredictionJob([pointwise()], VOLUME, PredictOptions(max_ram=4 * 2**30), share).engine(1)
    assert [options.max_ram for options in asked] == [4 * 2**30, 2**30]


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="0 models: expected 1 to"):
        PredictionJob([], VOLUME)
    with pytest.raises(InputError, match="give one index along c"):
        PredictionJob([pointwise()], Volume(array=np.zeros((2, 6, 20, 24), np.float32), axes="czyx"))


def test_models_of_one_structure_are_told_of_unless_they_are_averaged(caplog):
    others = [pointwise(structure=name) for name in ("blob", "golgi", "blob")]
    PredictionJob(others, VOLUME).tell()
    lines = [record.getMessage() for record in caplog.records if "structure" in record.getMessage()]
    assert lines == [
        "warning: 2 models are of one structure, blob, which gets the labels 1, 3; for one mask, of the mean of the "
        "models, add --average"
    ]
    caplog.clear()
    PredictionJob([others[0], others[2]], VOLUME, PredictOptions(average=True)).tell()
    PredictionJob(others[:2], VOLUME).tell()
    PredictionJob(others[:1], VOLUME).tell()
    assert "structure" not in caplog.text
