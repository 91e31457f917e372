"""Two commands predict with different models into one output: one writes its mask, the other is refused, every time.

PYTHONPATH=.:tests/inference python tests/inference/two_predictions.py --starts 20
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from killed_predictions import SHAPE, Command
from tiny_models import tiny_card, tiny_seget

from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_volume import predict_volume
from segkit.models.files import save_model
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

REFUSALS = ("another process is computing something else here (different models)", "already exists")


def start_two(
    folder: pathlib.Path,
    starts: int,
    *,
    shape: tuple[int, int, int] = SHAPE,
    longest_s: float = 1.5,
    start: Callable[[Sequence[str], pathlib.Path], Any] = Command,
    tell: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Start two predictions by different models into one output, again and again.

    Args:
        folder: Where everything is written.
        starts: How often.
        shape: Extent of the volume along z, y, x [px].
        longest_s: Between the two starts there are 0 s at first and this at last [s].
        start: Starts the words behind ``python`` in a folder; returns what ``killed_predictions.Command`` is.
        tell: Called with a line after each.

    Returns:
        The refusals, one for each start.

    Raises:
        AssertionError: If not one command alone succeeds, its mask is not its model's, or the other says something else
            than one line.
    """
    noise = np.random.default_rng(0).normal(100, 20, shape).astype(np.float32)
    save_volume(folder / "T.mrc", Volume(array=noise, voxel_size_nm=(2.0, 2.0, 2.0)))
    expected = []
    for number in range(2):
        save_model(tiny_seget(seed=number), folder / f"{number}.keras", tiny_card(voxel_size_nm=(2.0, 2.0, 2.0)))
        model = LoadedModel.open(folder / f"{number}.keras")
        predict_volume([model], open_volume(folder / "T.mrc"), folder / f"{number}.mrc")
        expected.append(np.asarray(open_volume(folder / f"{number}.mrc").array[:]))
    assert (expected[0] != expected[1]).any()
    refusals = []
    for delay_s in np.linspace(0, longest_s, starts):
        running = []
        for number in range(2):
            words = ["--model", f"{number}.keras", "--input", "T.mrc", "--output", "mask.mrc"]
            running.append(start(["-m", "segkit", "predict", *words], folder))
            time.sleep(delay_s * (number == 0))
        ended = [command.wait() for command in running]
        codes = [command.returncode for command in ended]
        assert sorted(codes) == [0, 2], [command.stderr for command in ended]
        (refused,) = [line for line in ended[codes.index(2)].stderr.splitlines() if line.startswith("error: ")]
        assert any(reason in refused for reason in REFUSALS), refused
        found = np.asarray(open_volume(folder / "mask.mrc").array[:])
        np.testing.assert_array_equal(found, expected[codes.index(0)])
        (folder / "mask.mrc").unlink()
        left = [path.name for path in folder.iterdir() if path.name.startswith((".", "mask"))]
        assert not left, left
        refusals.append(refused)
        tell(f"{delay_s:.2f} s: the mask of model {codes.index(0)}; {refused}")
    return refusals


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        (place := pathlib.Path(root) / "run").mkdir()
        print(f"{len(start_two(place, given.starts, tell=print))} starts, one right mask and one refusal each")
