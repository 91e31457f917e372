"""Damage files and read them: every fault must end in one line for the user.

    python tests/fuzz/fuzz.py                                   # 300 cases of every reader
    python tests/fuzz/fuzz.py hdf5 tiff --cases 10000 --seed 1

Every reader works in a process of its own with a limit of memory; one that dies or hangs is started again behind the
case that ended it. A case is fine if the file was read, or refused by an ``InputError`` of one line. Printed are the
counts, and every other outcome once, with the number of its first case: ``--only CASE`` repeats it with its traceback.
"""

import argparse
import collections
import json
import os
import pathlib
import queue
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[2])]

from subjects import SUBJECTS  # noqa: E402

MEMORY_BYTES = 3 * 2**30
LONGEST_S = 10.0
FINE = ("read", "refused")


def run(reader, cases, seed, *, first=0):
    """Fuzz one reader.

    Args:
        reader: Name of a subject.
        cases: Number of damaged files.
        seed: Of the damage.
        first: Number of the first case.

    Returns:
        Number of cases of every outcome, and the number of the first case of each.
    """
    counts, examples = collections.Counter(), {}
    done = 0
    while done < cases:
        for case, outcome in _outcomes(reader, first + done, first + cases, seed):
            counts[outcome] += 1
            examples.setdefault(outcome, case)
            done += 1
    return counts, examples


def failures(counts):
    """Return the outcomes that are not fine."""
    return {outcome: number for outcome, number in counts.items() if outcome not in FINE}


def _outcomes(reader, first, end, seed):
    """Yield the number and the outcome of every case, up to the one that ends the process or the last."""
    words = [sys.executable, __file__, reader, "--seed", str(seed), "--work", str(first), str(end)]
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        process = subprocess.Popen(
            [*words, folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=variables, text=True
        )
        lines = queue.Queue()
        threading.Thread(target=lambda: [*map(lines.put, process.stdout), lines.put("")], daemon=True).start()
        at = None
        try:
            while True:
                # Libraries are imported before the first case.
                line = lines.get(timeout=LONGEST_S if at is not None else 300)
                if not line:
                    break
                at, outcome = json.loads(line)
                if outcome is not None:
                    yield at, outcome
                    if at == end - 1:
                        return
        except queue.Empty:
            yield at, f"hangs: more than {LONGEST_S:g} s"
            return
        finally:
            process.kill()
            process.wait()
    assert at is not None, f"the process that reads {reader} does not start"
    yield at, f"dies: {signal.Signals(-process.returncode).name if process.returncode < 0 else process.returncode}"


def _work(reader, first, end, seed, folder):
    """Read damaged files, and print the number of each case before it and its outcome behind it."""
    subject = SUBJECTS[reader]
    (folder / "valid").mkdir()
    valid = subject.make(folder / "valid")
    for module in subject.imports:
        __import__(module)
    is_heavy = "tensorflow" in subject.imports
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES + is_heavy * 4 * 2**30,) * 2)
    for at in range(first, end):
        path = _damaged(subject, valid, random.Random(f"{reader}/{seed}/{at}"), folder)
        print(json.dumps([at, None]), flush=True)
        outcome = _outcome(subject, path)
        print(json.dumps([at, outcome]), flush=True)


def _damaged(subject, valid, rng, folder):
    place = folder / "case"
    shutil.rmtree(place, ignore_errors=True)
    if subject.in_folder:
        shutil.copytree(folder / "valid", place)
    else:
        place.mkdir()
    name = rng.choice(sorted(valid))
    (place / name).write_bytes(subject.mutate(valid[name], rng))
    return place if subject.in_folder else place / name


def _outcome(subject, path):
    from segkit.errors import InputError

    try:
        subject.read(path)
    except InputError as fault:
        text = str(fault)
        return "refused" if text and "\n" not in text.strip() else f"not one line: {text[:60]!r}"
    except BaseException as fault:
        frames = traceback.extract_tb(fault.__traceback__)
        ours = [frame for frame in frames if "/segkit/" in frame.filename][-1]
        where = f"{pathlib.Path(ours.filename).name}:{ours.lineno}"
        return f"{type(fault).__name__} from {where}"
    return "read"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "readers", nargs="*", default=list(SUBJECTS), metavar="READER", help=f"of {', '.join(SUBJECTS)}"
    )
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="CASE", help="repeat one case of one reader, with its traceback")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        first, end, folder = arguments.work
        _work(*arguments.readers, int(first), int(end), arguments.seed, pathlib.Path(folder))
        return
    if arguments.only is not None:
        (reader,) = arguments.readers
        folder = pathlib.Path(tempfile.mkdtemp(prefix="fuzz-"))
        (folder / "valid").mkdir()
        subject = SUBJECTS[reader]
        rng = random.Random(f"{reader}/{arguments.seed}/{arguments.only}")
        path = _damaged(subject, subject.make(folder / "valid"), rng, folder)
        print(path)
        subject.read(path)
        return
    print(f"{'reader':<12}{'cases':>7}{'read':>7}{'refused':>9}{'others':>8}{'seconds':>9}   seed {arguments.seed}")
    for reader in arguments.readers:
        start = time.monotonic()
        counts, examples = run(reader, arguments.cases, arguments.seed)
        others = failures(counts)
        print(
            f"{reader:<12}{arguments.cases:>7}{counts['read']:>7}{counts['refused']:>9}{sum(others.values()):>8}"
            f"{time.monotonic() - start:>9.1f}",
            flush=True,
        )
        for outcome, number in sorted(others.items(), key=lambda item: -item[1]):
            print(f"    {number:>5} x {outcome}   (--only {examples[outcome]})", flush=True)


if __name__ == "__main__":
    main()
