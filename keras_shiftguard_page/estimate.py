"""The page content for an `AccuracyEstimate`."""

from collections.abc import Mapping
from typing import Any

from keras_shiftguard_page.charts import ranges
from keras_shiftguard_page.content import ACT, FINE, LOOK, Band, Fact, Section
from keras_shiftguard_page.words import interval, number, percent, points, sentence


def about_estimate(estimate: Mapping[str, Any]) -> tuple[Band, Section]:
    """Returns the band and the section for `AccuracyEstimate.to_dict()`."""
    value, ends, usual = estimate["value"], estimate["interval"], estimate["reference_accuracy"]
    reference = Fact(percent(usual), "on the labelled reference")
    if value is None or ends is None:
        text = "The accuracy without labels is not known."
        band = Band(LOOK, text, (reference,), sentence(estimate["reason"]))
    else:
        lower = ends[1] < usual
        text = f"Without labels, the accuracy is about {percent(value)}"
        text += (
            f", {points(usual - value)} points below the reference."
            if lower
            else ", not clearly below the reference."
        )
        sure = f"{number(100 * (1 - estimate['alpha']))} % interval {interval(ends)} %"
        band = Band(ACT if lower else FINE, text, (Fact(percent(value), sure), reference))
    marks = [(name, share, percent(share)) for name, share in estimate["by_method"].items()]
    marks.append(("reference", usual, percent(usual)))
    section = Section(
        "What each method says",
        f"{estimate['num_samples']:,} samples without labels",
        charts=(ranges("Accuracy by method, and the interval", marks, ends),),
    )
    return band, section
