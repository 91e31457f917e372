import pathlib

import numpy as np
import pytest

from segkit.report.short_name import short_name
from segkit.volumes.volume import Volume


@pytest.mark.parametrize(
    ("path", "name"), [("data/01/t000.tif", "01/t000.tif"), ("data/02/t000.tif", "02/t000.tif"), ("T.mrc", "T.mrc")]
)
def test_files_of_one_name_are_told_apart_by_their_folders(path, name):
    assert short_name(Volume(array=np.zeros((1, 2, 2)), source=pathlib.Path(path))) == name
