"""A tree-structured Parzen estimator for KerasTuner: what Ando & Hotta (2021) searched with.

After Bergstra, Bardenet, Bengio & Kegl (2011), "Algorithms for Hyper-Parameter Optimization", Sec. 4, and for the
widths of the kernels Bergstra, Yamins & Cox (2013). Here to be compared with; ``segkit.search`` uses KerasTuner's own.
"""

from __future__ import annotations

import math
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine import trial as trial_module
from scipy import stats

from segkit.search.oracles import LeasedTrials


class TPEOracle(LeasedTrials, keras_tuner.Oracle):
    """Suggest the point, of some drawn where good trials lie, that bad trials are farthest from.

    Every setting is looked at by itself, on KerasTuner's scale from 0 to 1.

    Args:
        num_initial_points: Random points before the first estimate.
        num_candidates: Points that are drawn for a suggestion.
        **kwargs: As in ``keras_tuner.Oracle``.
    """

    def __init__(self, *, num_initial_points: int = 6, num_candidates: int = 24, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_initial_points = num_initial_points
        self.num_candidates = num_candidates

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the next point."""
        done = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        values = self._estimated(done) if len(done) >= self.num_initial_points else self._random_values()
        status = trial_module.TrialStatus
        return {"status": status.STOPPED if values is None else status.RUNNING, "values": values}

    def _estimated(self, done: list[Any]) -> dict[str, Any] | None:
        sign = 1 if self.objective.direction == "max" else -1
        ranked = sorted(done, key=lambda trial: -sign * trial.score)
        num_good = min(math.ceil(0.25 * math.sqrt(len(ranked))), 25)
        random = np.random.default_rng([self.seed, len(self.trials)])
        gain = np.zeros(self.num_candidates)
        columns = {}
        for setting in self.hyperparameters.space:
            places = [setting.value_to_prob(trial.hyperparameters.values[setting.name]) for trial in ranked]
            good, bad = parzen(places[:num_good]), parzen(places[num_good:])
            drawn = draw(good, self.num_candidates, random)
            gain += np.log(density(good, drawn)) - np.log(density(bad, drawn))
            columns[setting.name] = [setting.prob_to_value(min(place, 1 - 1e-9)) for place in drawn]
        for i in np.argsort(-gain):
            values = {name: column[i] for name, column in columns.items()}
            if not self._duplicate(values):
                return values
        return self._random_values()


Parzen = tuple[np.ndarray, np.ndarray]
"""Centres and widths of normal kernels on [0, 1], the prior's among them."""


def parzen(places: list[float]) -> Parzen:
    """Return a kernel at each place, as wide as the farther of its neighbours is away, and a wide one for the prior."""
    centers = np.sort([*places, 0.5])
    ends = np.concatenate([[0.0], centers, [1.0]])
    widths = np.maximum(centers - ends[:-2], ends[2:] - centers)
    widths = np.clip(widths, 1 / min(100, len(centers) + 1), 1.0)
    widths[np.searchsorted(centers, 0.5)] = 1.0
    return centers, widths


def draw(kernels: Parzen, count: int, random: np.random.Generator) -> np.ndarray:
    """Draw places in [0, 1]."""
    chosen = random.integers(len(kernels[0]), size=count)
    centers, widths = (values[chosen] for values in kernels)
    return stats.truncnorm.rvs(-centers / widths, (1 - centers) / widths, centers, widths, random_state=random)


def density(kernels: Parzen, places: np.ndarray) -> np.ndarray:
    """Return the density at places."""
    centers, widths = kernels
    each = stats.truncnorm.pdf(places[:, None], -centers / widths, (1 - centers) / widths, centers, widths)
    return each.mean(axis=1)
