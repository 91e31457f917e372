"""The GPUs that the backend of Keras computes on; as a program, what a process of its own finds."""

from __future__ import annotations

import dataclasses
import json
import sys


@dataclasses.dataclass(frozen=True)
class Gpu:
    """A GPU as the backend sees it.

    Attributes:
        name: Name of its kind, such as ``"NVIDIA H200"``.
        capability: Compute capability, such as ``(9, 0)``; ``(0, 0)`` where it is unknown.
    """

    name: str
    capability: tuple[int, int] = (0, 0)


def gpus() -> list[Gpu] | None:
    """Return the GPUs in the order of their numbers; ``None`` for a backend that is not asked.

    TensorFlow and JAX are asked, one of which is imported. What environment variables hide from them is not there.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # only on the backend that has it

        details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
        return [Gpu(each.get("device_name", "GPU"), each.get("compute_capability", (0, 0))) for each in details]
    if keras.backend.backend() == "jax":
        import jax  # only on the backend that has it

        return [Gpu(each.device_kind, _capability(each)) for each in jax.devices() if each.platform == "gpu"]
    return None


def _capability(device) -> tuple[int, int]:
    version = getattr(device, "compute_capability", "")  # "gfx90a" and the like on AMD's
    numbers = version.split(".") if isinstance(version, str) else []
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 and all(map(str.isdecimal, numbers)) else (0, 0)


def main() -> None:
    """Print the backend and the names of its GPUs, as JSON in the last line."""
    import keras

    found = gpus()
    names = None if found is None else [gpu.name for gpu in found]
    sys.stdout.write(f"\n{json.dumps({'backend': keras.backend.backend(), 'gpus': names})}\n")


if __name__ == "__main__":
    main()
