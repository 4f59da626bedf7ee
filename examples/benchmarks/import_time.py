"""Import time: the cost of `import keras_shiftguard` beyond `import keras`, and of its first use.

    python examples/benchmarks/import_time.py --backends tensorflow jax torch

The figures are medians of several fresh processes for each backend, in CPU seconds, which vary
least on a shared machine. Each process imports Keras, then this package, and then accesses a
public name. One uncounted process runs first, so that all files have been read once.
`--slowest 10` lists the modules of this package that take most time to import.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

USES = ("ShiftGuard", "diagnose", "compare", "explain_gap")
TIMED = """
import json, sys, time
times = [time.process_time()]
def lap():
    times.append(time.process_time())
import keras; lap()
import keras_shiftguard; lap()
getattr(keras_shiftguard, sys.argv[1]); lap()
modules = sum(name.startswith("keras_shiftguard") for name in sys.modules)
print(json.dumps([*(b - a for a, b in zip(times, times[1:])), modules]))
"""


def process(backend, *arguments):
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True)


def slowest(backend, name, number):
    """Returns the slowest imports of this package's modules, as `(own milliseconds, module)`."""
    code = f"import keras, keras_shiftguard as sg; print('first use', flush=True); sg.{name}"
    done = process(backend, "-X", "importtime", "-c", code)
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
    parser.add_argument("--uses", nargs="+", default=["ShiftGuard"], choices=USES)
    parser.add_argument("--slowest", type=int, default=0)
    args = parser.parse_args()
    for backend in args.backends:
        for use in args.uses:
            process(backend, "-c", TIMED, use)  # reads all files once
            rounds = [process(backend, "-c", TIMED, use).stdout for _ in range(args.rounds)]
            columns = zip(*map(json.loads, rounds), strict=True)
            keras, ours, first, modules = map(statistics.median, columns)
            print(
                f"{backend}: import keras {keras:.2f} s; import keras_shiftguard "
                f"{1000 * ours:.0f} ms; first use of sg.{use} "
                f"{1000 * first:.0f} ms, {modules:.0f} modules",
                flush=True,
            )
            for milliseconds, module in slowest(backend, use, args.slowest) if args.slowest else ():
                print(f"    {milliseconds:6.1f} ms  {module}")


if __name__ == "__main__":
    main()
