"""Oracles of KerasTuner that never repeat a point, outlive a dead worker, and can be killed at any moment."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine import trial as trial_module
from sklearn.exceptions import ConvergenceWarning

from segkit.volumes.whole_output import whole_file

_CANDIDATES = 4096
_STATUS = trial_module.TrialStatus


def is_chief() -> bool:
    """Return whether this process hands out the trials of a search that several share."""
    return "KERASTUNER_ORACLE_IP" in os.environ and "chief" in os.environ.get("KERASTUNER_TUNER_ID", "")


def is_worker() -> bool:
    """Return whether this process is one of several that share a search, and not their chief."""
    return "KERASTUNER_ORACLE_IP" in os.environ and not is_chief()


class LeasedTrials:
    """Mixed into an oracle: a trial whose worker is silent for too long is given to another one.

    KerasTuner's own chief waits for a dead worker forever. Workers show that they live by asking for their trial
    (``get_trial``) now and then, which ``segkit.search.search`` does for them. While a trial is under way somewhere, a
    worker that finds nothing else to do waits, so that it can take it over.

    State is written atomically, so that a search killed at any moment can be resumed.

    Attributes:
        lease_s: Silence after which a worker counts as dead [s].
        after_trial: Called after each trial that has ended.
    """

    lease_s = 120.0
    after_trial: Callable[[], None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._trials_seen: dict[str, float] = {}
        self._workers_seen: dict[str, float] = {}

    @keras_tuner.synchronized
    def get_trial(self, trial_id: str) -> Any:
        """Return a trial; its worker lives."""
        now = time.monotonic()
        self._trials_seen[trial_id] = now
        self._workers_seen.update({name: now for name, t in self.ongoing_trials.items() if t.trial_id == trial_id})
        return super().get_trial(trial_id)

    @keras_tuner.synchronized
    def end_trial(self, trial: Any) -> None:
        """Note what a trial has brought, also one that was believed dead."""
        now = time.monotonic()
        self._workers_seen.update({n: now for n, t in self.ongoing_trials.items() if t.trial_id == trial.trial_id})
        super().end_trial(trial)
        # It may wait there for another worker, put back when its own was believed dead.
        self._retry_queue = [waiting for waiting in self._retry_queue if waiting != trial.trial_id]
        self.save()  # KerasTuner's own still names it as under way
        if self.after_trial is not None:
            self.after_trial()

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Any:
        """Return the next trial of a worker."""
        self.release_dead_workers()
        self._workers_seen[tuner_id] = time.monotonic()
        trial = super().create_trial(tuner_id)
        if trial.status == _STATUS.RUNNING:
            self._trials_seen[trial.trial_id] = time.monotonic()
        elif trial.status == _STATUS.STOPPED and self.ongoing_trials:
            self.tuner_ids.add(tuner_id)  # it has not left yet
            trial.status = _STATUS.IDLE
        return trial

    @keras_tuner.synchronized
    def release_dead_workers(self) -> None:
        """Put the trials of silent workers back, for the next one who asks."""
        now = time.monotonic()
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if now - self._trials_seen.setdefault(trial.trial_id, now) > self.lease_s:
                self.ongoing_trials.pop(tuner_id)
                self._retry_queue.append(trial.trial_id)
                self.save()
        for tuner_id in self.tuner_ids - self.ongoing_trials.keys():
            if now - self._workers_seen.setdefault(tuner_id, now) > self.lease_s:
                self.tuner_ids.discard(tuner_id)

    def reload(self) -> None:
        """Read what an earlier process has written, with the trials that it left unfinished for the next who asks.

        A chief lets workers that may still live keep theirs for the time of a lease.
        """
        super().reload()
        unfinished = [trial for trial in self.trials.values() if trial.status == _STATUS.RUNNING]
        self._retry_queue = [trial.trial_id for trial in unfinished]
        for trial in unfinished:
            self._record_values(trial)
        if not is_chief():
            return
        for tuner_id, trial_id in self._left_over.items():
            if trial_id in self._retry_queue:
                self._retry_queue.remove(trial_id)
                self.ongoing_trials[tuner_id] = self.trials[trial_id]
                self.tuner_ids.add(tuner_id)
                self._trials_seen[trial_id] = time.monotonic()

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over a saved state."""
        super().set_state(state)
        self._left_over = dict(state["ongoing_trials"])

    def save(self) -> None:
        """Write the state, atomically."""
        with whole_file(self._get_oracle_fname(), overwrite=True) as unfinished:
            unfinished.write_text(json.dumps(self.get_state()))

    def _save_trial(self, trial: Any) -> None:
        # KerasTuner's own writes in place: killed at that moment it could not be read again.
        path = f"{self._get_trial_dir(trial.trial_id)}/trial.json"
        with whole_file(path, overwrite=True) as unfinished:
            unfinished.write_text(json.dumps(trial.get_state()))


class DistinctBayesianOracle(LeasedTrials, keras_tuner.oracles.BayesianOptimizationOracle):
    """KerasTuner's Gaussian process, asked about many points at once, of which the best untried one is taken.

    The original climbs its acquisition function from 50 places, point by point: seconds a suggestion, and on whole
    numbers the same point again and again. Here the same function (lower confidence bound) is looked at on 4096 random
    points in one go.

    Args:
        *args: As in ``keras_tuner.oracles.BayesianOptimizationOracle``.
        **kwargs: See there.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the next point."""
        completed = sum(trial.status == _STATUS.COMPLETED for trial in self.trials.values())
        if completed < (self.num_initial_points or max(3 * len(self.hyperparameters.space), 3)):
            return self._random_populate_space()
        points, scores = (np.nan_to_num(array, posinf=0, neginf=0) for array in self._vectorize_trials())
        with warnings.catch_warnings():
            # One of its 21 starts may not converge; the best of them is taken.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.gpr.fit(points, scores)
        bounds = self._get_hp_bounds()
        random = np.random.default_rng([self.seed, len(self.trials)])  # the same ones after a kill
        candidates = random.uniform(bounds[:, 0], bounds[:, 1], size=(_CANDIDATES, len(bounds)))
        mean, deviation = self.gpr.predict(candidates, return_std=True)
        # KerasTuner's scores are to be minimised here: the lowest confidence bound is the best.
        for i in np.argsort(mean - self.beta * deviation):
            values = self._vector_to_values(candidates[i])
            if not self._duplicate(values):
                return {"status": _STATUS.RUNNING, "values": values}
        return {"status": _STATUS.STOPPED, "values": None}


class DistinctRandomOracle(LeasedTrials, keras_tuner.oracles.RandomSearchOracle):
    """KerasTuner's random search, which never repeats a point."""


class HalvingOracle(LeasedTrials, keras_tuner.oracles.HyperbandOracle):
    """Successive halving: many points for few epochs, the best of them for more, and so on.

    It is the first, most economical bracket of KerasTuner's Hyperband; the others spend as much again each. Trials
    carry ``tuner/epochs``, the epochs that their point is to be trained for in all.

    Args:
        min_epochs: Least epochs of a point.
        **kwargs: As in ``keras_tuner.oracles.HyperbandOracle``: ``max_epochs``, ``factor`` and the rest.
    """

    def __init__(self, *, min_epochs: int = 1, **kwargs: Any) -> None:
        self._least_epochs = min_epochs  # in front of super().__init__, which plans by it
        super().__init__(**kwargs)
        self._current_bracket = 0  # the last one, so that no other is begun

    def _get_num_brackets(self) -> int:
        self.min_epochs = self._least_epochs
        return super()._get_num_brackets()
