"""Two processes predict one volume; one of them is killed at a random moment, again and again; the result is equal.

PYTHONPATH=.:tests/inference python tests/inference/killed_predictions.py --kills 20
"""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tiny_models import tiny_card, tiny_seget

from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_volume import predict_volume
from segkit.models.files import save_model
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

SHAPE = (48, 512, 512)
_LONGEST_S = 300


class Command:
    """A command of segkit, in a process of its own from its start."""

    def __init__(self, words: Sequence[str], cwd: pathlib.Path) -> None:
        paths = os.pathsep.join([str(pathlib.Path.cwd()), *filter(None, sys.path)])
        self._log = cwd.parent / f"{cwd.name}-{time.monotonic_ns()}.log"
        with open(self._log, "w") as log:
            environment = {**os.environ, "PYTHONPATH": paths}
            self._process = subprocess.Popen([sys.executable, *words], cwd=cwd, stderr=log, env=environment)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()

    def errors(self) -> str:
        return self._log.read_text()

    def wait(self) -> subprocess.CompletedProcess:
        code = self._process.wait(_LONGEST_S)
        return subprocess.CompletedProcess(self._process.args, code, None, self.errors())


def predict_and_kill(
    folder: pathlib.Path,
    kills: int,
    *,
    shape: tuple[int, int, int] = SHAPE,
    workers: int = 1,
    seed: int = 0,
    start: Callable[[Sequence[str], pathlib.Path], Any] = Command,
    tell: Callable[[str], None] = lambda _: None,
) -> int:
    """Predict a volume over and over with two commands, one of which is killed now and then.

    Args:
        folder: Where everything is written.
        kills: How often a process is killed while it works.
        shape: Extent of the volume along z, y, x [px].
        workers: Processes of each command, 0 for the command alone; the command itself is killed.
        seed: Decides which is killed and when.
        start: Starts the words behind ``python`` in a folder; returns what ``Command`` is.
        tell: Called with a line after every kill and every prediction.

    Returns:
        Number of predictions that were finished and compared.

    Raises:
        AssertionError: If a result differs from that of a single undisturbed process, a command fails, or something is
            left beside the output.
    """
    rng = np.random.default_rng(seed)
    save_model(tiny_seget(), folder / "model.keras", tiny_card(voxel_size_nm=(2.0, 2.0, 2.0)))
    noise = rng.normal(100, 20, shape).astype(np.float32)
    save_volume(folder / "T.mrc", Volume(array=noise, voxel_size_nm=(2.0, 2.0, 2.0)))
    predict_volume([LoadedModel.open(folder / "model.keras")], open_volume(folder / "T.mrc"), folder / "whole.mrc")
    expected = np.asarray(open_volume(folder / "whole.mrc").array[:])
    assert 0.1 < expected.mean() < 0.9
    words = ["-m", "segkit", "predict", "--model", "model.keras", "--input", "T.mrc", "--output", "mask.mrc"]
    words += ["--workers", str(workers)] if workers else []
    killed = compared = 0
    while killed < kills or not compared:
        running = [start(words, folder), start(words, folder)]
        while killed < kills:
            victim = running.pop(rng.integers(2))
            _wait_until_it_works(victim)
            _wait_for_slices(folder, victim, _finished(folder) + rng.integers(8))
            time.sleep(rng.uniform(0, 0.1))
            was_alive = victim.is_running()
            victim.kill()
            ended = victim.wait()
            assert ended.returncode in (0, -signal.SIGKILL) or "already exists" in ended.stderr, ended.stderr
            killed += was_alive
            tell(f"{killed} killed, {_finished(folder)} slices finished")
            if (folder / "mask.mrc").exists():
                break
            running.append(start(words, folder))
        for command in running:
            ended = command.wait()
            assert ended.returncode == 0 or "already exists" in ended.stderr, ended.stderr
        found = np.asarray(open_volume(folder / "mask.mrc").array[:])
        np.testing.assert_array_equal(found, expected)
        compared += 1
        tell(f"{compared} compared")
        (folder / "mask.mrc").unlink()
        left = {path.name for path in folder.iterdir()} - {"model.keras", "T.mrc", "whole.mrc"}
        # Who is killed after the output was written leaves its folder, or the file that it was writing.
        assert all(name.endswith(".partial") for name in left), left
    return compared


def _finished(folder: pathlib.Path) -> int:
    return len(list((folder / "mask.mrc.partial").glob("blocks/*.npy")))


def _wait_until_it_works(command: Any) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while command.is_running() and "predicting" not in command.errors():
        assert time.monotonic() < deadline, command.errors()
        time.sleep(0.02)


def _wait_for_slices(folder: pathlib.Path, command: Any, count: int) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while command.is_running() and not (folder / "mask.mrc").exists() and _finished(folder) < count:
        assert time.monotonic() < deadline, command.errors()
        time.sleep(0.005)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1, help="processes of each command")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        (place := pathlib.Path(root) / "run").mkdir()
        count = predict_and_kill(place, given.kills, workers=given.workers, seed=given.seed, tell=print)
    print(f"{given.kills} kills, {count} predictions equal")
