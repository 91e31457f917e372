import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.errors import InputError
from segkit.inference.legend import PAPER_COLORS, legend_path, structure_colors, write_legend

NAMES = st.sampled_from([*PAPER_COLORS, "actin", "ribosome", "vesicle"])


def test_the_papers_structures_have_the_papers_colours(tmp_path):
    path = tmp_path / "labels.legend.json"
    write_legend(path, ["synapse", "microtubules", "centriole", "granules", "golgi"])
    legend = json.loads(path.read_text())
    assert legend == {
        "0": {"structure": "background", "color": "#000000"},
        "1": {"structure": "synapse", "color": "#ffffff"},
        "2": {"structure": "microtubules", "color": "#ff0000"},
        "3": {"structure": "centriole", "color": "#ffff00"},
        "4": {"structure": "granules", "color": "#0000ff"},
        "5": {"structure": "golgi", "color": "#00ff00"},
    }


@given(st.lists(NAMES, max_size=60))
def test_no_two_labels_look_alike(names):
    colors = structure_colors(names)
    assert len(set(colors)) == len(names)
    assert (0, 0, 0) not in colors
    for index, name in enumerate(names):
        if name in PAPER_COLORS and name not in names[:index]:
            assert colors[index] == PAPER_COLORS[name]


@pytest.mark.parametrize("name", ["labels.mrc", "labels.mrc.gz", "labels.rec.bz2", "labels"])
def test_the_legend_stands_beside_the_labels(name):
    assert legend_path(f"runs/{name}") == pathlib.Path("runs/labels.legend.json")


def test_a_legend_is_not_replaced_unasked(tmp_path):
    path = tmp_path / "a.legend.json"
    write_legend(path, ["golgi"])
    with pytest.raises(InputError, match="already exists"):
        write_legend(path, ["synapse"])
    assert "golgi" in path.read_text()
    write_legend(path, ["synapse"], overwrite=True)
    assert "golgi" not in path.read_text()
