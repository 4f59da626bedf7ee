"""Import time: the cost of `import keras_shiftguard` beyond `import keras`.

    python examples/benchmarks/import_time.py --backends tensorflow jax torch

The figures are medians of several fresh processes for each backend, in CPU time, which varies less
than wall time on a shared machine. Each process imports Keras, and then this package with all its
modules. One uncounted process runs first, so that all files have been read once. `--slowest 10`
lists the modules of this package that take the most time to import.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

TIMED = """
import json, time
times = [time.process_time()]
def lap():
    times.append(time.process_time())
import keras; lap()
import keras_shiftguard; lap()
print(json.dumps([b - a for a, b in zip(times, times[1:])]))
"""


def process(backend, *arguments):
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True)


def slowest(backend, number):
    """Returns the slowest imports of this package's modules, as `(own milliseconds, module)`."""
    done = process(backend, "-X", "importtime", "-c", "import keras, keras_shiftguard")
    found = []
    for line in done.stderr.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and "keras_shiftguard" in parts[2]:
            found.append((int(parts[0]) / 1000, parts[2].strip()))
    return sorted(found, reverse=True)[:number]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", nargs="+", default=["tensorflow"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slowest", type=int, default=0)
    args = parser.parse_args()
    for backend in args.backends:
        process(backend, "-c", TIMED)  # reads all files once
        rounds = [process(backend, "-c", TIMED).stdout for _ in range(args.rounds)]
        keras, ours = map(statistics.median, zip(*map(json.loads, rounds), strict=True))
        print(
            f"{backend}: import keras {keras:.2f} s; import keras_shiftguard {1000 * ours:.0f} ms",
            flush=True,
        )
        for milliseconds, module in slowest(backend, args.slowest) if args.slowest else ():
            print(f"    {milliseconds:6.1f} ms  {module}")


if __name__ == "__main__":
    main()
