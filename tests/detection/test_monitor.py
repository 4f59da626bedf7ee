"""Sequential monitoring: the false-alarm rate of all comparisons, and the findings of a fit."""

import numpy as np
from made_findings import row_of
from shift_tab_log import numbers as stream

from keras_shiftguard.detection.acknowledged import Acknowledgement
from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import ShiftMonitor

PAIR = ("validation", "train")


def train_and_moved(seed):
    """Returns a stream of training, and validation samples whose second column has moved."""
    rng = np.random.default_rng(seed)
    train, val = stream(rng.normal(size=(300, 3))), rng.normal(size=(300, 3))
    val[:, 1] += 1
    return train, val


def test_all_looks_of_all_pairs_together_spend_alpha():
    pairs = [PAIR, ("train", "reference")]
    monitor = ShiftMonitor(0.05, pairs)
    spent = sum(monitor.level(look) for look in range(1, 100_000)) * len(pairs)
    assert 0.0499 < spent <= 0.05
    levels = [monitor.level(look) for look in range(1, 100)]
    assert levels == sorted(levels, reverse=True)


def test_a_shift_is_dated_and_reported_once():
    rng = np.random.default_rng(0)
    monitor = ShiftMonitor(0.05, [PAIR])
    train = stream(rng.normal(0, 1, (400, 5)))
    same = stream(rng.normal(0, 1, (300, 5)))
    assert monitor.compare(*PAIR, same, train, 1) == []
    assert monitor.severity("validation") == 0.0
    moved = rng.normal(0, 1, (300, 5))
    moved[:, 2] += 1.5
    new = monitor.compare(*PAIR, stream(moved), train, 2)
    assert new and new[0].since == 2 and new[0].feature == "input/2"
    assert 1.2 < abs(new[0].effect_size) < 1.8
    assert monitor.severity("validation") == max(abs(f.effect_size) for f in new)
    moved = moved + rng.normal(0, 0.05, moved.shape)
    assert monitor.compare(*PAIR, stream(moved), train, 3) == []
    report = monitor.report()
    assert report.shifted and {f.since for f in report.findings} == {2}
    assert report.num_samples == {"validation": 300, "train": 400}


def test_a_shift_that_a_later_look_excludes_is_over_until_it_comes_back():
    rng = np.random.default_rng(1)
    monitor = ShiftMonitor(0.05, [PAIR])
    train = stream(rng.normal(0, 1, (2000, 3)))

    def ended(epoch, shift, number=1000):
        x = rng.normal(0, 1, (number, 3))
        x[:, 2] += shift
        monitor.compare(*PAIR, stream(x), train, epoch)
        report = monitor.report()
        assert report.shifted  # a finding is never removed
        return next(f.until for f in report.findings if f.feature == "input/2")

    assert [ended(epoch, 1.0) for epoch in (1, 2)] == [None, None]
    assert ended(3, 0.9, number=30) is None  # 30 samples neither show nor exclude it
    assert [ended(4, 0.0), ended(5, 0.0)] == [3, 3]
    assert "in epochs 1 to 3 only" in str(monitor.report())
    assert "shift found in earlier epochs only" in monitor.report().to_dict()["headline"]
    restored = ShiftMonitor(0.05, [PAIR])
    restored.restore(monitor.state())
    assert restored.report() == monitor.report() and restored.pairs[0].epoch == 5
    assert ended(6, 1.0) is None


def test_a_known_shift_raises_no_alarm_and_stays_visible():
    train, val = train_and_moved(5)
    monitor = ShiftMonitor(0.05, [PAIR])
    monitor.known.append(Acknowledgement("1", "validation", "a new sensor"))
    (new,) = monitor.compare(*PAIR, stream(val), train, epoch=1)
    assert new.feature == "input/1" and not new.matters
    assert monitor.severity("validation") == 0
    assert [f.acknowledged for f in monitor.report().findings] == ["a new sensor"]
    assert "input/1" in monitor.pairs[0].expected  # the Shift tab reads this set
    val[:, 2] += 1  # another finding is still an alarm
    found = monitor.compare(*PAIR, stream(val), train, epoch=2)
    assert [f.feature for f in found if f.matters] == ["input/2"]


def of(feature, kind="covariate", **more):
    return Finding(
        **{"feature": feature, "kind": kind, "family": "brightness", "effect_size": 0.5},
        **{"interval": (0.4, 0.6), "p_value": 0.001, "stream": "validation", "against": "train"},
        **{"since": 1, "explanation": "It differs."},
        **more,
    )


def test_a_row_makes_an_alarm_of_what_it_undoes_and_leaves_questions_of_the_rest():
    train, val = train_and_moved(7)
    monitor = ShiftMonitor(0.05, [PAIR])
    monitor.compare(*PAIR, stream(val), train, epoch=1)
    monitor.replace(of("labels", kind="label"))
    monitor.account([row_of(0.1, 0.06, 0.14, source="input")], at_most=0.2, tolerance=0.01)
    found = {finding.feature: finding for finding in monitor.report().findings}
    assert found["input/1"].matters and found["input/1"].cost == 0.1
    assert found["labels"].is_question and "at most 20.0 points" in found["labels"].cost_words
    monitor.account([], at_most=0.005, tolerance=0.01)
    assert all(finding.harmless for finding in monitor.report().findings)


def test_what_a_restored_monitor_knows():
    train, val = train_and_moved(6)
    first = ShiftMonitor(0.05, [PAIR, ("train", "reference")])
    first.known.append(Acknowledgement("1", "validation", "a new sensor"))
    first.compare(*PAIR, stream(val), train, epoch=1)
    first.replace(of("input/nan"))
    second = ShiftMonitor(0.05, [PAIR, ("train", "reference")])
    second.restore(first.state())
    second.known.extend(first.known)
    assert second.report() == first.report() and len(second.report().findings) == 2
    assert [pair.looks for pair in second.pairs] == [1]
    assert second.pairs[0].expected == {"input/1"}
    assert second.pairs[0].significant == first.pairs[0].significant != set()
    # A pass over the same samples is not counted as a new look. A pass over other samples is.
    second.compare(*PAIR, stream(val), train, epoch=2)
    assert second.pairs[0].looks == 1
    second.compare(*PAIR, stream(val + 1), train, epoch=3)
    assert second.pairs[0].looks == 2 and second.pairs[0].latest.tested
    # A pair that the resumed fit does not have is dropped.
    third = ShiftMonitor(0.05, [("train", "reference")])
    third.restore(first.state())
    assert third.pairs == []
