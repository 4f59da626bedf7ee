"""Table of the results of `adaptation_augmentation.py`.

    python examples/benchmarks/adaptation_augmentation_table.py RESULTS.jsonl

The table has the means over seeds by kind of target. Below it are the figures for the four aims of
`adapt=True`: points above the best fixed policy, the share of the accuracy gap that is closed,
points on clean images, and the kinds on which `adapt=True` is at least as good as the best fixed
policy. The first three figures have their range over seeds. Only kinds and seeds that every policy
has are counted. If an oracle was trained with fewer seeds, its mean is used for all seeds.
"""

import json
import sys
from pathlib import Path

import numpy as np

# Kinds of Fashion-MNIST that were not used while the bank of operations and its controller were
# developed. No kind of the digits was used.
HELD_OUT = (
    *("brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    *("speckle_noise", "gaussian_blur", "spatter"),
)
FIXED = ("none", "randaugment", "augmix", "fixed")
ORDER = (*FIXED, "adaptive", "none+bn", "adaptive+bn", "oracle")


class Results:
    """A file of JSON lines, to which each result is added as soon as it is measured."""

    def __init__(self, path):
        self.path = Path(path)
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.rows = [json.loads(line) for line in lines]

    def has(self, **key):
        return any(all(row.get(k) == v for k, v in key.items()) for row in self.rows)

    def add(self, **row):
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


class Table:
    """The table of one data set and number of epochs: `accuracy[policy, kind, seed]` in %."""

    def __init__(self, rows):
        self.accuracy, self.clean = {}, {}
        for row in rows:
            at = row["policy"], row["kind"], row["seed"]
            self.accuracy[at], self.clean[at] = 100 * row["accuracy"], 100 * row["clean"]
        self.policies = [p for p in ORDER if any(at[0] == p for at in self.accuracy)]
        self.kinds = list(dict.fromkeys(at[1] for at in self.accuracy))
        seeds = sorted({at[2] for at in self.accuracy})
        self.seeds = [s for s in seeds if any(self._whole(k, s) for k in self.kinds)] or seeds

    def _whole(self, kind, seed):
        """Returns whether every policy has a result; False for `clean`, which has no oracle."""
        if kind == "clean" or not self.of("oracle", kind):
            return False
        others = [p for p in self.policies if p != "oracle"]
        return all((p, kind, seed) in self.accuracy for p in others)

    def of(self, policy, kind):
        """Returns the accuracies of all seeds that have one."""
        return [v for (p, k, _), v in self.accuracy.items() if (p, k) == (policy, kind)]

    def common(self, kinds):
        return [k for k in kinds if all(self._whole(k, seed) for seed in self.seeds)]

    def mean(self, policy, kind):
        return float(np.mean(self.of(policy, kind) or np.nan))

    def by_seed(self, policy, kinds, values):
        if policy == "oracle":
            rows = [[v for at, v in values.items() if at[:2] == (policy, k)] for k in kinds]
            return np.full(len(self.seeds), np.mean([np.mean(row) for row in rows]))
        return np.array([np.mean([values[policy, k, s] for k in kinds]) for s in self.seeds])

    def show(self):
        print("| target | " + " | ".join(self.policies) + " |")
        print("|---" * (1 + len(self.policies)) + "|")
        for kind in self.kinds:
            print(row(kind, [self.mean(policy, kind) for policy in self.policies]))

    def judge(self, title, kinds):
        kinds = self.common(kinds)
        if not kinds or "adaptive" not in self.policies:
            return
        print(f"\n{title}: {len(kinds)} kinds, seeds {self.seeds}")
        score = {p: self.by_seed(p, kinds, self.accuracy) for p in self.policies}
        print(row("mean", [score[p].mean() for p in self.policies]))
        clean = {p: self.by_seed(p, kinds, self.clean) for p in self.policies}
        print(row("clean test images", [clean[p].mean() for p in self.policies]))
        fixed = [p for p in FIXED if p in self.policies]
        best = max(fixed, key=lambda p: score[p].mean())
        for policy in ("adaptive", "adaptive+bn"):
            gap = (score[policy] - score["none"]) / (score["oracle"] - score["none"])
            wins = [self.mean(policy, k) >= max(self.mean(p, k) for p in fixed) for k in kinds]
            print(
                f"{policy}: over {best} {spread(score[policy] - score[best])} points; "
                f"of the gap {spread(100 * gap)} %; clean {spread(clean[policy] - clean['none'])} "
                f"points; at least the best fixed policy on {sum(wins)} of {len(kinds)} kinds"
            )

    def without_shift(self):
        seeds = [s for s in self.seeds if ("adaptive", "clean", s) in self.clean]
        if seeds:
            change = [
                self.clean["adaptive", "clean", s] - self.clean["none", "clean", s] for s in seeds
            ]
            print(f"without shift, seeds {seeds}: clean {spread(np.array(change))} points")


def row(name, values):
    return f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + " |"


def spread(values):
    each = f" [{values.min():+.1f}, {values.max():+.1f}]" if len(values) > 1 else ""
    return f"{values.mean():+.1f}{each}"


def main(path):
    rows = Results(path).rows
    for data in dict.fromkeys(row["data"] for row in rows):
        for epochs in sorted({row["epochs"] for row in rows if row["data"] == data}):
            chosen = [r for r in rows if r["data"] == data and r["epochs"] == epochs]
            table = Table(chosen)
            of = f"last of {epochs} epochs, mean of seeds {table.seeds}"
            print(f"\n{data}: accuracy in %, {of}\n")
            table.show()
            held = [k for k in table.kinds if data != "fashion" or k in HELD_OUT]
            table.judge("held out", held)
            table.judge("looked at while it was made", [k for k in table.kinds if k not in held])
            table.without_shift()


if __name__ == "__main__":
    main(sys.argv[1])
