"""Every command of the README's section on stacks of cells runs, with a tiny plan."""

import json

from readme_commands import SECTIONS, run_as_user, run_warm, write_files


def test_cells(tmp_path, warm_python):
    write_files(tmp_path)
    first, *others = SECTIONS["Cells in fluorescence stacks"]
    assert first == "python -m recipes.efficientcellseg"  # which trains an EfficientNet
    assert len(others) >= 5
    done = run_as_user(first, tmp_path)
    assert done.returncode == 0, f"{first}\n{done.stderr}"
    for line in others:
        done = run_warm(line, tmp_path, warm_python, smaller_encoder=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    scores = json.loads((tmp_path / "runs" / "nuclei" / "scores.json").read_text())
    assert "seg" in scores["total"]
    assert any(notice.startswith("SEGKIT_TINY_PLAN is set") for notice in scores["notices"])
    assert (tmp_path / "saved_models" / "efficientcellseg-nuclei" / "1" / "saved_model.pb").exists()
