"""Run a SavedModel through TensorFlow's C++ loader, the one that TF Serving uses.

    python tests/export/cpp_loader.py saved_models/segET-centriole/1 inputs.npz outputs.npz

``inputs.npz`` holds one array a signature, for that signature's only input: ``raw_uint8=..., raw_int8=...``.
Encoded images are one-dimensional arrays of uint8 named ``png``, ``png@1``, ... (a batch is made of all of
them); any other signature may be run again in the same way (``raw_uint8@small``). ``outputs.npz`` gets arrays
named ``<input name>/<output name>``.

The shared library inside TensorFlow's wheel is called through ctypes, and the signatures are read from the
MetaGraphDef by hand: nothing of TensorFlow's Python, Keras or segkit is imported.
"""

from __future__ import annotations

import ctypes
import importlib.util
import pathlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np

LIBRARY = "libtensorflow_cc.so.2"

_STRING = 7
_DTYPES = {1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 6: np.int8, 9: np.int64, 17: np.uint16}
_TSTRING_BYTES = 24


class _Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("free", ctypes.c_void_p))


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


def find_library() -> pathlib.Path | None:
    """Return the C++ library of the installed wheel; None where it holds none, or under another name."""
    found = importlib.util.find_spec("tensorflow")
    if found is None or not found.submodule_search_locations:
        return None
    library = pathlib.Path(found.submodule_search_locations[0], LIBRARY)
    return library if library.is_file() else None


class CppSavedModel:
    """A SavedModel in a C++ session.

    Args:
        folder: One version's folder.
        library: What ``find_library`` returned.
    """

    def __init__(self, folder: str | pathlib.Path, library: pathlib.Path) -> None:
        self._c = ctypes.CDLL(str(library))
        for name in ("NewStatus", "NewGraph", "NewSessionOptions", "NewBuffer", "LoadSessionFromSavedModel",
                     "GraphOperationByName", "AllocateTensor", "TensorData"):  # fmt: skip
            self._function(name).restype = ctypes.c_void_p
        self._c.TF_Message.restype = ctypes.c_char_p
        self._c.TF_Dim.restype = ctypes.c_int64
        self._status = ctypes.c_void_p(self._c.TF_NewStatus())
        self._graph = ctypes.c_void_p(self._c.TF_NewGraph())
        meta_graph = ctypes.c_void_p(self._c.TF_NewBuffer())
        tags = (ctypes.c_char_p * 1)(b"serve")
        session = self._c.TF_LoadSessionFromSavedModel(
            ctypes.c_void_p(self._c.TF_NewSessionOptions()), None, str(folder).encode(), tags, 1, self._graph,
            meta_graph, self._status,
        )  # fmt: skip
        self._check()
        self._session = ctypes.c_void_p(session)
        buffer = ctypes.cast(meta_graph, ctypes.POINTER(_Buffer)).contents
        self.signatures = read_signatures(ctypes.string_at(buffer.data, buffer.length))

    def run(self, signature: str, batch: np.ndarray | Sequence[bytes]) -> dict[str, np.ndarray]:
        """Feed one array, or the bytes of several encoded images, to a signature's only input."""
        inputs, outputs = self.signatures[signature]
        (fed,) = inputs.values()
        tensor = self._array_tensor(batch) if isinstance(batch, np.ndarray) else self._string_tensor(batch)
        names = sorted(outputs)
        results = (ctypes.c_void_p * len(names))()
        self._c.TF_SessionRun(
            self._session, None,
            (_Output * 1)(self._place(fed)), (ctypes.c_void_p * 1)(tensor), 1,
            (_Output * len(names))(*(self._place(outputs[name]) for name in names)), results, len(names),
            None, 0, None, self._status,
        )  # fmt: skip
        self._check()
        return {name: self._to_array(ctypes.c_void_p(result)) for name, result in zip(names, results, strict=True)}

    def _function(self, name: str) -> ctypes._CFuncPtr:
        return getattr(self._c, f"TF_{name}")

    def _check(self) -> None:
        if self._c.TF_GetCode(self._status):
            raise RuntimeError(self._c.TF_Message(self._status).decode(errors="replace"))

    def _place(self, tensor_name: str) -> _Output:
        operation, index = tensor_name.split(":")
        return _Output(self._c.TF_GraphOperationByName(self._graph, operation.encode()), int(index))

    def _allocate(self, dtype: int, shape: Sequence[int], size: int) -> int:
        dims = (ctypes.c_int64 * len(shape))(*shape)
        return self._c.TF_AllocateTensor(dtype, dims, len(shape), ctypes.c_size_t(size))

    def _array_tensor(self, array: np.ndarray) -> int:
        code = next(code for code, dtype in _DTYPES.items() if array.dtype == dtype)
        array = np.ascontiguousarray(array)
        tensor = self._allocate(code, array.shape, array.nbytes)
        ctypes.memmove(self._c.TF_TensorData(ctypes.c_void_p(tensor)), array.ctypes.data, array.nbytes)
        return tensor

    def _string_tensor(self, strings: Sequence[bytes]) -> int:
        tensor = self._allocate(_STRING, [len(strings)], _TSTRING_BYTES * len(strings))
        first = self._c.TF_TensorData(ctypes.c_void_p(tensor))
        for i, string in enumerate(strings):
            place = ctypes.c_void_p(first + _TSTRING_BYTES * i)
            self._c.TF_StringInit(place)
            self._c.TF_StringCopy(place, string, ctypes.c_size_t(len(string)))
        return tensor

    def _to_array(self, tensor: ctypes.c_void_p) -> np.ndarray:
        shape = [self._c.TF_Dim(tensor, i) for i in range(self._c.TF_NumDims(tensor))]
        dtype = np.dtype(_DTYPES[self._c.TF_TensorType(tensor)])
        size = int(np.prod(shape)) * dtype.itemsize
        data = ctypes.string_at(self._c.TF_TensorData(tensor), size)
        return np.frombuffer(data, dtype).reshape(shape)


Names = dict[str, str]


def read_signatures(meta_graph: bytes) -> dict[str, tuple[Names, Names]]:
    """Return ``{signature: ({input: tensor name}, {output: tensor name})}`` of a serialized MetaGraphDef."""
    signatures = {}
    for key, definition in _map_entries(meta_graph, 5):  # MetaGraphDef.signature_def
        inputs, outputs = (
            {name: next(_values(info, 1)).decode() for name, info in _map_entries(definition, field)}
            for field in (
                1,
                2,
            )  # SignatureDef.inputs, .outputs: TensorInfo, whose field 1 is the tensor's name
        )
        signatures[key] = (inputs, outputs)
    return signatures


def _map_entries(message: bytes, field: int) -> Iterator[tuple[str, bytes]]:
    for entry in _values(message, field):
        yield next(_values(entry, 1)).decode(), next(_values(entry, 2), b"")


def _values(message: bytes, field: int) -> Iterator[bytes]:
    """Yield the length-delimited values of one field of a protocol buffer message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 2:
            size, at = _varint(message, at)
            if key >> 3 == field:
                yield message[at : at + size]
            at += size
        elif kind == 0:
            _, at = _varint(message, at)
        else:
            at += {1: 8, 5: 4}[kind]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def main(folder: str, inputs: str, outputs: str) -> None:
    """Run every array of ``inputs`` and write the results to ``outputs``."""
    library = find_library()
    if library is None:
        sys.stderr.write(f"the installed TensorFlow holds no {LIBRARY}\n")
        sys.exit(77)  # the customary status of a check that can not be made here
    model = CppSavedModel(folder, library)
    results = {}
    with np.load(inputs) as arrays:
        encoded = [arrays[name].tobytes() for name in arrays if name.partition("@")[0] == "png"]
        batches = {name: arrays[name] for name in arrays if name.partition("@")[0] != "png"}
    for name, batch in {**batches, **({"png": encoded} if encoded else {})}.items():
        for output, array in model.run(name.partition("@")[0], batch).items():
            results[f"{name}/{output}"] = array
    np.savez(outputs, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
