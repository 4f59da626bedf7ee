"""What one check of one peer costs. Prints one line of JSON.

    ENV/bin/python examples/benchmarks/peers/cost.py --method "alibi MMD" -d 32 -n 100

Called by `detection_cost.py`, each case in a process of its own.
"""

import argparse
import json
import resource
import sys
import time
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import methods  # noqa: E402
import numpy as np  # noqa: E402

# Name to (detector, samples of its reference).
DETECTORS = {
    "alibi KS": (methods.ks, 10_000),
    "alibi MMD": (methods.mmd, 1000),
    "alibi LSDD": (methods.lsdd, 1000),
    "alibi classifier": (methods.classifier, 1000),
    "torchdrift MMD": (methods.torchdrift_mmd, 1000),
    "frouros MMD": (methods.frouros_mmd, 1000),
}


def cpu():
    """CPU seconds of this process and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(r.ru_utime + r.ru_stime for r in used)


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bytes_of(thing, seen=None):
    """Bytes of the arrays and tensors that an object holds, each once."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if hasattr(thing, "element_size"):  # a tensor
        return thing.element_size() * thing.nelement()
    if isinstance(thing, (type, types.ModuleType)):
        return 0
    if isinstance(thing, dict):
        parts = list(thing.values())
    elif isinstance(thing, (list, tuple)):
        parts = thing
    elif isinstance(thing, types.FunctionType):
        parts = [cell.cell_contents for cell in thing.__closure__ or ()]
    elif isinstance(thing, types.MethodType):
        parts = [thing.__self__]
    else:
        parts = list(vars(thing).values()) if hasattr(thing, "__dict__") else ()
    return sum(bytes_of(part, seen) for part in parts)


def measure(make, check_data, repeats):
    """Times `make()` once and its check `repeats` times after a warm one."""
    start, before = cpu(), peak_mib()
    check = make()
    fit = cpu() - start
    times = []
    for _ in range(repeats + 1):
        wall, start = time.perf_counter(), cpu()
        check(check_data)
        times.append((cpu() - start, time.perf_counter() - wall))
    median = np.median(times[1:], axis=0)
    return {
        "cpu": float(median[0]),
        "wall": float(median[1]),
        "fit": fit,
        "bytes": bytes_of(check),
        "rss": peak_mib() - before,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", choices=DETECTORS, required=True)
    parser.add_argument("-d", type=int, required=True)
    parser.add_argument("-n", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    methods.quiet()
    make, size = DETECTORS[args.method]
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((size, args.d)).astype("float32")
    x = rng.standard_normal((args.n, args.d)).astype("float32")
    # Imports and one-time compilation are not the check's.
    make(reference[:200])(x[:50])
    print(json.dumps(measure(lambda: make(reference), x, args.repeats)))


if __name__ == "__main__":
    main()
