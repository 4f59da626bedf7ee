"""Program: fits with a guard each, in processes with the same number, that share one `log_dir`.

python tests/faults/shared_log.py LOG_DIR --fits 4
"""

import argparse
import ctypes
import os
import time
import traceback
import warnings
from pathlib import Path

EPOCHS = 5


def fit(log_dir, is_ready=lambda: None):
    """Fits a small model with a guard."""
    import keras
    import numpy as np

    import keras_shiftguard as sg

    rng = np.random.default_rng(0)
    x, y = rng.random((64, 8, 8, 3)).astype("float32"), rng.integers(0, 3, 64)
    flat = keras.layers.Flatten()
    model = keras.Sequential([keras.Input((8, 8, 3)), flat, keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=keras.backend.backend() == "tensorflow")
    guard = sg.ShiftGuard(log_dir=log_dir, log_samples=4, verbose=0, on_shift="ignore")
    is_ready()
    model.fit(
        *(x, y),
        batch_size=32,
        epochs=EPOCHS,
        validation_data=(x[:32], y[:32]),
        callbacks=[guard],
        verbose=0,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("log_dir", type=Path)
    parser.add_argument("--fits", type=int, default=4)
    given = parser.parse_args()
    given.log_dir.mkdir()
    ready, go = os.pipe(), os.pipe()

    def wait():
        os.write(ready[1], b".")
        os.read(go[0], 1)

    numbers = []
    home = os.open("/proc/self/ns/pid", os.O_RDONLY)
    libc = ctypes.CDLL(None)
    for _ in range(given.fits):
        is_new = libc.unshare(0x20000000) == 0  # a PID namespace, as of a container
        number = os.fork()
        if not number:
            status = 1
            try:
                if not is_new:
                    os.getpid = lambda: 1
                warnings.simplefilter("always")
                fit(given.log_dir, wait)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        if is_new:
            libc.setns(home, 0x20000000)
        numbers.append(number)
    for _ in numbers:
        os.read(ready[0], 1)
    time.sleep(1 - time.time() % 1)  # names of event files have the second
    os.write(go[1], b"." * given.fits)
    raise SystemExit(sum(os.waitpid(each, 0)[1] != 0 for each in numbers))


if __name__ == "__main__":
    main()
