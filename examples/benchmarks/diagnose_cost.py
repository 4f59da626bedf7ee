"""Cost of `diagnose` on 32 images, compared with one `model.predict` on them.

    python examples/benchmarks/diagnose_cost.py --backend tensorflow

The first calls of both are compared, each in a process of its own, right after the model is built.
Later calls of both alternate in one process, and the medians of several calls are compared. The
aim is that `diagnose` takes at most four times as long as `predict`. CPU seconds are printed as
well as wall time, because the machine may be shared.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TARGET = 4.0
MODELS = ("lite0", "mobilenet_v2", "resnet50")


def build(name):
    import keras

    if name == "lite0":
        import lite0

        return lite0.build()
    make = {"mobilenet_v2": "MobileNetV2", "resnet50": "ResNet50"}[name]
    return getattr(keras.applications, make)(weights=None)


def images():
    import numpy as np
    import photos

    raw, _ = photos.imagenet_photos()
    return np.concatenate([raw, raw[:12, :, ::-1]]).astype("float32") / 127.5 - 1.0


def timed(call):
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def run(args):
    import numpy as np

    import keras_shiftguard as sg

    model, x = build(args.model), images()
    calls = {
        "predict": lambda: model.predict(x, verbose=0),
        "diagnose": lambda: sg.diagnose(model, x),
    }
    if args.cold:
        print(json.dumps(timed(calls[args.cold])))
        return
    for call in calls.values():
        call()
    times = {name: [] for name in calls}
    for _ in range(args.rounds):
        for name, call in calls.items():
            times[name].append(timed(call))
    print(json.dumps({name: np.median(rows, axis=0).tolist() for name, rows in times.items()}))


def child(backend, model, *more):
    command = [sys.executable, "-W", "ignore", __file__, "--model", model, *more]
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(out.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax", "torch"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", choices=MODELS, help="internal")
    parser.add_argument("--cold", choices=["predict", "diagnose"], help="internal")
    args = parser.parse_args()
    if args.model:
        return run(args)
    print(f"{args.backend}, 32 images of 224x224, load {os.getloadavg()[0]:.1f}")
    for model in MODELS:
        cold = {n: child(args.backend, model, "--cold", n) for n in ("predict", "diagnose")}
        warm = child(args.backend, model, "--rounds", str(args.rounds))
        for name, pair in (("cold", cold), ("warm", warm)):
            (wall, cpu), (wall2, cpu2) = pair["predict"], pair["diagnose"]
            verdict = "within" if wall2 <= TARGET * wall else "above"
            print(
                f"{model:14} {name}: predict {wall:5.2f} s ({cpu:5.2f} cpu), diagnose {wall2:5.2f} "
                f"s ({cpu2:5.2f} cpu): {wall2 / wall:4.2f} times wall, {cpu2 / cpu:4.2f} cpu; "
                f"target 4: {verdict}",
                flush=True,
            )


if __name__ == "__main__":
    main()
