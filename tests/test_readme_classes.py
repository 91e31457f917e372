"""Every command of the README's section on images of several classes runs, with a tiny plan."""

from readme_commands import SECTIONS, run_as_user, run_warm, write_files


def test_several_classes(tmp_path, warm_python):
    write_files(tmp_path)
    first, *others = SECTIONS["Several classes, few images"]
    assert first.startswith("python -m recipes.fre ")
    assert len(others) >= 5
    done = run_as_user(first, tmp_path)
    assert done.returncode == 0, f"{first}\n{done.stderr}"
    for line in others:
        done = run_warm(line, tmp_path, warm_python)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert (tmp_path / "runs" / "searched" / "search" / "trials.csv").exists()
