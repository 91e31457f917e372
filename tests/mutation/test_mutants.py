"""What is changed in a program, and what is not."""

import ast

import pytest
from mutants import count_mutants, mutant
from paper_points import POINTS
from run_mutations import ROOT

PROGRAM = '''
"""A module of 3 lines."""
import logging

_log = logging.getLogger(__name__)

def area(height: int = 2, width=1.5) -> float:
    """Return height * width, 7 times."""
    if height < 0 and not width:
        raise ValueError(f"{height + 1} is wrong")
    _log.info("%d", height + 1)
    result = max(height, 0) * width
    note(result)
    return result

def __repr__(self):
    return self.a + self.b
'''


def test_one_thing_is_changed_at_a_time():
    found = [mutant(PROGRAM, number) for number in range(count_mutants(PROGRAM))]
    assert sorted(one.change for one in found) == sorted(
        [
            "2  ->  3",
            "1.5  ->  3.0",
            "height < 0  ->  height <= 0",
            "height < 0 and (not width)  ->  height < 0 or not width",
            "not width  ->  width",
            "0  ->  1",
            "max  ->  min",
            "0  ->  1",
            "max(height, 0) * width  ->  max(height, 0) / width",
            "note(result)  ->  pass",
        ]
    )
    original = ast.unparse(ast.parse(PROGRAM))
    assert len({one.source for one in found}) == len(found)
    for one in found:
        ast.parse(one.source)
        lines = zip(original.splitlines(), one.source.splitlines(), strict=True)
        assert sum(before != after for before, after in lines) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "x: int = y",
        "raise ValueError(1 + 2)",
        "'7 < 8'",
        "x = zip(a, strict=True)",
        "@dataclass(frozen=True)\nclass A: ...",
    ],
)
def test_what_decides_no_result_is_left_alone(text):
    assert count_mutants(text) == 0


@pytest.mark.parametrize("point", POINTS, ids=[title for title, *_ in POINTS])
def test_what_a_point_of_a_paper_replaces_stands_once_in_its_module(point):
    _, module, before, after = point
    source = (ROOT / f"segkit/{module}.py").read_text()
    assert source.count(before) == 1
    ast.parse(source.replace(before, after))
