"""Engines without a network, that processes of their own can import."""

from __future__ import annotations

import itertools
import os
import signal
import time
import warnings

import numpy as np
from scipy import ndimage

from segkit.errors import InputError
from segkit.inference.engines import BlockResult

SIGMA = 1.5
HALO = 6
"""Context of the filter, ``truncate`` times its width."""


def smooth(voxels, block):
    """Filter a block; the halo is left to the caller."""
    return ndimage.gaussian_filter(voxels, SIGMA, truncate=HALO / SIGMA)


def smooth_core(voxels, block):
    """The same, without the halo and with counts."""
    core = smooth(voxels, block)[block.inside]
    return BlockResult(core, {"voxels": core.size, "process": [os.getpid() % 2**31]})


class Slow:
    """A filter that takes its time, and may fail or die at a block."""

    def __init__(self, seconds=0.0, *, fail_at=None, die_at=None, message="block is bad"):
        self.seconds, self.fail_at, self.die_at, self.message = seconds, fail_at, die_at, message

    def __call__(self, voxels, block):
        time.sleep(self.seconds)
        if block.position == self.fail_at:
            raise InputError(self.message)
        if block.position == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return smooth(voxels, block)


class Threads:
    """Tell the limits of threads of this process."""

    def __call__(self, voxels, block):
        limits = [os.environ.get(name, "-1") for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")]
        return np.full(voxels.shape, float(limits[0] == limits[1]) * int(limits[0]))


class InPairs:
    """Take two blocks at a time, as networks do, and remember what was asked for together."""

    def __init__(self, volume):
        self.volume, self.groups = volume, []

    def iter_results(self, blocks):
        while group := list(itertools.islice(blocks, 2)):
            self.groups.append([block.position for block in group])
            for block in reversed(group):
                yield block, BlockResult(smooth(self.volume[block.box], block))


class Faulty(Exception):
    """An exception that cannot be unpickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def raise_faulty(voxels, block):
    raise Faulty("no", "good")


def fresh_pid():
    """Make an engine that writes the process it was made in."""
    made_in = os.getpid() % 2**31
    made_in_float = float(made_in)
    return lambda voxels, block: np.full(voxels.shape, made_in_float)


def noise(shape=(9, 20, 24)):
    return np.random.default_rng(0).random(shape)


def warn(voxels, block):
    warnings.warn("the voxel size differs", stacklevel=1)
    return smooth(voxels, block)


class EndSlowly:
    """Work that fails in one process when the others, which take their time to end, have begun."""

    def __init__(self, folder, seconds):
        self.folder, self.seconds = folder, seconds

    def __call__(self, *, share, on_block):
        if share.index:
            self.folder.joinpath(f"{share.index}").touch()
            try:
                while True:
                    time.sleep(0.01)
            finally:
                self.folder.joinpath(f"{share.index}").write_text(repr(time.time()))
                time.sleep(self.seconds)
        while len(list(self.folder.iterdir())) < share.count - 1:
            time.sleep(0.01)
        raise InputError("block is bad")


class StayUntilEnded:
    """Work of two processes: one fails as soon as the other, which would never end by itself, has begun."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *, share, on_block):
        if share.index:
            self.folder.joinpath("begun").touch()
            try:
                while True:
                    time.sleep(0.01)
            finally:
                self.folder.joinpath("left").touch()
        while not self.folder.joinpath("begun").exists():
            time.sleep(0.01)
        raise InputError("block is bad")
