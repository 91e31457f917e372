"""Damage files and read them: every fault must end in one line for the user.

    python tests/fuzz/fuzz_readers.py                                   # 300 cases of every reader
    python tests/fuzz/fuzz_readers.py hdf5 tiff --cases 10000 --seed 1

Every reader works in a process of its own with a limit of memory; one that dies or hangs is started again behind the
case that ended it. A case is fine if the file was read, or refused by an ``InputError`` of one line. Printed are the
counts, and every other outcome once, with the number of its first case: ``--only CASE`` repeats it with its traceback.
"""

import argparse
import collections
import importlib
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

MEMORY_BYTES = 3 * 2**30
LONGEST_S = 10.0
FINE = ("read", "refused")


def run(reader, cases, seed, *, first=0, subjects="subjects", longest_s=LONGEST_S):
    """Fuzz one reader.

    Args:
        reader: Name of a subject.
        cases: Number of damaged files.
        seed: Of the damage.
        first: Number of the first case.
        subjects: Module that holds the readers as ``SUBJECTS``.
        longest_s: Time that a case may take [s].

    Returns:
        Number of cases of every outcome, and the number of the first case of each.
    """
    counts, examples = collections.Counter(), {}
    done = 0
    while done < cases:
        words = [reader, "--subjects", subjects, "--seed", str(seed), "--work", str(first + done), str(first + cases)]
        for case, outcome in _outcomes(words, first + cases, longest_s):
            counts[outcome] += 1
            examples.setdefault(outcome, case)
            done += 1
    return counts, examples


def failures(counts):
    """Return the outcomes that are not fine."""
    return {outcome: number for outcome, number in counts.items() if outcome not in FINE}


def _outcomes(words, end, longest_s):
    """Yield the number and the outcome of every case, up to the one that ends the process or the last."""
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        command = [sys.executable, __file__, *words, folder]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        process = subprocess.Popen(command, env=variables, **pipes)
        lines = queue.Queue()
        reading = threading.Thread(target=lambda: [*map(lines.put, process.stdout), lines.put("")])
        reading.start()
        at = None
        try:
            while True:
                # Libraries are imported before the first case.
                line = lines.get(timeout=300 if at is None else longest_s)
                if not line:
                    break
                at, outcome = json.loads(line)
                if outcome is not None:
                    yield at, outcome
                    if at == end - 1:
                        return
        except queue.Empty:
            yield at, "hangs"
            return
        finally:
            process.kill()
            process.wait()
            reading.join()
            process.stdout.close()
    assert at is not None, f"the process that reads does not start: {words}"
    yield at, f"dies: {signal.Signals(-process.returncode).name if process.returncode < 0 else process.returncode}"


def _work(subject, reader, first, end, seed, folder):
    """Read damaged files, and print the number of each case before it and its outcome behind it."""
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
        ours = [frame for frame in traceback.extract_tb(fault.__traceback__) if "/segkit/" in frame.filename]
        where = f"{pathlib.Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "the reader"
        return f"{type(fault).__name__} from {where}"
    return "read"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", metavar="READER", help="all, if none is named")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="CASE", help="repeat one case of one reader, with its traceback")
    parser.add_argument("--subjects", default="subjects", help=argparse.SUPPRESS)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    subjects = importlib.import_module(arguments.subjects).SUBJECTS
    readers = arguments.readers or list(subjects)
    if arguments.work:
        first, end, folder = arguments.work
        _work(subjects[readers[0]], readers[0], int(first), int(end), arguments.seed, pathlib.Path(folder))
    elif arguments.only is not None:
        _repeat(subjects[readers[0]], random.Random(f"{readers[0]}/{arguments.seed}/{arguments.only}"))
    else:
        _print_table(readers, arguments)


def _repeat(subject, rng):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fuzz-"))
    (folder / "valid").mkdir()
    path = _damaged(subject, subject.make(folder / "valid"), rng, folder)
    print(path)
    subject.read(path)


def _print_table(readers, arguments):
    print(f"{'reader':<12}{'cases':>7}{'read':>7}{'refused':>9}{'others':>8}{'seconds':>9}   seed {arguments.seed}")
    for reader in readers:
        start = time.monotonic()
        counts, examples = run(reader, arguments.cases, arguments.seed, subjects=arguments.subjects)
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
