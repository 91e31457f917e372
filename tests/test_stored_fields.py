"""What a file holds for a dataclass is checked by its annotations, and what is wrong is said in one line."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import pytest

from segkit.errors import InputError
from segkit.stored_fields import check_types, from_stored


@dataclasses.dataclass(frozen=True)
class Ink:
    color: str = "black"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pen:
    width: float
    tips: int = 1
    is_full: bool = True
    shape: Literal["round", "flat"] = "round"
    name: str | None = None
    sizes: tuple[int, int] = (1, 2)
    owners: tuple[str, ...] = ()
    ink: Ink = dataclasses.field(default_factory=Ink)
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    anything: Any = None
    length: float = dataclasses.field(init=False, default=0.0)
    material: ClassVar[str] = "steel"

    def __post_init__(self):
        if self.width < 0:
            raise ValueError(f"`width` must not be negative. Received: width={self.width!r}")


@pytest.mark.parametrize(
    "values",
    [
        {"width": 1},
        {"width": 1.5, "tips": 2, "is_full": False, "shape": "flat", "name": "a", "sizes": [3, 4], "owners": ["b"]},
        {"width": 1, "name": None, "owners": [], "ink": {"color": "red"}, "notes": {"a": 1}, "anything": [1, None]},
        {"width": 1, "ink": Ink("blue")},
    ],
)
def test_what_is_right_is_taken_as_it_is(values):
    assert from_stored(Pen, values, "pen") == Pen(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("round", "pen 'round'; give a JSON object"),
        (None, "pen None; give a JSON object"),
        ({}, "pen: the setting 'width' is missing; add it"),
        ({"width": 1, "colour": 2}, "pen: unknown setting 'colour'; correct or remove it"),
        ({"width": 1, "length": 2.0}, "pen: unknown setting 'length'; correct or remove it"),
        ({"width": 1, "material": "tin"}, "pen: unknown setting 'material'; correct or remove it"),
        ({"width": -1}, "pen: `width` must not be negative. Received: width=-1"),
        ({"width": "1"}, "pen: width '1'; give a number"),
        ({"width": True}, "pen: width True; give a number"),
        ({"width": 1, "tips": 1.5}, "pen: tips 1.5; give a whole number"),
        ({"width": 1, "is_full": 1}, "pen: is_full 1; give true or false"),
        ({"width": 1, "shape": "square"}, "pen: shape 'square'; give one of round, flat"),
        ({"width": 1, "shape": ["flat"]}, "pen: shape ['flat']; give one of round, flat"),
        ({"width": 1, "name": 3}, "pen: name 3; give text or null"),
        ({"width": 1, "sizes": [1.5, 2]}, "pen: sizes [1.5, 2]; give a list of 2 entries, each a whole number"),
        ({"width": 1, "sizes": [1]}, "pen: sizes [1]; give a list of 2 entries, each a whole number"),
        ({"width": 1, "owners": "ab"}, "pen: owners 'ab'; give a list of entries, each text"),
        ({"width": 1, "ink": "red"}, "pen: ink 'red'; give a JSON object"),
        ({"width": 1, "notes": []}, "pen: notes []; give a JSON object"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(values, message):
    with pytest.raises(InputError) as fault:
        from_stored(Pen, values, "pen")
    assert str(fault.value) == message


def test_a_type_that_only_type_checkers_import_is_not_judged():
    @dataclasses.dataclass
    class Late:
        thing: "Unknown"  # noqa: F821

    check_types(Late, {"thing": 3}, "late")
    assert from_stored(Late, {"thing": 3}, "late") == Late(3)
