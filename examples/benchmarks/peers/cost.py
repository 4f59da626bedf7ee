"""Cost of one check of one peer, printed as one line of JSON.

    ENV/bin/python examples/benchmarks/peers/cost.py --method "alibi MMD" -d 32 -n 100

`detection_cost.py` calls this script for each case, in a process of its own.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import methods  # noqa: E402
import numpy as np  # noqa: E402
from timing import measure  # noqa: E402

# Name of the method: (detector, samples of its reference).
DETECTORS = {
    "alibi KS": (methods.ks, 10_000),
    "alibi MMD": (methods.mmd, 1000),
    "alibi LSDD": (methods.lsdd, 1000),
    "alibi classifier": (methods.classifier, 1000),
    "torchdrift MMD": (methods.torchdrift_mmd, 1000),
    "frouros MMD": (methods.frouros_mmd, 1000),
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
    # This first run does the imports and the one-time compilation, which do not count as its cost.
    make(reference[:200])(x[:50])
    print(json.dumps(measure(lambda: make(reference), x, args.repeats)))


if __name__ == "__main__":
    main()
