import sys

from segkit.experiments.provenance import remember_command


def test_a_run_remembers_all_commands_that_made_it(tmp_path, monkeypatch):
    path = tmp_path / "commands.txt"

    def remember(*words, resume):
        monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "recipes.segET", *words])
        return [line.split("recipes.segET", 1)[1].strip() for line in remember_command(path, resume=resume)]

    assert remember("--out", "a b", resume=False) == ["--out 'a b'"]
    for _ in range(2):
        assert remember("--resume", resume=True) == ["--out 'a b'", "--resume"]
    assert len(path.read_text().splitlines()) == 2
    assert remember("--overwrite", resume=False) == ["--overwrite"]
