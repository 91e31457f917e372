import sys

from segkit.experiments.provenance import commands_of, remember_command


def test_a_run_remembers_all_commands_that_made_it(tmp_path, monkeypatch):
    def remember(*words, resume):
        monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "recipes.segET", *words])
        remember_command(tmp_path, resume=resume)
        return [line.split("recipes.segET", 1)[1].strip() for line in commands_of(tmp_path).splitlines()]

    assert remember("--out", "a b", resume=False) == ["--out 'a b'"]
    for _ in range(2):
        assert remember("--resume", resume=True) == ["--out 'a b'", "--resume"]
    assert len((tmp_path / "commands.txt").read_text().splitlines()) == 2
    assert remember("--overwrite", resume=False) == ["--overwrite"]
