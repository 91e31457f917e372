"""A search over settings: resumed after a kill, shared by workers, one folder per point."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras_tuner
import numpy as np

from segkit.errors import InputError
from segkit.json_object import read_object
from segkit.search.oracles import LeasedTrials, is_chief, is_worker
from segkit.search.trials_table import SearchTrial, write_trials
from segkit.volumes.whole_output import whole_file

_LOG = logging.getLogger(__name__)
IDENTITY_NAME = "search.json"
_EPOCHS = "tuner/epochs"
_HEARTBEATS_A_LEASE = 6

Evaluate = Callable[[Mapping[str, Any], pathlib.Path, int | None], Mapping[str, float]]
"""From values, folder of the point and epochs (``None``: all) to scores, the objective among them."""


def search(
    evaluate: Evaluate,
    oracle: LeasedTrials,
    folder: str | os.PathLike[str],
    *,
    identity: Mapping[str, Any] | None = None,
) -> list[SearchTrial]:
    """Search with an oracle until its trials are used up, or resume an interrupted search.

    With KerasTuner's variables ``KERASTUNER_TUNER_ID`` (``chief`` for one process), ``KERASTUNER_ORACLE_IP`` and
    ``KERASTUNER_ORACLE_PORT`` set, several processes share one search and one ``folder``: the chief hands out points
    and trains nothing. A worker that is silent for ``oracle.lease_s`` is dead; another one takes over its trial.

    Args:
        evaluate: Called with the values of a point, its folder and the epochs to train it for in all; returns its
            scores. After a kill it is called again with the same folder, so that it can resume there. An error
            in it ends the search, which can be resumed.
        oracle: One of ``segkit.search``, or another one of KerasTuner with ``LeasedTrials`` mixed in.
        folder: Where the search lives; ``trials.csv`` is its table.
        identity: What the search is about; another one in the same folder is refused.

    Returns:
        The trials in their order; none in a worker, which knows only its own.

    Raises:
        InputError: If the folder holds another search.
        ValueError: If ``evaluate`` does not return scores by their names.
    """
    # KerasTuner takes a parent folder and a name.
    folder = pathlib.Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    _check_identity(folder / IDENTITY_NAME, oracle, identity or {})
    oracle.verbose = 0
    with contextlib.redirect_stdout(io.StringIO()):  # "Reloading Tuner from ..."
        tuner = _Tuner(evaluate, oracle, folder)
    oracle.after_trial = None if is_worker() else lambda: write_trials(_trials(oracle, folder), folder)
    if is_chief() and _is_over(oracle):
        return _trials(oracle, folder)
    if is_chief():
        _LOG.info(
            "chief: waiting for workers at %s:%s", *(os.environ[f"KERASTUNER_ORACLE_{x}"] for x in ("IP", "PORT"))
        )
        threading.Thread(target=_watch, args=(oracle,), daemon=True).start()
    try:
        tuner.search()
    except keras_tuner.errors.FatalError as fault:
        # What `evaluate` raised, which `run_trial` has wrapped.
        raise fault.__cause__ or fault from None
    if is_worker():
        return []
    write_trials(trials := _trials(oracle, folder), folder)
    return trials


class _Tuner(keras_tuner.Tuner):
    def __init__(self, evaluate: Evaluate, oracle: LeasedTrials, folder: pathlib.Path) -> None:
        self.evaluate = evaluate
        self.own_oracle = oracle
        super().__init__(oracle, directory=str(folder.parent), project_name=folder.name)
        if not os.path.exists(self._get_tuner_fname()):
            self.save()  # or a search killed in its first trial would start over

    def pre_create_trial(self) -> None:
        """Do not ask a chief who has nothing to do more often than this."""
        if self._is_worker():
            time.sleep(0.5)

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate the point of a trial."""
        values, epochs = _values(trial)
        point = _folder_of(pathlib.Path(self.project_dir), values)
        shown = ", ".join(f"{name} {_short(value)}" for name, value in values.items())
        _LOG.info("trial %s: %s%s", trial.trial_id, shown, f", {epochs} epochs" if epochs else "")
        try:
            with self._heartbeats(trial.trial_id):
                scores = self.evaluate(values, point, epochs)
            if not isinstance(scores, Mapping):
                raise ValueError(
                    f"`evaluate` must return scores by their names, such as {{'score': 0.5}}. Received: {scores!r}"
                )
            return dict(scores)
        except Exception as fault:
            # KerasTuner would note a failed trial and continue with the next one.
            raise keras_tuner.errors.FatalError(str(fault)) from fault

    def _get_tuner_fname(self) -> str:
        # One name for all who hold the oracle, so that one process can continue what a chief has begun.
        return super()._get_tuner_fname() if self._is_worker() else os.path.join(str(self.project_dir), "tuner.json")

    @contextlib.contextmanager
    def _heartbeats(self, trial_id: str) -> Iterator[None]:
        """Tell the chief now and then that this worker lives."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(self.own_oracle.lease_s / _HEARTBEATS_A_LEASE):
                self.oracle.get_trial(trial_id)

        if self._is_worker():
            threading.Thread(target=beat, daemon=True).start()
        try:
            yield
        finally:
            done.set()


def _is_over(oracle: LeasedTrials) -> bool:
    """Return whether nothing is left to do, as far as that is known without asking for another trial."""
    ended = [trial for trial in oracle.trials.values() if trial.status != "RUNNING"]
    return oracle.max_trials is not None and len(ended) >= oracle.max_trials


def _watch(oracle: LeasedTrials) -> None:
    while True:
        time.sleep(oracle.lease_s / _HEARTBEATS_A_LEASE)
        oracle.release_dead_workers()


def _trials(oracle: LeasedTrials, folder: pathlib.Path) -> list[SearchTrial]:
    found = []
    for number, trial_id in enumerate(sorted(oracle.trials, key=int)):  # longer searches write longer ids
        trial = oracle.trials[trial_id]
        values, epochs = _values(trial)
        score = None if trial.score is None else float(trial.score)
        found.append(SearchTrial(number, values, epochs, score, trial.status, _folder_of(folder, values)))
    return found


def _values(trial: Any) -> tuple[dict[str, Any], int | None]:
    """Return the searched values of a trial, without KerasTuner's own, and its epochs."""
    values = trial.hyperparameters.values
    names = sorted(name for name in values if not name.startswith("tuner/"))  # the protocol changes their order
    plain = {name: value.item() if isinstance(value := values[name], np.generic) else value for name in names}
    return plain, values.get(_EPOCHS)


def _folder_of(folder: pathlib.Path, values: Mapping[str, Any]) -> pathlib.Path:
    return folder / "points" / "_".join(f"{name}-{_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _check_identity(path: pathlib.Path, oracle: LeasedTrials, identity: Mapping[str, Any]) -> None:
    space = oracle.hyperparameters.get_config()["space"]
    facts = json.loads(json.dumps({**identity, "oracle": type(oracle).__name__, "space": space}))
    if not path.exists():
        with whole_file(path, overwrite=True) as unfinished:
            unfinished.write_text(json.dumps(facts, indent=1) + "\n")
        return
    known = read_object(path, "the record of a search")
    # Leaf by leaf, so that the message names the one setting that differs.
    facts, known = _leaves(facts), _leaves(known)
    for name in sorted(facts.keys() | known.keys()):
        if facts.get(name) != known.get(name):
            raise InputError(
                f"{path.parent}: belongs to another search (its {name} is {_clip(known.get(name))}, not "
                f"{_clip(facts.get(name))}); choose another folder, or start over with --overwrite"
            )


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Return the entries of nested dicts and lists under their own names."""
    if not isinstance(value, (dict, list)):
        return {name: value}
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[str, Any] = {}
    for part, inner in entries:
        found |= _leaves(inner, f"{name}.{part}" if name else str(part))
    return found


def _clip(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + "..."
