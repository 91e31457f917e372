"""The process that reads HDF5 files: run by ``hdf5_process``, never imported by it.

It imports h5py and NumPy alone. Requests come as lines of JSON on standard input; every answer on standard output is a
line of JSON, and for voxels their bytes behind it.
"""

import json
import os
import sys

import h5py
import numpy as np

_CPU_S = 5
_BYTES_PER_CPU_S = 10_000_000
_KEPT_FILES = 8
_ATTRIBUTE_VALUES = 4096


def describe(file):
    """Return what each dataset of a file is, by its name."""
    found = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = _described(item)

    file.visititems(collect)
    return found


def _described(dataset):
    facts = {
        "shape": dataset.shape,
        "dtype": dataset.dtype.str if dataset.dtype.kind in "biuf" else None,
        "type_name": str(dataset.dtype),
        "compression": dataset.compression,
        "attributes": {name: _attribute(dataset, name) for name in dataset.attrs},
        "external": [os.fsdecode(name) for name, _, _ in dataset.external or ()],
        "sources": [],
        "chunks": None,
        "stored_chunks": None,
    }
    if dataset.is_virtual:
        facts["sources"] = [(source.file_name, source.dset_name) for source in dataset.virtual_sources()]
    elif dataset.chunks:
        facts["chunks"], facts["stored_chunks"] = dataset.chunks, dataset.id.get_num_chunks()
    return facts


def _attribute(dataset, name):
    """Return an attribute as JSON holds it; ``None`` where it cannot be read or is no number and no text."""
    try:
        if dataset.attrs.get_id(name).get_space().get_simple_extent_npoints() > _ATTRIBUTE_VALUES:
            return None
        value = dataset.attrs[name]
    except (OSError, ValueError, TypeError, RuntimeError, KeyError):
        return None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return str(value)
    return value


def read(file, name, picks):
    """Return a part of a dataset, in the machine's byte order; picks are integers and ``[start, stop, step]``."""
    dataset = file[name]
    region = tuple(slice(*pick) if isinstance(pick, list) else pick for pick in picks)
    values = np.asarray(dataset[region], dtype=dataset.dtype.newbyteorder("="))
    return np.ascontiguousarray(values)


def read_all(file):
    """Read every value of every dataset and attribute, a bounded part at a time, and return nothing."""
    for name, facts in describe(file).items():
        dataset = file[name]
        if facts["shape"] and facts["dtype"] is not None and dataset.size:
            rows = max(1, 2**26 // max(1, dataset.nbytes // dataset.shape[0]))
            for start in range(0, dataset.shape[0], rows):
                dataset[start : start + rows]


def limit_cpu(num_bytes):
    """Let this process be ended if the next request takes longer than any undamaged file does."""
    try:
        import resource
    except ImportError:  # not on this system
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = used.ru_utime + used.ru_stime + _CPU_S + num_bytes / _BYTES_PER_CPU_S
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(allowed) + 1 if hard == resource.RLIM_INFINITY else min(int(allowed) + 1, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def serve(requests, answers):
    """Answer requests until there are no more."""
    opened = {}
    for line in requests:
        request = json.loads(line)
        path, stamp = request["path"], request["stamp"]
        limit_cpu(request["num_bytes"])
        values = None
        try:
            kept = opened.get(path)
            if kept is None or kept[0] != stamp:
                opened.pop(path, None)
                while len(opened) >= _KEPT_FILES:
                    opened.pop(next(iter(opened)))[1].close()
                opened[path] = kept = (stamp, h5py.File(path, "r", locking=False))
            file = kept[1]
            if request["do"] == "describe":
                answer = describe(file)
            elif request["do"] == "read":
                values = read(file, request["dataset"], request["picks"])
                answer = {"shape": values.shape, "dtype": values.dtype.str}
            else:
                answer = read_all(file)
            message = {"answer": answer, "num_bytes": 0 if values is None else values.nbytes}
        except Exception as error:  # whatever the library says of a damaged file is passed on
            values, message = None, {"fault": str(error) or type(error).__name__, "num_bytes": 0}
        answers.write(json.dumps(message).encode() + b"\n")
        if values is not None:
            answers.write(memoryview(values).cast("B"))
        answers.flush()


if __name__ == "__main__":
    # What the library prints itself must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin, answers)
