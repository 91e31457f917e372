"""The precision that suits a machine."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

import keras

from segkit.errors import InputError
from segkit.gpus import gpus
from segkit.training.plan import PRECISIONS

_CPU_FLAGS = ("avx512_bf16", "amx_bf16")


def resolve_precision(precision: str) -> str:
    """Return the dtype policy that a setting means on this machine.

    ``"auto"`` is ``"mixed_bfloat16"`` where the GPU (compute capability 8.0 or later) or the CPU (AVX-512 BF16 or
    AMX, as Linux reports them) has bfloat16 arithmetic, else ``"float32"``.

    Raises:
        InputError: If the setting is not one of ``PRECISIONS``.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r} is unknown; use one of {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    gpus = _gpu_capabilities()
    gains = all(capability >= (8, 0) for capability in gpus) if gpus else _cpu_has_bfloat16()
    return "mixed_bfloat16" if gains else "float32"


@contextlib.contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Build layers under a dtype policy; the policy before is put back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _cpu_has_bfloat16() -> bool:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if not cpuinfo.exists():  # not Linux: stay on the safe side
        return False
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "").split()
    return any(flag in flags for flag in _CPU_FLAGS)


def _gpu_capabilities() -> list[tuple[int, int]]:
    """Return the compute capability of every GPU that the backend in use sees."""
    return [gpu.capability for gpu in gpus() or ()]
