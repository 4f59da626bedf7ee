"""From the way in which image attributes moved to the likely cause.

Each attribute moves by an effect (in standard deviations between samples), by
an amount, and in spread. What noise, blur, snow and so on do to these was learnt
from corruptions of our own making (`tools/shift_signatures.py`); it is kept in
`signatures.json`: a linear score for each kind of corruption, after the vector
of all moves has been scaled to unit size, so that its direction decides.

A cause is a reading of a shift that was found, never evidence of one.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from keras_shiftguard.detection.attribute_words import LABELS
from keras_shiftguard.profiles import FeatureTable, InputSummary

SIGNATURES = Path(__file__).with_name("signatures.json")
OTHER = "other"
LEAST_CONFIDENCE = 0.5  # below, no cause is named
MOST_FEATURES = 3
SOFT = 0.03  # spread, in an attribute's own unit, below which no difference counts
COLOUR = "colour_balance_"

# Kinds that say more than their family.
SAID_OF_KIND = {
    "aliasing": "as a resize without antialiasing leaves it (nearest neighbour, or bilinear "
    "without a filter)",
}

# These are logarithms: their moves are said as a factor, the others as a difference.
LOGARITHMS = frozenset(
    "contrast saturation band_1 band_2 band_3 band_4 spectral_slope sharpness noise noise_flat "
    "noise_kurtosis blockiness border_spread".split()
)


@dataclass(frozen=True)
class Cause:
    """What most likely made images differ.

    Args:
        family: `"brightness"`, `"contrast"` (haze too), `"blur"`, `"noise"`,
            `"compression"`, `"resolution"` (another resize filter too), `"colour"`,
            `"weather"`, `"geometry"`, or `"other"` where none is clear.
        features: Names of the attributes that speak for it, the best first.
        confidence: Share of the belief that this family gets, in [0, 1].
        sentence: The evidence, with its numbers.
    """

    family: str
    features: tuple[str, ...]
    confidence: float
    sentence: str


@dataclass(frozen=True)
class Moves:
    """How each attribute of `names` moved; zero where it was not measured.

    Args:
        names: Attributes, `(k,)`.
        effect: Difference of the means in standard deviations between samples.
        amount: Difference of the means; brightness in units of the contrast.
        spread: Log ratio of the standard deviations.
    """

    names: tuple[str, ...]
    effect: np.ndarray
    amount: np.ndarray
    spread: np.ndarray

    def vector(self, scale: np.ndarray) -> np.ndarray:
        """All moves in one direction of unit size, `(3 k + 1,)`.

        Args:
            scale: Amount of each attribute that counts as large, `(k,)`.
        """
        # Which channel a tint takes does not matter for naming it.
        tint = sum(abs(self.effect[i]) for i, n in enumerate(self.names) if n.startswith(COLOUR))
        vector = np.concatenate(
            [np.arcsinh(self.effect), np.arcsinh(self.amount / scale), self.spread]
        )
        vector = np.append(vector, np.arcsinh(tint))
        return vector / np.sqrt((vector**2).mean() + 0.05)


def moves(reference: FeatureTable, current: FeatureTable, names: tuple[str, ...]) -> Moves:
    """How the attributes `names` moved from `reference` to `current`."""
    both = [n for n in names if n in reference.names and n in current.names]
    effect, amount, spread = (np.zeros(len(names)) for _ in range(3))
    for name in both:
        a, b = reference.names.index(name), current.names.index(name)
        if min(reference.moments.count[a], current.moments.count[b]) < 2:
            continue
        at, unit = names.index(name), _unit(reference, name)
        difference = (current.moments.mean[b] - reference.moments.mean[a]) / unit
        before, after = reference.moments.std[a] / unit, current.moments.std[b] / unit
        amount[at] = difference
        effect[at] = difference / np.sqrt((before**2 + after**2) / 2 + SOFT**2)
        spread[at] = np.log((after + SOFT) / (before + SOFT))
    return Moves(names, effect, amount, spread)


def name_cause(reference: InputSummary, current: InputSummary) -> Cause:
    """Names the family of corruption that explains how `current` differs.

    Args:
        reference: Summary of the images as they should be.
        current: Summary of the images that were found to differ.

    Returns:
        The cause; of family `"other"` for input that is no image.
    """
    return cause_of_tables(reference.features, current.features)


def cause_of_tables(reference: FeatureTable, current: FeatureTable) -> Cause:
    """The same from the two tables of attributes."""
    signatures = _signatures()
    if not set(signatures.features) & set(reference.names) & set(current.names):
        return Cause(OTHER, (), 0.0, "No attributes of images were measured.")
    moved = moves(reference, current, signatures.features)
    vector = moved.vector(signatures.scale)
    belief = _softmax(signatures.weights @ vector + signatures.bias)
    families = np.asarray(signatures.families)
    by_family = {f: float(belief[families == f].sum()) for f in dict.fromkeys(families.tolist())}
    family = max(by_family, key=lambda f: by_family[f])
    confidence = by_family[family]
    if family == OTHER or confidence < LEAST_CONFIDENCE:
        features = _largest(moved)
        said = _said(moved, features)
        lead = "No single corruption explains the difference"
        return Cause(OTHER, features, confidence, f"{lead}: {said}." if said else f"{lead}.")
    kind = int(np.argmax(np.where(families == family, belief, -1.0)))
    features = _carriers(moved, signatures.weights[kind] * vector)
    said = _said(moved, features)
    more = SAID_OF_KIND.get(signatures.kinds[kind], "")
    lead = f"{family}, {more}" if more else family
    return Cause(family, features, confidence, f"Points to {lead}: {said}.")


def _carriers(moved: Moves, shares: np.ndarray) -> tuple[str, ...]:
    """The attributes with most weight in a kind's score, among those that moved."""
    k = len(moved.names)
    total = shares[:k] + shares[k : 2 * k] + shares[2 * k : 3 * k]
    tint = [i for i, n in enumerate(moved.names) if n.startswith(COLOUR)]
    if tint:
        total[max(tint, key=lambda i: abs(moved.effect[i]))] += shares[-1]
    order = np.argsort(-total)
    best = [moved.names[i] for i in order if total[i] > 0 and abs(moved.effect[i]) > 0.1]
    return tuple(best[:MOST_FEATURES]) or _largest(moved)


def _largest(moved: Moves) -> tuple[str, ...]:
    order = np.argsort(-np.abs(moved.effect), kind="stable")
    return tuple(moved.names[i] for i in order[:MOST_FEATURES] if moved.effect[i])


def _said(moved: Moves, features: tuple[str, ...]) -> str:
    parts = []
    for name in features:
        at = moved.names.index(name)
        amount, effect = moved.amount[at], moved.effect[at]
        label = LABELS.get(name, f"channel {name.removeprefix(COLOUR)} against the others")
        how = f"x {np.exp(amount):.2g}" if name in LOGARITHMS else f"{amount:+.2g}"
        parts.append(f"{label} {how} (effect size {effect:+.1f})")
    return ", ".join(parts)


def _unit(table: FeatureTable, name: str) -> float:
    """Brightness alone is in the input's units: it is told in contrasts."""
    if name != "brightness" or "contrast" not in table.names:
        return 1.0
    at = table.names.index("contrast")
    own = table.moments.std[table.names.index(name)]
    unit = np.exp(table.moments.mean[at]) if table.moments.count[at] else own
    return float(unit) if unit > 0 else 1.0


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


@dataclass(frozen=True)
class Signatures:
    """The learnt scores: one row of `weights` for each kind of corruption."""

    features: tuple[str, ...]
    scale: np.ndarray
    families: tuple[str, ...]
    kinds: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray


@lru_cache(maxsize=1)
def _signatures() -> Signatures:
    data = json.loads(SIGNATURES.read_text(encoding="utf-8"))
    kinds = data["kinds"]
    return Signatures(
        tuple(data["features"]),
        np.asarray(data["scale"]),
        tuple(kind["family"] for kind in kinds),
        tuple(kind["kind"] for kind in kinds),
        np.asarray([kind["weights"] for kind in kinds]),
        np.asarray([kind["bias"] for kind in kinds]),
    )
