"""Measurements of an adaptation without target labels, and the report on them."""

import numpy as np

from keras_shiftguard.domains.evidence import Evidence, proxy_a_distance
from keras_shiftguard.domains.report import Action, AlignmentReport


def test_distance_of_the_same_and_of_others(rng):
    same = proxy_a_distance(rng.normal(size=(300, 5)), rng.normal(size=(300, 5)))
    far = proxy_a_distance(rng.normal(size=(300, 5)), rng.normal(3, 1, size=(300, 5)))
    assert same < 0.25 and far > 1.9
    # With more features than samples, only cross-validation keeps the distance low.
    assert proxy_a_distance(rng.normal(size=(40, 200)), rng.normal(size=(40, 200))) < 0.7
    # A covariance matrix of these features would need 320 GB.
    wide = rng.normal(size=(16, 200_000)).astype("float32")
    assert 0 <= proxy_a_distance(wide, wide[::-1]) <= 2


def test_a_training_that_diverged_is_no_success():
    features = np.array([[np.nan, 1.0], [0.0, 1.0]])
    assert np.isnan(proxy_a_distance(features, features))
    looks = (Evidence(0, 1.5), Evidence(1, float("nan")))
    report = AlignmentReport("dann", "features", looks, (), 1.0)
    assert report.works is None and "not finite" in str(report)


def test_the_report_speaks():
    report = AlignmentReport("dann", "features", strength=1.0)
    assert "call `fit`" in str(report)
    looks = (Evidence(0, 1.9), Evidence(1, 0.6, 0.95, 0.9))
    action = Action(1, "strength halved to 0.5", "accuracy on labelled source fell")
    report = AlignmentReport("dann", "features", looks, (action,), 0.5)
    assert report.works and str(report).startswith("Alignment works (dann")
    assert "epoch 1: strength halved to 0.5, because accuracy" in str(report)
    assert "95.0%" in str(report)
    worse = AlignmentReport("dann", "features", (Evidence(0, 1.0), Evidence(1, 1.8)), (), 1.0)
    assert worse.works is False and "does not work" in str(worse)
    off = AlignmentReport("dann", "features", looks, (action,), 0.0)
    assert off.works is None and "Alignment is off" in str(off)
    other = AlignmentReport("auto", "features", looks, (), 1.0)
    assert other.works is None and str(other).startswith("Trained on the source and target (auto)")
