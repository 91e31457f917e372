"""Oracles repeat no point, find the top of a hill, and spend as few epochs as they say."""

import collections
import math

import keras_tuner
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.search.oracles import DistinctBayesianOracle, DistinctRandomOracle, HalvingOracle
from segkit.search.tuner import search

OBJECTIVE = keras_tuner.Objective("val_mean_iou", "max")


def small_space():
    space = keras_tuner.HyperParameters()
    space.Int("b", 1, 6)
    space.Int("x", 1, 6)
    return space


def wide_space():
    space = keras_tuner.HyperParameters()
    space.Int("b", 1, 512)
    space.Float("x", 1.0, 1000.0, sampling="log")
    return space


def hill(values):
    return -(((values["b"] - 160) / 512) ** 2) - (math.log10(values["x"]) - 2.4) ** 2


class Evaluate:
    def __init__(self, score):
        self.score = score
        self.trained = collections.Counter()

    def __call__(self, values, folder, epochs):
        self.trained[folder] = max(self.trained[folder], epochs or 0)
        return {"val_mean_iou": self.score(values)}


@pytest.mark.parametrize("kind", [DistinctBayesianOracle, DistinctRandomOracle])
def test_no_point_is_tried_twice_and_an_exhausted_space_ends_the_search(kind, tmp_path):
    oracle = kind(objective=OBJECTIVE, max_trials=30, hyperparameters=small_space(), seed=1)
    trials = search(Evaluate(lambda values: values["b"] * values["x"]), oracle, tmp_path)
    points = [(trial.values["b"], trial.values["x"]) for trial in trials]
    assert len(set(points)) == len(points)
    assert len(points) == 30 or kind is DistinctRandomOracle  # which gives up after 20 collisions
    every = kind(objective=OBJECTIVE, max_trials=100, hyperparameters=small_space(), seed=1)
    number = len(search(Evaluate(lambda values: values["b"]), every, tmp_path / "all"))
    assert number == 36 or (kind is DistinctRandomOracle and number < 36)


def test_the_gaussian_process_finds_the_top_of_a_hill(tmp_path):
    found = {DistinctBayesianOracle: [], DistinctRandomOracle: []}
    for kind, scores in found.items():
        for seed in (1000, 2000, 3000):
            oracle = kind(objective=OBJECTIVE, max_trials=25, hyperparameters=wide_space(), seed=seed)
            trials = search(Evaluate(hill), oracle, tmp_path / f"{kind.__name__}-{seed}")
            scores.append(max(trial.score for trial in trials))
    assert min(found[DistinctBayesianOracle]) > -0.01
    assert np.mean(found[DistinctBayesianOracle]) > np.mean(found[DistinctRandomOracle]) / 3


def test_halving_trains_many_points_little_and_the_best_to_the_end(tmp_path):
    evaluate = Evaluate(hill)
    oracle = HalvingOracle(objective=OBJECTIVE, min_epochs=5, max_epochs=45, hyperparameters=wide_space(), seed=1)
    trials = search(evaluate, oracle, tmp_path)
    rungs = collections.Counter(trial.epochs for trial in trials)
    assert sorted(rungs) == [5, 15, 45]
    assert rungs[5] > rungs[15] > rungs[45] >= 1
    assert len(evaluate.trained) == rungs[5]  # a point that goes on does so in its folder
    assert sum(evaluate.trained.values()) < 0.3 * 45 * len(evaluate.trained)
    ranked = sorted((trial for trial in trials if trial.epochs == 5), key=lambda trial: -trial.score)
    kept = {trial.folder for trial in trials if trial.epochs == 45}
    assert kept == {trial.folder for trial in ranked[: len(kept)]}


def test_another_search_in_the_folder_is_refused(tmp_path):
    def run(**changes):
        settings = {"what": "mouse", "space": wide_space(), "kind": DistinctRandomOracle, **changes}
        oracle = settings["kind"](objective=OBJECTIVE, max_trials=2, hyperparameters=settings["space"], seed=1)
        return search(Evaluate(hill), oracle, tmp_path, identity={"what": settings["what"]})

    assert len(run()) == 2
    assert len(run()) == 2
    for change in ({"what": "fly"}, {"space": small_space()}, {"kind": DistinctBayesianOracle}):
        with pytest.raises(InputError, match="belongs to another search"):
            run(**change)
    with pytest.raises(InputError, match=r"its what is \"mouse\", not \"fly\""):
        run(what="fly")
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(InputError, match="not the record of a search"):
        run()


def test_a_fault_ends_the_search_and_the_point_is_tried_again(tmp_path):
    def search_with(evaluate):
        oracle = DistinctRandomOracle(objective=OBJECTIVE, max_trials=3, hyperparameters=wide_space(), seed=1)
        return search(evaluate, oracle, tmp_path)

    def broken(values, folder, epochs):
        raise InputError("the disk is full")

    with pytest.raises(InputError, match="the disk is full"):
        search_with(broken)
    trials = search_with(Evaluate(hill))
    assert [trial.status for trial in trials] == ["COMPLETED"] * 3


def test_scores_without_a_name_are_refused(tmp_path):
    oracle = DistinctRandomOracle(
        objective=keras_tuner.Objective("score", "max"), max_trials=2, hyperparameters=small_space(), seed=0
    )
    with pytest.raises(ValueError, match=r"`evaluate` must return scores by their names.*Received: 1\.0"):
        search(lambda values, folder, epochs: 1.0, oracle, tmp_path / "s")
