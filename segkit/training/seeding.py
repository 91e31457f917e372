"""Repeatable runs."""

from __future__ import annotations

import keras


def seed_everything(seed: int, *, deterministic: bool = False) -> None:
    """Seed Python, NumPy and the backend.

    Args:
        seed: The seed.
        deterministic: Also ask TensorFlow for kernels that repeat bit for bit, on the same machine and number of
            threads. JAX on a CPU does so anyway; on a GPU it needs ``XLA_FLAGS=--xla_gpu_deterministic_ops=true``.
    """
    # Python, NumPy and the backend; Keras's own layers and initializers draw their seeds from Python's.
    keras.utils.set_random_seed(seed)
    if deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # only on the backend that has it

        tf.config.experimental.enable_op_determinism()
