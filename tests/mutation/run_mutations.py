"""Do the tests notice? Mutants of the package are run against the tests of their module, one after the other.

    python tests/mutation/run_mutations.py --count 300 --seed 0 --record mutations.jsonl
    python tests/mutation/run_mutations.py --record mutations.jsonl --again
    python tests/mutation/run_mutations.py --record mutations.jsonl --table

A mutant dies if a test of its module fails, or one of its room or of those that import the module, or if they do not
end in time. Mutants are drawn evenly over the files of the rooms. The record is kept after each one: the same command
resumes where it was interrupted. ``--again`` runs those that survived once more, after tests were added.
"""

import argparse
import collections
import importlib.util
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(pathlib.Path(__file__).parent), str(ROOT / "tests")]

from conftest import LONGEST  # noqa: E402
from mutants import count_mutants, mutant  # noqa: E402
from warm_python import WarmPython  # noqa: E402

ROOMS = ("ops", "layers", "losses", "metrics", "targets", "tasks", "preprocessing", "data", "training", "inference",
         "instances", "evaluation")  # fmt: skip
LONGEST_S = 600


def drawn(count, seed, rooms):
    """Return mutants as ``(module's path, number in the module)``, evenly over the files of the rooms."""
    files = [
        path for room in rooms for path in sorted((ROOT / "segkit" / room).rglob("*.py")) if path.stem != "__init__"
    ]
    rng = random.Random(seed)
    rest = {path: rng.sample(range(n), n) for path in files if (n := count_mutants(path.read_text()))}
    chosen = []
    while len(chosen) < count and rest:
        for path in list(rest):
            chosen.append((path.relative_to(ROOT).as_posix(), rest[path].pop()))
            if not rest[path]:
                del rest[path]
    return chosen[:count]


def tests_of(module):
    """Return the test files of a module: its own, its room's, those that the conformance test names, and defaults."""
    room, name = pathlib.Path(module).parts[1], pathlib.Path(module).stem
    table = ROOT / "tests" / "conformance" / "test_every_module.py"
    spec = importlib.util.spec_from_file_location("every_module", table)
    every_module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(every_module)
    dotted = pathlib.Path(module).with_suffix("").as_posix().replace("/", ".")
    found = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "tests" / room).rglob("test_*.py"))
        if path.stem in (f"test_{name}", f"test_{room}_{name}") or path.stem.startswith("test_every_")
    ]
    for file, (_, modules) in every_module.SHARED.items():
        if any(dotted.endswith(f".{one}") for one in modules.split()):
            found.append(f"tests/{file}")
    return [*found, "tests/conformance/test_public_defaults.py"]


def tests_around(module):
    """Return the other test files of a module's room, and those that import the module or what imports it.

    The longest ones, which run whole recipes, are left out.
    """
    dotted = pathlib.Path(module).with_suffix("").as_posix().replace("/", ".")
    users = [path for path in (ROOT / "segkit").rglob("*.py") if dotted in path.read_text()]
    names = [dotted, *(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in users)]
    room = ROOT / "tests" / pathlib.Path(module).parts[1]
    others = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if room not in path.parents]
    found = sorted(room.rglob("test_*.py"))
    found += [path for path in others if any(f"from {name} import" in path.read_text() for name in names)]
    found = [path.relative_to(ROOT).as_posix() for path in found]
    known = tests_of(module)
    return [test for test in found if test not in known and pathlib.Path(test).name not in LONGEST]


def copied(folder):
    """Return a fresh copy of the project."""
    place = folder / "tree"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return place


def tested(python, place, tests, longest_s):
    """Run tests in a copy of the project."""
    words = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    program = python.start(words, place, PYTHONPATH=str(place), PYTHONDONTWRITEBYTECODE="1")
    previous = signal.signal(signal.SIGALRM, lambda *_: program.kill())
    signal.alarm(longest_s)
    try:
        return program.wait()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def check_unchanged(python, modules, folder):
    """Make sure that the tests pass where nothing is changed: else every mutant would seem to die."""
    tests = sorted({test for module in modules for test in (*tests_of(module), *tests_around(module))})
    done = tested(python, copied(folder), tests, 3600)
    assert done.returncode == 0, f"the tests fail without any change:\n{done.stdout[-3000:]}{done.stderr[-1000:]}"


def outcome(python, module, source, folder):
    """Run the tests of a module with another source, and return what became of it."""
    place = copied(folder)
    (place / module).write_text(source)
    start = time.monotonic()
    done = tested(python, place, tests_of(module), LONGEST_S)
    if done.returncode == 0 and (around := tests_around(module)):
        done = tested(python, place, around, LONGEST_S)
    seconds = time.monotonic() - start
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    by = failed[0] if failed else f"status {done.returncode}" if done.returncode else None
    return {"dies": done.returncode != 0, "by": by, "seconds": round(seconds, 1)}


def run(python, module, number, folder):
    """Run the tests of a module with one of its mutants, and return what became of it."""
    changed = mutant((ROOT / module).read_text(), number)
    row = {"module": module, "number": number, "line": changed.line, "change": changed.change}
    return {**row, **outcome(python, module, changed.source, folder)}


def run_again(rows, record):
    """Run those that survived once more, and keep what became of them."""
    python = WarmPython()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        for place, row in enumerate(rows):
            if row["dies"]:
                continue
            rows[place] = run(python, row["module"], row["number"], pathlib.Path(folder))
            assert rows[place]["change"] == row["change"], f"{row['module']} is no longer what it was"
            record.write_text("".join(json.dumps(one) + "\n" for one in rows))
            print(f"{row['module']}:{row['line']} {'dies' if rows[place]['dies'] else 'SURVIVES'}", flush=True)
    python.close()
    return rows


def print_table(rows):
    """Print mutants and survivors of every room, and each survivor."""
    rooms = collections.Counter(pathlib.Path(row["module"]).parts[1] for row in rows)
    alive = [row for row in rows if not row["dies"]]
    alive_in = collections.Counter(pathlib.Path(row["module"]).parts[1] for row in alive)
    for room, count in sorted(rooms.items()):
        print(f"{room:<16}{count:>6} mutants{alive_in[room]:>6} survive")
    print(f"{'all':<16}{len(rows):>6} mutants{len(alive):>6} survive ({100 * len(alive) / max(1, len(rows)):.1f} %)")
    for row in alive:
        print(f"{row['module']}:{row['line']}: {row['change']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=pathlib.Path, required=True, help="file of results, one line of JSON each")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="+", default=ROOMS)
    parser.add_argument("--again", action="store_true", help="run those that survived once more")
    parser.add_argument("--table", action="store_true", help="print what the record holds, and run nothing")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.record.read_text().splitlines()] if arguments.record.exists() else []
    if arguments.again:
        rows = run_again(rows, arguments.record)
    elif not arguments.table:
        known = {(row["module"], row["number"]) for row in rows}
        python = WarmPython()
        with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
            missing = [one for one in drawn(arguments.count, arguments.seed, arguments.rooms) if one not in known]
            if missing and not rows:
                check_unchanged(python, {module for module, _ in missing}, pathlib.Path(folder))
            for module, number in missing:
                rows.append(run(python, module, number, pathlib.Path(folder)))
                with open(arguments.record, "a") as record:
                    record.write(json.dumps(rows[-1]) + "\n")
                state = "dies" if rows[-1]["dies"] else "SURVIVES"
                print(f"{len(rows)}: {module}:{rows[-1]['line']} {state} ({rows[-1]['seconds']} s)", flush=True)
        python.close()
    print_table(rows)


if __name__ == "__main__":
    main()
