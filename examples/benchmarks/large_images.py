"""Memory benchmark: what one large image costs, as a multiple of the array that is passed.

    python examples/benchmarks/large_images.py
    python examples/benchmarks/large_images.py --what diagnose --sides 2000 --backends torch
    python examples/benchmarks/large_images.py --what fit --sides 2000
    python examples/benchmarks/large_images.py --what predictions --sides 224 --dtypes float32

Each case runs in a process of its own, and prints the largest memory above that before the call.
`profile` and `diagnose` get one image. In `fit`, a model that takes the mean of the pixels is
trained on four images in batches of one, without the guard and with it. Before, the same is done
with small images and images of 900 x 900 pixels, so that all libraries are loaded. `predictions`
are those of an experiment on 128 images with a MobileNetV2.
"""

import argparse
import gc
import os
import re
import subprocess
import sys
import time
from pathlib import Path

WARM_UP = (64, 900)  # pixels a side


def memory_mib(what):
    """Returns the memory of this process in MiB: `"VmRSS"` (now) or `"VmHWM"` (the largest)."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", status)[1]) / 1024


def images(number, side, dtype):
    import numpy as np

    rng, x = np.random.default_rng(0), np.zeros((number, side, side, 3), dtype)
    for rows in x.reshape(number * side, side, 3):  # one row at a time takes no memory
        rows[:] = rng.integers(0, 256, (side, 3))
    return x


def fit(x, guarded):
    import keras
    import numpy as np

    import keras_shiftguard as sg

    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    guards = [sg.ShiftGuard(verbose=0, on_mismatch="ignore", on_shift="ignore")] * guarded
    model.fit(x, np.arange(len(x)) % 2, batch_size=1, epochs=2, callbacks=guards, verbose=0)


def diagnose(x):
    import keras

    import keras_shiftguard as sg

    layers = [keras.layers.Rescaling(1 / 255), keras.layers.GlobalAveragePooling2D()]
    sg.diagnose(keras.Sequential([keras.Input(x.shape[1:]), *layers]), x)


def predictions(x):
    import keras

    from keras_shiftguard.instrument.inference import InferenceCall, class_probabilities

    model = keras.applications.MobileNetV2(input_shape=x.shape[1:], weights=None, classes=10)
    class_probabilities(InferenceCall(model), "input", [x])


def case(args):
    import keras_shiftguard as sg

    number = {"predictions": 128, "profile": 1, "diagnose": 1}.get(args.what, 4)
    run = {
        "profile": sg.profile,
        "diagnose": diagnose,
        "predictions": predictions,
        "fit": lambda x: fit(x, True),
        "fit without the guard": lambda x: fit(x, False),
    }[args.what]
    for side in WARM_UP[:1] if args.what == "predictions" else WARM_UP:
        run(images(number, side, args.dtype))
    x = images(number, args.side, args.dtype)
    gc.collect()
    before = memory_mib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the largest memory so far
    start = time.perf_counter()
    run(x)
    seconds = time.perf_counter() - start
    extra, size = memory_mib("VmHWM") - before, x[0].nbytes / 2**20
    print(
        f"{args.backend} {args.what} {args.dtype} {args.side} x {args.side} x 3: size {size:.0f} "
        f"MiB, extra {extra:.0f} MiB, {extra / size:.1f} times its size, {seconds:.1f} s"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    whats = ["profile", "diagnose", "fit", "predictions"]
    parser.add_argument("--what", default="profile", choices=whats)
    parser.add_argument("--sides", type=int, nargs="+", default=[1000, 2000, 4000])
    parser.add_argument("--dtypes", nargs="+", default=["uint8", "float32"])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    args = parser.parse_args()
    whats = [args.what] if args.what != "fit" else ["fit without the guard", "fit"]
    for backend in args.backends:
        for dtype in args.dtypes:
            for side in args.sides:
                for what in whats:
                    of_case = f"what={what!r}, backend={backend!r}, dtype={dtype!r}, side={side}"
                    code = (
                        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
                        "from types import SimpleNamespace\nfrom large_images import case\n"
                        f"case(SimpleNamespace({of_case}))"
                    )
                    environ = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
                    subprocess.run([sys.executable, "-c", code], env=environ, check=True)


if __name__ == "__main__":
    main()
