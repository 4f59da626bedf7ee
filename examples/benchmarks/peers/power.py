"""Detection by the peers (other libraries) on the draws of `shifts.py`, in their environment.

    DIR/peers/bin/python examples/benchmarks/peers/power.py --cache DIR --draws 20

`detection_power.py` calls this script. Each finished case is a line of DIR/peers.jsonl, and
another run continues where the first one stopped.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import methods  # noqa: E402
import numpy as np  # noqa: E402
import permutations  # noqa: E402
import shifts  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20, help="of each shift")
    parser.add_argument("--null-draws", type=int, default=100, help="without a shift")
    parser.add_argument("--first-draw", type=int, default=0)
    parser.add_argument("--methods", nargs="*", default=[""], help="only names that contain one")
    return parser.parse_args()


def cases(args):
    """Yields (shift, number of the draw), all shifts of a draw together and `NO_SHIFT` first."""
    every = shifts.all_shifts()
    for number in range(args.first_draw, max(args.draws, args.null_draws)):
        if number < args.null_draws:
            yield shifts.NO_SHIFT, number
        if number < args.draws:
            for shift in every.values():
                yield shift, number


def run(peer, check, x):
    """Returns [p-value, alarm] for each size of the test set."""
    found = {}
    for n in shifts.SIZES:
        if peer.smallest <= n <= peer.largest:
            p, alarm = check(np.ascontiguousarray(x[:n]))
            found[n] = [round(p, 6), int(alarm)]
    return found


def main():
    args = parse()
    methods.quiet()
    permutations.faster()
    with np.load(args.cache / "features.npz") as data:
        features = {k: data[k] for k in ("softmax", "penultimate")}
        labels = data["labels"]
    path = args.cache / "peers.jsonl"
    done = set()
    if path.exists():
        for line in path.read_text().splitlines():
            row = json.loads(line)
            done.add((row["method"], row["shift"], row["draw"]))
    chosen = {k: v for k, v in methods.PEERS.items() if any(w in k for w in args.methods)}
    start, checks, made = time.process_time(), 0, {}
    with path.open("a") as file:
        for shift, number in cases(args):
            todo = [name for name in chosen if (name, shift.name, number) not in done]
            if not todo:
                continue
            reference, test, corrupted = shifts.draw(shift, number, labels)
            version = np.where(corrupted, shifts.CORRUPTIONS.index(shift.corruption), 0)
            for name in todo:
                peer = chosen[name]
                values = features[peer.features]
                if made.get(name, (None,))[0] != number:  # the reference changes only with the draw
                    np.random.seed(number)
                    made[name] = number, peer.make(values[0, reference[: peer.reference]])
                x = values[version, test]
                found = run(peer, made[name][1], x)
                checks += len(found)
                row = {"method": name, "shift": shift.name, "draw": number, "found": found}
                file.write(json.dumps(row) + "\n")
            file.flush()
            spent = time.process_time() - start
            print(f"draw {number:3} {shift.name:16} {checks} checks, {spent:.0f} s cpu", flush=True)


if __name__ == "__main__":
    main()
