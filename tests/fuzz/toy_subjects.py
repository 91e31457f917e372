"""A reader with every fault that the fuzzer must tell from what is fine."""

import os
import pathlib
import time

from subjects import Subject

FAULTS = ["fine"] * 8 + ["refuses", "raises", "dies", "hangs", "two lines", "eats"]


def read(path):
    from segkit.errors import InputError

    fault = pathlib.Path(path).read_text()
    if fault == "refuses":
        raise InputError("one line")
    if fault == "two lines":
        raise InputError("two\nlines")
    if fault == "dies":
        os.abort()
    if fault == "hangs":
        time.sleep(1000)
    if fault == "eats":
        bytearray(2**40)
    if fault == "raises":
        # As if segkit's own code raised: the place is named by its file.
        exec(compile("raise KeyError('a')", "/segkit/toy.py", "exec"))


SUBJECTS = {"toy": Subject(lambda folder: {"a": b""}, read, lambda data, rng: rng.choice(FAULTS).encode())}
