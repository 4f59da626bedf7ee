"""Weights of the preprocessing posterior, each network left out in turn.

    python examples/benchmarks/verdict_corpus.py --loaders ../shared/wild --save corpus.jsonl
    python examples/benchmarks/verdict_weights.py corpus.jsonl

The weights on a grid that name most on all other networks, without a wrong name, judge the network
that was left out. Beside it stand the weights of the package, and what becomes of each row without
one of them: its price. Only the scale is judged here, of
feeds that are not garbled: vetoes and the order of the channels come after the posterior. Heads on
a frozen backbone are left out, because they expect another scale than their backbone.
"""

import argparse
import json
import sys
from collections import Counter
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from verdict_corpus import of_json

from keras_shiftguard.preprocessing import posterior
from keras_shiftguard.preprocessing.posterior import WEIGHTS

GRID = [
    WEIGHTS._replace(misfit=misfit, trial=trial, none=none)
    for misfit, trial, none in product(
        (4.0, 6.0, 8.0, 12.0), (0.0, 0.25, 0.5, 1.0), (0.4, 0.5, 0.6, 0.7, 0.9)
    )
]
WITHOUT = {
    name: WEIGHTS._replace(**{name: 0.0})
    for name in ("trial", "published", "inverted", "each", "odd")
}
PRICE = 20  # a wrong name weighs as much as so many right ones. A convention.


def outcome(row, weights):
    """Returns whether the fed scale is right, and what the posterior says of it."""
    evidence = of_json(row["weighed"])
    found = evidence.weighed(weights)
    true, fed = (row["true_mode"], False), evidence.fed
    best = max(found, key=found.get)
    says = "unknown"
    if found[fed] >= posterior.MIN_OK:
        says = "ok" if fed == true else "wrong ok"
    elif best != fed and found[best] >= posterior.MIN_MISMATCH:
        says = "named" if best == true else "wrong name"
    return "right" if fed == true else "wrong", says


def worth(counts):
    """Returns what outcomes are worth together."""
    wrong = sum(number for (_, says), number in counts.items() if says.startswith("wrong"))
    return counts["right", "ok"] + counts["wrong", "named"] - PRICE * wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("files", type=Path, nargs="+")
    rows = [
        json.loads(line)
        for path in parser.parse_args().files
        for line in path.read_text().splitlines()
    ]
    rows = [
        r for r in rows if r["weighed"] and r["kind"] != "garbled" and "head" not in r["network"]
    ]
    networks = list(dict.fromkeys(row["network"] for row in rows))
    weighings = {*GRID, WEIGHTS, *WITHOUT.values()}
    table = {w: [outcome(row, w) for row in rows] for w in weighings}
    total = {"left out": Counter(), "package": Counter()}
    for network in networks:
        of_it = [i for i, row in enumerate(rows) if row["network"] == network]
        others = [i for i, row in enumerate(rows) if row["network"] != network]
        best = max(GRID, key=lambda w: worth(Counter(table[w][i] for i in others)))
        print(f"{network}: chosen on the others {best}")
        for name, weights in (("left out", best), ("package", WEIGHTS)):
            counts = Counter(table[weights][i] for i in of_it)
            total[name] += counts
            print(f"  {name:9s}", in_words(counts))
    for name, counts in total.items():
        print(f"all, {name}: {in_words(counts)}")
    for name, weights in WITHOUT.items():
        print(f"all, package without {name!r}: {in_words(Counter(table[weights]))}")
        for row, ours, other in zip(rows, table[WEIGHTS], table[weights], strict=True):
            if ours != other:
                where = "{network}, {collection}, fed {feed}".format(**row)
                print(f"    {where}: {ours[1]} -> {other[1]}")


def in_words(counts):
    """Returns counts as text."""
    return ", ".join(f"{fed} {says} {n}" for (fed, says), n in sorted(counts.items()))


if __name__ == "__main__":
    main()
