"""Kinds are stored by name, found again, and what is wrong in a stored one is said in one line."""

import dataclasses
import sys

import pytest

from segkit.errors import InputError
from segkit.registry import Registry, user_modules
from segkit.tasks.cells import CellsTask


@dataclasses.dataclass(frozen=True)
class Disc:
    radius: float = 1.0
    center: tuple[int, ...] = (0, 0)

    def __post_init__(self):
        object.__setattr__(self, "center", tuple(self.center))
        if self.radius <= 0:
            raise ValueError(f"`radius` must be positive. Received: {self.radius!r}")


@pytest.fixture
def shapes():
    registry = Registry("shape", {})
    registry.register("disc")(Disc)
    return registry


def test_there_and_back(shapes):
    stored = shapes.to_dict(Disc(2.0, (3, 4)))
    assert stored == {"kind": "disc", "radius": 2.0, "center": [3, 4]}
    assert shapes.from_dict(stored) == Disc(2.0, (3, 4))
    assert shapes.from_dict({"kind": "disc"}) == Disc()


def test_a_kind_may_store_settings_of_its_own(shapes):
    @shapes.register("square")
    @dataclasses.dataclass(frozen=True)
    class Square:
        side: float

        def settings(self):
            return {"side": round(self.side)}

    assert shapes.to_dict(Square(2.9)) == {"kind": "square", "side": 3}
    assert shapes.names() == ["disc", "square"]


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"kind": "ring"}, "unknown shape 'ring'; choose one of disc"),
        ({}, "unknown shape None"),
        ({"kind": "disc", "raduis": 2}, "shape 'disc': unknown setting 'raduis'"),
        ({"kind": "disc", "radius": -1}, "shape 'disc': `radius` must be positive"),
        ("disc", "give a JSON object with the entry 'kind'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(shapes, stored, message):
    with pytest.raises(InputError, match=message) as fault:
        shapes.from_dict(stored)
    assert "\n" not in str(fault.value)


def test_a_name_belongs_to_one_class(shapes):
    shapes.register("disc")(Disc)  # the same module, imported again
    with pytest.raises(ValueError, match="which is Disc"):
        shapes.register("disc")(type("Other", (), {}))


def test_kinds_of_its_own_are_imported_when_they_are_asked_for(tmp_path, monkeypatch):
    (tmp_path / "late_shape.py").write_text(
        "import test_registry_shapes as s\n\n@s.LATE.register('late')\nclass Late: pass\n"
    )
    late = Registry("shape", {"late": "late_shape"})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "test_registry_shapes", type("module", (), {"LATE": late}))
    assert late.names() == ["late"]
    assert "late_shape" not in sys.modules
    assert late.find("late").kind == "late"
    del sys.modules["late_shape"]


def test_modules_outside_of_segkit_that_define_kinds_and_what_they_hold():
    @dataclasses.dataclass(frozen=True)
    class Pair:
        first: object
        second: object = 1

    Pair.__module__ = "pairs"
    assert user_modules(CellsTask()) == []
    assert user_modules(Pair(Pair(Disc())), CellsTask()) == ["pairs", __name__]


def test_a_class_that_is_not_registered_is_not_stored_as_its_parent(shapes):
    class Spot(Disc):
        pass

    for thing in (Spot(), object()):
        with pytest.raises(ValueError, match=r"register .* as a shape of a new kind"):
            shapes.to_dict(thing)
