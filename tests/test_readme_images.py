"""Every command of the README's sections on images and stacks of cells runs, with a tiny plan."""

import json

from readme_commands import SECTIONS, run, write_files


def run_all(title, folder):
    write_files(folder)
    assert len(SECTIONS[title]) >= 5
    for line in SECTIONS[title]:
        done = run(line, folder)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_several_classes(tmp_path):
    run_all("Several classes, few images", tmp_path)
    assert (tmp_path / "runs" / "searched" / "search" / "trials.csv").exists()


def test_cells(tmp_path):
    run_all("Cells in fluorescence stacks", tmp_path)
    assert "seg" in json.loads((tmp_path / "runs" / "nuclei" / "scores.json").read_text())["total"]
    assert (tmp_path / "saved_models" / "efficientcellseg-nuclei" / "1" / "saved_model.pb").exists()
