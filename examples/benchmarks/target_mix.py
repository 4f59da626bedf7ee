"""How far is the class mix of a target from the truth, if it is estimated from predictions alone?

    python examples/benchmarks/target_mix.py
    python examples/benchmarks/target_mix.py --draws 1

A softmax regression is trained on 700 of the 1,797 UCI digits. The target is the last 897 digits,
in ten versions (with less contrast, with noise, ...) and with four mixes of classes. The script
prints the total variation distance between the estimated and the true mix: the mean over versions
and draws, and the largest in brackets.

    source      the mix of the source, which AdaMatch aligns to as published
    em          expectation-maximisation (Saerens et al. 2002)
    predicted   the shares of the predicted classes
    em, sure    `em` if the mean confidence on the target is at least 0.97 times that on 200
                held-out samples of the source, else `source`: the earlier rule of `"auto"`
    auto        as `em, sure`, with `target_mix` in place of `em`: the rule of `"auto"`
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits

from keras_shiftguard.domains.auto import CLEAR
from keras_shiftguard.domains.target_mix import class_shares, distance, em_mix, target_mix

RULES = ("source", "em", "predicted", "em, sure", "auto")
MIXES = {
    "as in the source": lambda y, rare, u: u >= 0,
    "five classes missing": lambda y, rare, u: ~np.isin(y, rare),
    "five classes cut to a tenth": lambda y, rare, u: ~np.isin(y, rare) | (u < 0.1),
    "all but one cut to three tenths": lambda y, rare, u: (y == rare[0]) | (u < 0.3),
}


def versions(x, rng):
    """Yields ten versions of digits with values in [0, 1], `(samples, 64)`."""
    yield from (x, 0.5 * x, 0.3 + 0.4 * x, 0.5 + 0.5 * x)
    yield from (x + rng.normal(0, noise, x.shape) for noise in (0.3, 0.6))
    yield x * (rng.random(x.shape) > 0.3)  # missing pixels
    yield 1.6 * x + rng.normal(0, 0.4, x.shape)
    yield 0.9 * np.roll(x.reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64)
    yield x * np.exp(rng.normal(0, 0.5, 64)) + rng.normal(0, 0.2, 64)  # a gain for each pixel


def with_one(x):
    return np.c_[x, np.ones(len(x))]


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def trained(x, y):
    """Returns the weights of a softmax regression after 300 steps on all samples."""
    weights = np.zeros((x.shape[1], 10))
    for _ in range(300):
        weights -= 2.0 * x.T @ (softmax(x @ weights) - np.eye(10)[y]) / len(x)
    return weights


def estimates(p, source, confidence):
    """Returns the estimated mix by rule; `confidence` is the mean on held-out source samples."""
    sure = p.max(axis=1).mean() >= CLEAR * confidence
    em, predicted = em_mix(p, source), class_shares(p.argmax(axis=1), 10)
    found = (em, target_mix(p, source, source)) if sure else (source, source)
    return dict(zip(RULES, (source, em, predicted, *found), strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4)
    draws = parser.parse_args().draws
    digits = load_digits()
    found = {}
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        order = rng.permutation(len(digits.target))
        x, y = digits.data[order] / 16, digits.target[order]
        weights = trained(with_one(x[:700]), y[:700])
        source = class_shares(y[:700], 10)
        confidence = softmax(with_one(x[700:900]) @ weights).max(axis=1).mean()
        for target in versions(x[900:], rng):
            p = softmax(with_one(target) @ weights)
            for mix, keeps in MIXES.items():
                kept = keeps(y[900:], rng.permutation(10)[:5], rng.random(len(p)))
                true = class_shares(y[900:][kept], 10)
                for rule, estimate in estimates(p[kept], source, confidence).items():
                    found.setdefault((mix, rule), []).append(distance(estimate, true))
    print("| classes of the target | " + " | ".join(RULES) + " |")
    print("|---" * (len(RULES) + 1) + "|")
    for mix in MIXES:
        cells = [found[mix, rule] for rule in RULES]
        print(f"| {mix} | " + " | ".join(f"{np.mean(c):.3f} ({max(c):.3f})" for c in cells) + " |")


if __name__ == "__main__":
    main()
