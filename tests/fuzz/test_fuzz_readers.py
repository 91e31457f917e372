"""Damaged files of every kind end in one line for the user, never in a traceback, a dead process or a hang."""

import random

import pytest
from fuzz_readers import FINE, failures, run
from mutations import mutated, mutated_json
from subjects import SUBJECTS

CASES = 300


@pytest.mark.parametrize("reader", SUBJECTS)
def test_damaged_files(reader):
    counts, examples = run(reader, CASES, seed=0)
    assert not failures(counts), examples
    assert sum(counts.values()) == CASES
    # Otherwise what is tested is not damage, or nothing else than it.
    assert min(counts[outcome] for outcome in FINE) > 0 or reader == "snapshot", counts


@pytest.mark.parametrize("damage", [mutated, lambda data, rng: mutated_json(data.decode(), rng)])
def test_damage_is_damage_and_is_repeated_by_its_seed(damage):
    data = b'{"a": [1, 2, {"b": "text"}], "c": null}'
    found = [damage(data, random.Random(seed)) for seed in range(50)]
    assert sum(one != data for one in found) > 40
    assert found == [damage(data, random.Random(seed)) for seed in range(50)]


def test_faults_are_found():
    counts, examples = run("toy", 60, seed=0, subjects="toy_subjects", longest_s=1.0)
    assert sum(counts.values()) == 60
    assert set(failures(counts)) == {
        "KeyError from toy.py:1",
        "MemoryError from the reader",
        "dies: SIGABRT",
        "hangs",
        "not one line: 'two\\nlines'",
    }
    again, _ = run("toy", 1, seed=0, first=examples["dies: SIGABRT"], subjects="toy_subjects")
    assert again == {"dies: SIGABRT": 1}
