"""Candidates that take information from texts and series, with the measures that choose one.

What is lost cannot be put back, so training loses it as well, see `push`. How much is lost is read
from validation: how long its texts are, how many of their words are one id, where its series end.
"""

from collections.abc import Callable

import numpy as np

from keras_shiftguard.account.candidates.candidates import Candidate, Choice

Measured = tuple[list[Candidate], Callable[[np.ndarray], np.ndarray]]

FAMILY = "lost"
# An id stands for unknown words if it makes this much more of the tokens, and texts are cut if none
# is longer than this share of most texts of training. Conventions: less hardly costs anything.
MIN_MORE, MAX_LENGTH = 0.01, 0.9
# Noise and widths of a moving average that are tried on series. Conventions.
NOISE, WIDTHS = (0.1, 0.3, 1.0), (3, 7, 15)


def lossy_texts(x: np.ndarray, others: np.ndarray) -> Measured:
    """Returns the candidates for texts, and their length and their share of unknown words.

    `x` are rows of token ids of training, `(samples, length)`, where 0 is padding, and `others`
    those of validation.
    """
    words = [rows[rows > 0] for rows in (x, others)]
    # Ids may be hashes of any size, so only those that occur are counted.
    ids, which = np.unique(np.concatenate(words), return_inverse=True)
    there, here = (
        np.bincount(part, minlength=len(ids)) / max(len(part), 1)
        for part in np.split(which, [len(words[0])])
    )
    found, unknown = [], -1
    if len(ids):
        more = here - there
        first = int(more.argmax())
        # New texts have words that training lacks, whose vocabulary it is: about as many as the
        # words that occur once in training (Good, "The population frequencies of species", 1953).
        # A vocabulary of frequent words leaves those out, so they are unknown words of training.
        _, counts = np.unique(words[0], return_counts=True)
        new_words = max(float((counts == 1).sum() / max(len(words[0]), 1)), there[first])
        if more[first] > MIN_MORE + new_words:
            unknown = int(ids[first])  # of all others the share differs by chance
            strength = unknown, float(more[first] / max(1 - there[first], 1e-6))
            found.append(_candidate("unknown", strength, _made_unknown))
    longest = int((others != 0).sum(axis=1).max(initial=0))
    if 0 < longest < MAX_LENGTH * np.quantile((x != 0).sum(axis=1), 0.9):
        found.append(_candidate("cut", longest, _cut))

    def measure(rows: np.ndarray) -> np.ndarray:
        length = (rows != 0).sum(axis=1)
        share = (rows == unknown).sum(axis=1) / np.maximum(length, 1)
        return np.stack([length / x.shape[1], share], axis=1)

    return found, measure


def lossy_series(x: np.ndarray, others: np.ndarray) -> Measured:
    """Returns the candidates for series, and level, spread, step and extremes of each channel.

    `x` are series of training, `(samples, times, channels)`, and `others` those of validation.
    """
    deviation = float(np.nanstd(x))
    low, high = (float(end(others)) for end in (np.nanmin, np.nanmax))
    found = []
    if low > np.nanmin(x) or high < np.nanmax(x):
        found.append(_candidate("clip", (low, high), lambda rows, s: np.clip(rows, *s)))
    found += [_candidate("rough", share * deviation, _noisy) for share in NOISE]
    found += [_candidate("smooth", width, _smooth) for width in WIDTHS if width < x.shape[1]]

    def measure(rows: np.ndarray) -> np.ndarray:
        steps = np.abs(np.diff(rows, axis=1)).mean(axis=1)
        parts = [rows.mean(axis=1), rows.std(axis=1), steps, rows.min(axis=1), rows.max(axis=1)]
        return np.concatenate(parts, axis=1)

    return found, measure


def _candidate(name: str, strength: object, apply: Callable[..., np.ndarray]) -> Candidate:
    def run(rows: np.ndarray) -> np.ndarray:
        return apply(rows, strength).astype(rows.dtype)

    return Candidate(Choice(name, FAMILY, strength), run)


def _made_unknown(rows: np.ndarray, strength: tuple[int, float]) -> np.ndarray:
    unknown, share = strength
    hit = np.random.default_rng(0).random(rows.shape) < share
    return np.where(hit & (rows != 0), unknown, rows)


def _cut(rows: np.ndarray, longest: int) -> np.ndarray:
    """Keeps the first words of each text, and its padding where it is."""
    is_word = rows != 0
    return np.where(np.cumsum(is_word, axis=1) <= longest, rows, 0)


def _noisy(rows: np.ndarray, deviation: float) -> np.ndarray:
    return rows + deviation * np.random.default_rng(0).normal(size=rows.shape)


def _smooth(rows: np.ndarray, width: int) -> np.ndarray:
    """Returns the moving average over an odd number of times; the ends are repeated."""
    wide = np.pad(rows, ((0, 0), (width // 2, width // 2), (0, 0)), mode="edge")
    sums = np.cumsum(np.pad(wide, ((0, 0), (1, 0), (0, 0))), axis=1, dtype="float64")
    return np.asarray((sums[:, width:] - sums[:, :-width]) / width)
