"""Tables of `detection_power.py`, made from its result files."""

import json
import sys
from collections import defaultdict

import numpy as np
import shifts

ALPHA = 0.05
RESAMPLES = 2000
MIN_DRAWS = 5  # draws that a peer needs to be called the best
OURS = (
    "ours, one look",
    "ours, one look, measured as in a fit",
    "ours, one look, not negligible",
    "ours, outputs only",
    "ours, in fit",
)
KINDS = {"gn": "noise", "img": "image", "ko": "knock-out", "img+ko": "both"}


class Results:
    """Alarms by method, shift, draw and n.

    `adjusted` holds corrected p-value thresholds by method and size. A method gets one at each
    size where its false-alarm rate is above alpha, if this rate or its rate over all sizes is above
    alpha beyond chance. With the threshold, its rate on the draws without a shift is alpha.
    """

    def __init__(self, cache):
        self.alarms = defaultdict(dict)  # (method, shift) -> {draw: {n: 0 or 1}}
        self.p_values = defaultdict(dict)  # the same with p-values, None where not run
        code = {}  # version of our code for each kept row
        for name in ("peers.jsonl", "ours.jsonl"):
            path = cache / name
            for line in path.read_text().splitlines() if path.exists() else []:
                row = json.loads(line)
                if "code" in row:
                    code[row["shift"], row["draw"]] = row["code"]
                # Rows that come later in the file replace rows of older code.
                found = {int(n): values[1] for n, values in row["found"].items()}
                values = {int(n): values[0] for n, values in row["found"].items()}
                self.alarms[row["method"], row["shift"]][row["draw"]] = found
                self.p_values[row["method"], row["shift"]][row["draw"]] = values
        self.methods = list(dict.fromkeys(method for method, _ in self.alarms))
        self.code = " and ".join(sorted(set(code.values())))  # if several: run ours again
        self.adjusted = {}

    def adjust(self):
        """Lowers to alpha each false-alarm rate that is above alpha beyond chance."""
        for method in self.methods:
            null = self.p_values[method, "none"]
            every = self.too_many(method)
            for n in self.sizes(method):
                alarms = [found[n] for found in self.alarms[method, "none"].values()]
                if not alarms or not (_tail(sum(alarms), len(alarms)) < 0.01 or every):
                    continue
                if np.mean(alarms) <= ALPHA:
                    continue
                p = sorted(1.0 if row[n] is None else row[n] for row in null.values())
                self.adjusted[method, n] = limit = p[int(ALPHA * len(p))]
                for shift in shifts.all_shifts():
                    for draw, row in self.p_values[method, shift].items():
                        if row[n] is not None and row[n] >= limit:
                            self.alarms[method, shift][draw][n] = 0

    def draws(self, method):
        """Returns the numbers of the draws in which the method has a result for every shift."""
        sets = [set(self.alarms[method, shift]) for shift in shifts.all_shifts()]
        return sorted(set.intersection(*sets))

    def rates(self, method, n, draws, kind=None):
        """Returns the share of shifts detected in each draw, `(draws,)`; None if not run at n."""
        every = [s for s in shifts.all_shifts().values() if kind in (None, s.kind)]
        try:
            table = [[_at(self.alarms[method, s.name][d], n) for s in every] for d in draws]
        except KeyError:
            return None
        return np.mean(table, axis=1) if table else None

    def too_many(self, method):
        """Returns whether the false-alarm rate over all sizes is above alpha beyond chance.

        The standard error is taken over draws, because the sizes of one draw depend on each other.
        """
        rates = [np.mean(list(found.values())) for found in self.alarms[method, "none"].values()]
        if len(rates) < 20:
            return False
        return np.mean(rates) - 2.33 * np.std(rates) / len(rates) ** 0.5 > ALPHA

    def sizes(self, method):
        found = next(iter(self.alarms[method, "none"].values()), {})
        return sorted(found)


def _at(found, n):
    """Returns the alarm at n. A method that tests at every doubling has that of its last test."""
    if n in found or 5120 not in found:
        return found[n]
    return found[max(size for size in found if size <= n)]


def show(cache):
    results = Results(cache)
    peers = [method for method in results.methods if method not in OURS]
    ours = [method for method in OURS if method in results.methods]
    print(f"settings: alpha {ALPHA}, reference 10,000 (KS, classifier 10k, ours) or 1,000 samples;")
    print(f"100 permutations; {' '.join(sys.argv)}; code of ours {results.code}")
    _false_alarms(results, peers + ours)
    _power(results, peers + ours, None)
    results.adjust()
    print(
        "\nFrom here on at equal false-alarm rates: where a rate is above 5 % beyond chance, here"
    )
    print("or over all sizes of the method, it must reach the p-value that 5 % of its own draws")
    print("without a shift reach:")
    print("; ".join(f"{m} n={n}: {p:.2g}" for (m, n), p in results.adjusted.items()) or "none")
    _power(results, peers + ours, None)
    for kind in KINDS:
        _power(results, peers + ours, kind)
    for method in ours[:4]:
        _difference(results, peers, method)
    if "ours, in fit" in ours:
        for reference in [ours[0], *peers]:
            _equal_power(results, reference)


def _header(title, first="method"):
    print(f"\n{title}\n{first:36}" + "".join(f"{n:>8}" for n in shifts.SIZES) + "   draws")


def _row(name, cells, draws):
    print(f"{name:36}" + "".join(f"{cell:>8}" for cell in cells) + f"   {draws}")


def _false_alarms(results, methods):
    _header("False alarms, % of draws without a shift (*: more than 5 % gives by chance, p < .01)")
    for method in methods:
        draws = results.alarms[method, "none"]
        cells = []
        for n in shifts.SIZES:
            alarms = [_at(found, n) for found in draws.values() if n in found or 5120 in found]
            high = alarms and _tail(sum(alarms), len(alarms)) < 0.01
            cells.append(f"{100 * np.mean(alarms):.0f}{'*' if high else ''}" if alarms else "-")
        _row(method, cells, len(draws))


def _tail(count, number):
    """Returns P(at least `count` alarms of `number`) at `ALPHA`."""
    from math import comb

    return sum(
        comb(number, k) * ALPHA**k * (1 - ALPHA) ** (number - k) for k in range(count, number + 1)
    )


def _power(results, methods, kind):
    what = f"{KINDS[kind]} shifts" if kind else "all 30 shifts"
    _header(f"Detected, in % of draws, mean over {what}")
    for method in methods:
        draws = results.draws(method)
        rates = [results.rates(method, n, draws, kind) for n in shifts.SIZES]
        cells = ["-" if r is None else f"{100 * r.mean():.1f}" for r in rates]
        _row(method, cells, len(draws))


def _difference(results, peers, method):
    _header(f"{method}: points above the best peer at each n, 95 % paired bootstrap over draws", "")
    rng = np.random.default_rng(0)
    best, points, intervals = [], [], []
    number = 0
    for n in shifts.SIZES:
        found = []
        for peer in peers:
            draws = sorted(set(results.draws(peer)) & set(results.draws(method)))
            if len(draws) >= MIN_DRAWS and results.rates(peer, n, draws) is not None:
                ours, theirs = (results.rates(m, n, draws) for m in (method, peer))
                found.append((theirs.mean(), peer, 100 * (ours - theirs)))
        if not found:
            best.append("-"), points.append("-"), intervals.append("-")
            continue
        _, peer, difference = max(found, key=lambda row: row[0])
        number = len(difference)
        resampled = rng.choice(difference, (RESAMPLES, number)).mean(axis=1)
        low, high = np.quantile(resampled, [0.025, 0.975])
        best.append(peer), points.append(f"{difference.mean():+.1f}")
        intervals.append(f"{low:+.0f}..{high:+.0f}")
    _row("difference", points, number)
    _row("interval", intervals, number)
    for n, peer in zip(shifts.SIZES, best, strict=True):
        print(f"  best peer at n = {n}: {peer}")


def _equal_power(results, reference):
    """Prints which multiple of n the in-fit test needs for the power of another test."""
    method = "ours, in fit"
    draws = sorted(set(results.draws(reference)) & set(results.draws(method)))
    looks = results.sizes(method)
    if not draws:
        return
    power = [results.rates(method, n, draws).mean() for n in looks]
    power = np.maximum.accumulate(power)
    cells = []
    for n in shifts.SIZES:
        rates = results.rates(reference, n, draws)
        if rates is None or rates.mean() > power[-1] or rates.mean() <= power[0]:
            cells.append("-" if rates is None else ">" if rates.mean() > power[-1] else "<")
            continue
        needed = np.exp(np.interp(rates.mean(), power, np.log(looks)))
        cells.append(f"{needed / n:.2f}")
    if reference == "ours, one look":
        _header("In fit: times the samples that equal power needs (>: not reached at 10,000)", "of")
    _row(reference, cells, len(draws))
