"""Selection of the reported findings: their number, order and cause."""

from dataclasses import replace

import numpy as np
from detection.causes.test_corruptions import SHIFTS, table

from keras_shiftguard.detection.families import StreamNames
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.said import Said
from keras_shiftguard.detection.selection import reported_findings
from keras_shiftguard.detection.two_sample.multiplicity import Family
from keras_shiftguard.profiles import InputProfile, InputSummary, Moments

NAMES = StreamNames("validation", "train")


def images(shifts=None):
    """Returns a profile of one input without minimum and maximum, so that no rescaling is found."""
    nothing = Moments.empty(3)
    summary = InputSummary(
        *("channels_last", 200, 0, nothing, np.full(3, np.inf), np.full(3, -np.inf)),
        *(np.zeros((3, 1)), Moments.empty(), Moments.empty(), np.zeros(1), 0),
        *((64, 64), (64, 64), table(shifts)),
    )
    return InputProfile(inputs={"input": summary})


def found(*effects, role="features", source="input", negligible=False, names=None):
    """Returns pairs of a family of tests and a finding, one for each effect size."""
    family = Family(role, source, np.full(len(effects), 1e-9), lambda i: None)
    names = names or [f"{source}/{i}" for i in range(len(effects))]
    made = [
        Finding(
            *(name, "covariate", "other", effect, (effect - 0.1, effect + 0.1), 1e-9),
            *("validation", "train", None),
            said=Said(f"{name} differs"),
            negligible=negligible,
        )
        for name, effect in zip(names, effects, strict=True)
    ]
    return [(family, finding) for finding in made]


def chosen(*families, current=None):
    everything = [pair for family in families for pair in family]
    return reported_findings(everything, images(), current or images(), NAMES)


def test_the_strongest_three_and_the_last_counts_the_others():
    picked = chosen(found(0.5, -2.0, 1.0, 0.7, 0.6))
    assert [f.feature for f in picked] == ["input/1", "input/2", "input/3"]
    assert picked[0].explanation == "input/1 differs"
    assert picked[2].explanation == "input/3 differs; 2 more features differ"
    assert len(chosen(found(0.5, 0.6, 0.7))) == 3
    assert "more" not in chosen(found(0.5, 0.6, 0.7))[-1].explanation


def test_the_main_attribute_of_a_cause_comes_first():
    features = found(3.0, 2.0, names=["input/entropy", "input/brightness"])
    picked = chosen(features, current=images(SHIFTS["brightness"]))
    assert [f.feature for f in picked] == ["input/brightness"]
    assert picked[0].family == "brightness"
    text = "input/brightness differs; 1 more feature differs. The cause is probably "
    assert picked[0].explanation.startswith(text)
    # A negligible finding comes after one that matters.
    (family, small) = features[1]
    picked = chosen(
        [features[0], (family, replace(small, negligible=True))],
        current=images(SHIFTS["brightness"]),
    )
    assert picked[0].feature == "input/entropy" and picked[0].family == "brightness"


def test_the_input_as_a_whole_is_reported_if_no_feature_is():
    whole = found(0.8, role="embedding", names=["input"])
    small = found(0.05, 0.04, negligible=True)
    assert [f.feature for f in chosen(small, whole)] == ["input", "input/0", "input/1"]
    assert [f.feature for f in chosen(whole)] == ["input"]
    both = chosen(found(0.9), whole)
    assert [f.feature for f in both] == ["input/0"]
    tiny = found(0.05, role="embedding", names=["input"], negligible=True)
    assert [f.feature for f in chosen(small, tiny)] == ["input/0", "input/1"]
    assert [f.feature for f in chosen(tiny)] == ["input"]
