"""Data that recipes simulate are where the plan, which is made first, says that they are."""

import pathlib

import pytest

from segkit.data.cell_simulation import CellSimulation
from segkit.data.phantom import generate
from segkit.experiments import demo_cells, demo_phantoms
from segkit.volumes.files import open_volume


def test_simulated_stacks_are_where_the_plan_says(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_cells, "TINY", False)
    simulation = CellSimulation(shape=(2, 16, 16), count=1, voxel_size_um=(2.0, 0.8, 0.8))
    sources, (simulated, split) = demo_cells.demo_cells(tmp_path, simulation, 7)
    assert not list(tmp_path.iterdir())
    demo_cells.simulate_demo_cells(tmp_path, simulation, 7)
    written = {path for path in tmp_path.rglob("*.tif") if "TRA" not in path.parts}
    assert {pathlib.Path(path) for source in sources for path in (source.tomogram, source.mask)} == written
    assert [bool(source.train) for source in sources] == [True] * 5 + [False] * 3
    assert [source.test for source in sources[-2:]] == ["0-1", "0-1"]
    assert split == (
        "Trained on stacks of the seeds 7, 8, 9, 10, 11, checkpoint chosen on seed 12, scored on seeds 1007, 1008."
    )
    assert simulated.startswith("Stacks are simulated.")
    shapes = {open_volume(source.mask).shape for source in sources}
    assert shapes == {(2, 16, 16)}


@pytest.mark.parametrize("name", ["golgi", "centriole"])
def test_phantoms_are_where_the_plan_says(name, tmp_path, monkeypatch):
    monkeypatch.setattr(demo_phantoms, "_SHAPE", (4, 96, 96))
    monkeypatch.setattr(demo_phantoms, "_CENTRIOLES", None)
    made, make = [], generate.make_phantom
    phantom = make(shape=(4, 96, 96), voxel_size_nm=9.02, seed=0)
    monkeypatch.setattr(generate, "make_phantom", lambda **how: made.append(how["seed"]) or phantom)
    sources, (_, split) = demo_phantoms.demo_phantoms(tmp_path, [name], 5)
    assert not list(tmp_path.iterdir())
    demo_phantoms.make_demo_phantoms(tmp_path, 5)
    assert split == "Trained on phantoms of the seeds 5, 6, 7, checkpoint chosen on seed 8, scored on seed 1005."
    assert made == [5, 6, 7, 8, 1005]
    for source in sources[name]:
        assert pathlib.Path(source.tomogram).exists()
        assert pathlib.Path(source.mask).name == f"{name}.mrc"
        assert pathlib.Path(source.mask).exists()
    assert [(s.train, s.validation, s.test) for s in sources[name]][-2:] == [("", "0-3", ""), ("", "", "0-3")]
