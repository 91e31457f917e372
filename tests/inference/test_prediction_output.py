import os

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.inference.prediction_output import PredictionOutput
from segkit.volumes.files import open_volume
from segkit.volumes.volume import Volume

RESULT = Volume(array=np.arange(24, dtype=np.uint8).reshape(2, 3, 4), voxel_size_nm=(1.0, 1.0, 1.0))


def prepared(output, folder):
    return output.prepare(folder, RESULT, like=RESULT, write_legend=lambda path: path.write_text("{}"))


@pytest.mark.parametrize("name", ["m.mrc", "m.mrc.gz", "m.tif", "m.h5:labels", "slices"])
def test_what_is_prepared_is_published_once(tmp_path, name):
    output = PredictionOutput(tmp_path / name, has_legend=True)
    marks = prepared(output, tmp_path / "work")
    assert not output.is_published(marks)
    output.check()
    for _ in range(2):
        assert output.publish(marks, tmp_path / "work")
        assert output.is_published(marks)
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / name).array[:]), RESULT.array)
    assert output.legend.read_text() == "{}"
    assert list((tmp_path / "work").iterdir()) == []
    with pytest.raises(InputError, match="already exists"):
        output.check()


def test_what_is_lost_is_not_published(tmp_path):
    output = PredictionOutput(tmp_path / "m.mrc")
    marks = prepared(output, tmp_path / "work")
    (tmp_path / "work" / "m.mrc").unlink()
    assert not output.publish(marks, tmp_path / "work")


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_others_have_written_is_replaced_only_where_it_may_be(tmp_path, overwrite):
    import h5py  # for this format alone

    (tmp_path / "m.mrc").write_text("old")
    (tmp_path / "slices").mkdir()
    (tmp_path / "slices" / "thesis.tex").write_text("years of work")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["raw"] = [1]
    for name, message in (("m.h5:mask", "raw, which replacing"), ("slices", "holds thesis.tex"), ("m.mrc", None)):
        output = PredictionOutput(tmp_path / name, overwrite=overwrite)
        marks = prepared(output, tmp_path / f"{output.path.name}.work")
        if overwrite and message is None:
            assert output.publish(marks, tmp_path / f"{output.path.name}.work")
        else:
            with pytest.raises(InputError, match=message if overwrite else "already exists"):
                output.publish(marks, tmp_path / f"{output.path.name}.work")
            assert not output.is_published(marks)


def test_blocks_are_kept_on_the_disk_of_the_result(tmp_path):
    (tmp_path / "disk").mkdir()
    os.symlink(tmp_path / "disk" / "m.mrc", tmp_path / "m.mrc")
    output = PredictionOutput(tmp_path / "m.mrc", overwrite=True)
    assert output.folder == tmp_path / "disk" / "m.mrc.partial"
    assert output.publish(prepared(output, tmp_path / "work"), tmp_path / "work")
    assert (tmp_path / "m.mrc").is_symlink()
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "disk" / "m.mrc").array[:]), RESULT.array)


def test_a_dataset_that_would_take_others_with_it_is_refused_before_anything_is_computed(tmp_path):
    import h5py  # for this format alone

    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["raw"] = [1]
    with pytest.raises(InputError, match="raw, which replacing"):
        PredictionOutput(f"{tmp_path / 'm.h5'}:mask", overwrite=True).check()
    PredictionOutput(f"{tmp_path / 'm.h5'}:raw", overwrite=True).check()
