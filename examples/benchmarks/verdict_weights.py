"""Weights of the preprocessing posterior, each network left out in turn.

    python examples/benchmarks/verdict_corpus.py --loaders ../shared/wild --save corpus.jsonl
    python examples/benchmarks/verdict_weights.py corpus.jsonl

The weights on a grid that name most on all other networks, without a wrong name, judge the network
that was left out. Beside it stand the weights of the package, and what becomes of each row without
one of them: its price. Only the scale is judged here, of
feeds that are not garbled: vetoes and the order of the channels come after the posterior. Heads on
a frozen backbone are left out, because they expect another scale than their backbone. The weights
of the order are chosen in the same way.
"""

import argparse
import json
import sys
from collections import Counter
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from verdict_corpus import of_json

from keras_shiftguard.preprocessing import order, posterior
from keras_shiftguard.preprocessing.posterior import WEIGHTS

GRID = [
    WEIGHTS._replace(misfit=misfit, trial=trial, none=none)
    for misfit, trial, none in product(
        (4.0, 6.0, 8.0, 12.0), (0.0, 0.25, 0.5, 1.0), (0.4, 0.5, 0.57, 0.65, 0.7, 0.9)
    )
]
WITHOUT = {
    name: WEIGHTS._replace(**{name: 0.0})
    for name in ("trial", "published", "inverted", "each", "unusual", "odd")
}
ORDER_GRID = [
    order.WEIGHTS._replace(memory=memory, trial=trial, most=most)
    for memory, trial, most in product((0.75, 1.25, 2.0), (0.75, 1.25, 2.0, 3.0), (2.0, 3.0, 4.0))
]
PRICE = 20  # a wrong name weighs as much as so many right ones. A convention.


def outcome(row, weights):
    """Returns whether the fed scale is right, and what the posterior says of it."""
    evidence = of_json(row["weighed"])
    found = evidence.weighed(weights)
    true, fed = (row["true_mode"], False), evidence.fed
    best = max(found, key=found.get)
    least = posterior.MIN_MISMATCH if best[1] else posterior.MIN_OK
    says = "unknown"
    if found[fed] >= posterior.MIN_OK:
        says = "ok" if fed == true else "wrong ok"
    elif best != fed and found[best] >= least and found[fed] <= posterior.LEAST:
        says = "named" if best == true else "wrong name"
    return "right" if fed == true else "wrong", says


def outcome_of_order(row, weights):
    """Returns whether the channels as fed are right, and what the posterior says of their order.

    The order inside a fix of the scale departs from the usual one only if that is sure.
    """
    evidence = {**row["swap"]}
    in_fix = evidence.pop("in_fix")
    evidence = order.OrderEvidence(**evidence)
    probability = evidence.probability(weights)
    is_swapped = row["feed"].split("/")[1] != row["true"].split("/")[1]
    of_row = "swapped" if is_swapped else "right"
    if in_fix:
        assumed = evidence.prior > 0
        departs = (1 - probability if assumed else probability) >= posterior.MIN_MISMATCH
        says = "named" if (assumed != departs) == is_swapped else "assumed"
        return f"{of_row} in fix", "wrong name" if departs and says == "assumed" else says
    if probability >= posterior.MIN_MISMATCH:
        return of_row, "named" if is_swapped else "wrong name"
    return of_row, "ok" if 1 - probability >= posterior.MIN_OK else "unknown"


def worth(counts):
    """Returns what outcomes are worth together."""
    wrong = sum(number for (_, says), number in counts.items() if says.startswith("wrong"))
    named = sum(number for (_, says), number in counts.items() if says == "named")
    return counts["right", "ok"] + named - PRICE * wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("files", type=Path, nargs="+")
    rows = [
        json.loads(line)
        for path in parser.parse_args().files
        for line in path.read_text().splitlines()
    ]
    rows = [r for r in rows if r["kind"] != "garbled" and "head" not in r["network"]]
    of_scale = [row for row in rows if row["weighed"]]
    weighings = {*GRID, WEIGHTS, *WITHOUT.values()}
    table = {w: [outcome(row, w) for row in of_scale] for w in weighings}
    leave_one_out("scale", of_scale, table, GRID, WEIGHTS)
    for name, weights in WITHOUT.items():
        print(f"all, package without {name!r}: {in_words(Counter(table[weights]))}")
        for row, ours, other in zip(of_scale, table[WEIGHTS], table[weights], strict=True):
            if ours != other:
                where = "{network}, {collection}, fed {feed}".format(**row)
                print(f"    {where}: {ours[1]} -> {other[1]}")
    of_order = [row for row in rows if row["swap"]]
    table = {w: [outcome_of_order(row, w) for row in of_order] for w in ORDER_GRID}
    leave_one_out("order", of_order, table, ORDER_GRID, order.WEIGHTS)


def leave_one_out(what, rows, table, grid, package):
    """Prints what each network says by the weights that are best on the others."""
    total = {"left out": Counter(), "package": Counter()}
    for network in dict.fromkeys(row["network"] for row in rows):
        of_it = [i for i, row in enumerate(rows) if row["network"] == network]
        others = [i for i, row in enumerate(rows) if row["network"] != network]
        best = max(grid, key=lambda w: worth(Counter(table[w][i] for i in others)))
        print(f"{what}, {network}: chosen on the others {best}")
        for name, weights in (("left out", best), ("package", package)):
            counts = Counter(table[weights][i] for i in of_it)
            total[name] += counts
            print(f"  {name:9s}", in_words(counts))
    for name, counts in total.items():
        print(f"{what}, all, {name}: {in_words(counts)}")


def in_words(counts):
    """Returns counts as text."""
    return ", ".join(f"{fed} {says} {n}" for (fed, says), n in sorted(counts.items()))


if __name__ == "__main__":
    main()
