"""What a plan holds under ``model`` is what its recipe says."""

import dataclasses
import pathlib

import pytest

from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments.model_settings import check_counts, model_settings
from segkit.experiments.plan import RunPlan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    widths: tuple[int, ...]
    rate: float = 0.5

    def __post_init__(self):
        check_counts("widths", self.widths, least=2)


def plan(**model):
    data = (Source(tomogram="t.mrc", mask="m.mrc"),)
    return RunPlan(recipe="toy", structure="a", preset="own", data=data, model=model)


def test_settings_are_read_with_their_defaults():
    assert model_settings(Settings, plan(widths=[3, 1])) == Settings(widths=[3, 1], rate=0.5)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({}, "the setting 'widths' is missing"),
        ({"widths": 3}, "widths 3; give a list"),
        ({"widths": [3, 2.5]}, r"widths \[3, 2\.5\]; give a list"),
        ({"widths": [3]}, r"`widths` must be .* at least 2\. Received: widths=\[3\]"),
        ({"widths": [3, 0]}, r"`widths` must be .* positive .*widths=\[3, 0\]"),
        ({"widths": [3, 1], "rate": True}, "rate True; give a number"),
    ],
)
def test_what_is_wrong_is_told_with_the_entry_and_the_file(model, message):
    with pytest.raises(InputError, match=f"^a/plan.json: plan: under 'model': {message}"):
        model_settings(Settings, plan(**model), pathlib.Path("a/plan.json"))
    with pytest.raises(InputError, match=f"^plan: under 'model': {message}"):
        model_settings(Settings, plan(**model))
