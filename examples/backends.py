"""The same guard on each backend, with that backend's own kind of input pipeline.

    python examples/backends.py               # every backend that is installed
    python examples/backends.py jax           # one of them

Keras reads `KERAS_BACKEND` once, when it is imported, so each backend runs in a process of its
own.
"""

import os
import subprocess
import sys
from importlib.util import find_spec

BACKENDS = ("tensorflow", "jax", "torch")


def pipeline(backend, x, y):
    """Returns a `tf.data` set for TensorFlow, a `DataLoader` for torch, NumPy arrays for JAX."""
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices((x, y)).batch(100)
    if backend == "torch":
        import torch

        pairs = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y).long())
        return torch.utils.data.DataLoader(pairs, batch_size=100)
    return x, y


def watch(backend, small):
    """Runs a fit with training images in [0, 1] and validation images in 0..255."""
    import keras
    from digits import mnist, network

    import keras_shiftguard as sg

    x, y = mnist()
    size, epochs = (100, 1) if small else (3000, 2)
    train = pipeline(backend, x[:size], y[:size])
    validation = pipeline(backend, 255 * x[3000:4000], y[3000:4000])
    guard = sg.ShiftGuard(on_shift="ignore", on_mismatch="ignore", verbose=0)
    arrays = {"x": train[0], "y": train[1]} if isinstance(train, tuple) else {"x": train}
    network().fit(**arrays, validation_data=validation, epochs=epochs, callbacks=[guard], verbose=0)
    finding = guard.report.findings[0]
    print(f"{keras.backend.backend():<11}{finding.kind:<15}{finding.explanation}")


def main():
    named = [name for name in sys.argv[1:] if name in BACKENDS]
    if os.environ.get("KERAS_BACKEND") in named:
        watch(named[0], "--small" in sys.argv)
        return 0
    failed = 0
    for backend in named or [name for name in BACKENDS if find_spec(name)]:
        command = [sys.executable, *sys.argv[:1], backend, *sys.argv[1:]]
        quiet = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env={**os.environ, **quiet}, capture_output=True, text=True)
        print(done.stdout or done.stderr, end="", flush=True)
        failed += done.returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
