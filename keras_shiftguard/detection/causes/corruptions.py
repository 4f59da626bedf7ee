"""Classification of a shift of images into families of corruption.

Three numbers describe how an attribute moves between two streams. The effect is the difference of
the means, divided by the standard deviation over samples. The amount is the same difference in the
attribute's own unit. The spread is the log ratio of the standard deviations.

A linear classifier, learned from synthetic corruptions such as noise, blur and snow
(`tools/shift_signatures.py`), gives each kind of corruption a score; its weights are in
`signatures.json`. The vector of all moves is first scaled to about unit size, so the scores depend
mainly on its direction. A tiny vector stays small.

A cause interprets a shift that a test has found. It is never evidence that there is a shift.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_shiftguard.profiles import FeatureTable

SIGNATURES = Path(__file__).with_name("signatures.json")
OTHER = "other"
# With less confidence, no cause is named. A convention, checked in docs/benchmarks/causes.md.
MIN_CONFIDENCE = 0.5
# Added to standard deviations, in the unit of the attribute, because they may be nearly 0. A
# convention, checked in docs/benchmarks/causes.md.
MIN_SPREAD = 0.03
COLOUR = "colour_balance_"  # prefix of the names of the color balances; a channel index follows

# What a sentence adds for a kind of corruption that is more specific than its family.
KIND_DESCRIPTIONS = {
    "aliasing": "as a resize without antialiasing leaves it (nearest neighbour, or bilinear "
    "without a filter)",
}


class Cause(NamedTuple):
    """The most likely cause of a difference between images.

    Args:
        family: `"brightness"`, `"contrast"` (haze too), `"blur"`, `"noise"`,
            `"compression"`, `"resolution"` (another resize filter too), `"colour"`,
            `"weather"`, `"geometry"`, or `"other"` if no cause is clear.
        sentence: The cause in one sentence; "" for `"other"`.
    """

    family: str
    sentence: str


@dataclass(frozen=True)
class Moves:
    """The move of each attribute from one stream to another; zero if it was not measured.

    Args:
        names: Names of the `k` attributes.
        effect: Difference of the means in standard deviations between samples, `(k,)`.
        amount: Difference of the means, `(k,)`; brightness in units of the contrast.
        spread: Log ratio of the standard deviations, `(k,)`.
    """

    names: tuple[str, ...]
    effect: np.ndarray
    amount: np.ndarray
    spread: np.ndarray

    def vector(self, scale: np.ndarray) -> np.ndarray:
        """Returns all moves as one vector, `(3 k + 1,)`, with a root mean square of at most 1.

        `scale` is the amount of each attribute that counts as large, `(k,)`.
        """
        # The last entry is the size of a tint, for which it does not matter which channel moved.
        tint = sum(abs(self.effect[i]) for i, n in enumerate(self.names) if n.startswith(COLOUR))
        vector = np.concatenate(
            [np.arcsinh(self.effect), np.arcsinh(self.amount / scale), self.spread]
        )
        vector = np.append(vector, np.arcsinh(tint))
        return vector / np.sqrt((vector**2).mean() + 0.05)  # tiny moves stay small


def moves(reference: FeatureTable, current: FeatureTable, names: tuple[str, ...]) -> Moves:
    """Returns the moves of the attributes `names` from `reference` to `current`."""
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
        effect[at] = difference / np.sqrt((before**2 + after**2) / 2 + MIN_SPREAD**2)
        spread[at] = np.log((after + MIN_SPREAD) / (before + MIN_SPREAD))
    return Moves(names, effect, amount, spread)


def name_cause(reference: FeatureTable, current: FeatureTable) -> Cause:
    """Returns the family of corruption that best explains how `current` differs.

    The family is `"other"` if no cause is clear, the input is no image, or gray images look as if
    their colour had changed.
    """
    signatures = _signatures()
    if not set(signatures["features"]) & set(reference.names) & set(current.names):
        return Cause(OTHER, "")
    vector = moves(reference, current, signatures["features"]).vector(signatures["scale"])
    scores = signatures["weights"] @ vector + signatures["bias"]
    powers = np.exp(scores - scores.max())
    probabilities = powers / powers.sum()  # by kind
    families = signatures["families"]
    by_family = {f: float(probabilities[families == f].sum()) for f in np.unique(families).tolist()}
    family = max(by_family, key=lambda f: by_family[f])
    is_gray = not any(name.startswith(COLOUR) for name in reference.names)
    if family == OTHER or by_family[family] < MIN_CONFIDENCE or (is_gray and family == "colour"):
        return Cause(OTHER, "")
    kind = int(np.argmax(np.where(families == family, probabilities, -1.0)))
    more = KIND_DESCRIPTIONS.get(signatures["kinds"][kind], "")
    return Cause(family, f"The cause is probably {family}{more and f', {more}'}.")


def _unit(table: FeatureTable, name: str) -> float:
    """Returns the unit of an attribute: the mean contrast for brightness, else 1.

    Brightness is the only attribute in the input's units. If the contrast of no image could be
    measured, the unit of brightness is the standard deviation of brightness.
    """
    if name != "brightness" or "contrast" not in table.names:
        return 1.0
    at = table.names.index("contrast")
    own = table.moments.std[table.names.index(name)]
    unit = np.exp(table.moments.mean[at]) if table.moments.count[at] else own
    return float(unit) if unit > 0 else 1.0


@lru_cache(maxsize=1)
def _signatures() -> dict[str, Any]:
    """Returns the learned scores of the kinds of corruption; the file is read only once.

    Returns:
        `features`: names of the `k` attributes; `scale`: the amount of each that counts as large,
        `(k,)`; `kinds` and `families`: names of each kind and of its family; `weights` of
        `Moves.vector` in the score of each kind, `(kinds, 3 k + 1)`; and its `bias`, `(kinds,)`.
    """
    data = json.loads(SIGNATURES.read_text(encoding="utf-8"))
    kinds = data["kinds"]
    return {
        "features": tuple(data["features"]),
        "scale": np.asarray(data["scale"]),
        "kinds": [kind["kind"] for kind in kinds],
        "families": np.asarray([kind["family"] for kind in kinds]),
        "weights": np.asarray([kind["weights"] for kind in kinds]),
        "bias": np.asarray([kind["bias"] for kind in kinds]),
    }
