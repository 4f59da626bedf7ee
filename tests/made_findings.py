"""Findings as a comparison of images makes them."""

from dataclasses import replace

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.gap_row import GapRow
from keras_shiftguard.detection.words.said import Clause, Said


def images_are(how, feature="brightness", effect=-2.0, stream="validation", **changes):
    """Returns a finding of images of a stream that differ from those of training."""
    who, numbers = f"{stream.capitalize()} images", f"mean {feature} 0.2 against 0.5 in training"
    clause = Clause(who, "are", how, "than training images")
    interval = round(effect - 0.2, 1), round(effect + 0.2, 1)
    found = Finding(
        *(f"input/{feature}", "covariate", feature, effect, interval, 1e-9, stream, "train", 3),
        said=Said(f"{who} are {how}", numbers, clause=clause),
    )
    return replace(found, **changes)


DARKER, NOISIER = images_are("darker"), images_are("noisier", "noise", 2.0)


def row_of(points, low, high, kind="input", **more):
    """Returns a sure row of an account."""
    return GapRow(kind, "validation images are changed", points, (low, high), True, **more)
