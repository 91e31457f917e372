"""A search of a second a trial, as a program: ``shared_search.py FOLDER TRIALS [hang in the n-th trial]``.

With KerasTuner's variables set it is a chief or a worker. A worker that hangs waits to be killed.
"""

import logging
import os
import pathlib
import signal
import sys
import time

import keras_tuner

from segkit.search.oracles import DistinctRandomOracle
from segkit.search.tuner import search

LEASE_S = 4.0


def main(folder, trials, die_at=None):
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    space = keras_tuner.HyperParameters()
    space.Int("b", 1, 512)
    oracle = DistinctRandomOracle(
        objective=keras_tuner.Objective("val_mean_iou", "max"), max_trials=int(trials), hyperparameters=space, seed=1
    )
    oracle.lease_s = LEASE_S
    calls = 0

    def evaluate(values, point, epochs):
        nonlocal calls
        point.mkdir(parents=True, exist_ok=True)
        worker = os.environ.get("KERASTUNER_TUNER_ID", "alone")
        with open(point / "calls.txt", "a") as stream:
            stream.write(f"{worker}\n")
        calls += 1
        if die_at is not None and calls == int(die_at):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.3)
        return {"val_mean_iou": 1 / values["b"]}

    for trial in search(evaluate, oracle, pathlib.Path(folder), identity={"what": "a test"}):
        print(trial.number, trial.values["b"], trial.score, trial.status)


if __name__ == "__main__":
    main(*sys.argv[1:])
