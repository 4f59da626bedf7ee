"""The account of a gap: what wins, what it costs, and that the rows add up."""

import numpy as np
import pytest

from keras_shiftguard.account.account import Logged, account
from keras_shiftguard.account.likelihoods import Classes, Losses, Numbers, SeveralLabels
from keras_shiftguard.account.report import GapReport
from keras_shiftguard.account.rest import MEMORISED, UNDONE, FirstPass
from keras_shiftguard.account.samples import Case, Half
from keras_shiftguard.statistics.batch import spec_for

NUMBER, CLASSES, COLUMNS = 800, 5, 6
MEANS = np.random.default_rng(1).normal(0, 1.0, (CLASSES, COLUMNS))


def blobs(number=NUMBER, seed=0, frequencies=None):
    """Rows around the mean of their class, and the class ids."""
    rng = np.random.default_rng(seed)
    y = rng.choice(CLASSES, number, p=frequencies)
    return (MEANS[y] + 0.7 * rng.normal(size=(number, COLUMNS))).astype("float32"), y


def classify(x, y=None):
    """The probabilities of the best classifier of the blobs."""
    logits = -((x[:, None] - MEANS) ** 2).sum(axis=2) / (2 * 0.7**2)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def case_of(x, y, predict=classify, likelihood=None, training=None, **more):
    known = blobs(400, seed=9) if training is None else training
    likelihood = likelihood or Classes(np.bincount(known[1], minlength=CLASSES))
    spec = spec_for("input", x.shape, "channels_last", "float32")
    return Case(likelihood, Half(predict, x, y), Half(predict, *known), [spec], **more)


def account_of(case, first=None, reference=None):
    worth = case.likelihood.worth
    here, there = (float(worth(h.outputs, h.y).mean()) for h in (case.here, case.there))
    if case.likelihood.metric != "accuracy":
        here, there = (-case.likelihood.unit * each for each in (here, there))
    there = there if reference is None else reference
    report = account(case, Logged(there, here, len(case.there), len(case.here)), first)
    assert sum(row.points for row in report.rows) == pytest.approx(report.gap, abs=1e-9)
    assert len(str(report).splitlines()) <= 10
    again = GapReport.from_dict(report.to_dict())
    assert str(again) == str(report) and again.gap == report.gap
    return report


def exchanged(x, y):
    return x[:, [3, 1, 2, 0, 4, 5]], y


def one_lower(x, y):
    return x, (y + CLASSES - 1) % CLASSES


def partly_random(x, y):
    rng = np.random.default_rng(3)
    return x, np.where(rng.random(len(y)) < 0.4, rng.integers(0, CLASSES, len(y)), y)


def hundredfold(x, y):
    return np.where(np.arange(COLUMNS) == 2, 100 * x, x).astype("float32"), y


def moved(x, y):
    return (x + np.array([1.2, 0, -1.4, 0, 0, 1.0])).astype("float32"), y


def shuffled(x, y):
    return x, np.random.default_rng(4).permutation(y)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (exchanged, "input", "columns 0 and 3 exchanged"),
        (hundredfold, "input", "100 times as large"),
        (moved, "input", ""),
        (one_lower, "labels", "class ids"),
        (partly_random, "labels", "fit nothing"),
        (shuffled, "labels", "in another order than the inputs"),
    ],
)
def test_a_planted_cause_is_the_largest_row_and_holds_the_truth(change, kind, words):
    x, y = blobs()
    right = (classify(x).argmax(axis=1) == y).mean()
    bad = change(x, y)
    report = account_of(case_of(*bad))
    row = report.rows[0]
    assert (row.kind, row.sure) == (kind, True) and words in row.cause
    assert report.fault == row and (row.step or row.repair)
    lost = right - (classify(bad[0]).argmax(axis=1) == bad[1]).mean()
    if change is not shuffled:
        assert row.interval[0] - 0.03 < lost < row.interval[1] + 0.03
    if row.repair is not None:
        x, y = blobs(seed=7)
        other, labels = change(x, y)
        before = (classify(other).argmax(axis=1) == labels).mean()
        if kind == "labels":
            labels = row.repair(labels)
        else:
            other = np.asarray(row.repair(other))
        gained = (classify(other).argmax(axis=1) == labels).mean() - before
        assert gained > row.interval[0] - 0.03


@pytest.mark.parametrize("seed", range(5))
def test_data_like_those_of_training_have_no_fault(seed):
    report = account_of(case_of(*blobs(seed=seed)))
    assert report.fault is None and report.rest.cause == "within chance"


def test_data_of_one_class_accuse_no_input():
    x, y = blobs(3000)
    only = y == 0
    report = account_of(case_of(x[only] + np.float32(0.4), y[only]))
    assert [row for row in report.rows if row.kind == "input" and row.sure] == []


def test_a_memory_of_training_is_told_from_a_pipeline_that_differs():
    x, y = blobs()
    rng = np.random.default_rng(2)
    noise = 1.5 * rng.normal(size=x.shape)
    case = case_of((x + noise).astype("float32"), y)
    here = account_of(case).measured
    kept_up = FirstPass(here + 0.01, 300, here, 1)
    behind = FirstPass(here + 0.3, 300, here, 1)
    assert (account_of(case, kept_up).rest.kind, account_of(case, kept_up).rest.cause) == (
        "memorised",
        MEMORISED,
    )
    rest = account_of(case, behind).rest
    assert (rest.kind, rest.cause, rest.sure) == ("unexplained", UNDONE, True)
    later = account_of(case, FirstPass(here + 0.3, 300, here, 2)).rest
    assert later.kind == "memorised" and not later.sure and "something else" in later.cause


def test_another_class_mix_has_a_row():
    def hard(number, seed, frequencies=None):  # the last class is spread over the others
        x, y = blobs(number, seed, frequencies)
        noise = 2 * np.random.default_rng(seed + 1).normal(size=x.shape)
        return np.where(y[:, None] == CLASSES - 1, x + noise, x).astype("float32"), y

    mix = [0.05, 0.05, 0.05, 0.05, 0.8]
    report = account_of(case_of(*hard(800, 0, mix), training=hard(400, 9)))
    assert report.rows[0].kind == "class mix" and report.rows[0].sure


def test_classes_that_training_lacks_are_named():
    x, y = blobs()
    known = blobs(400, seed=9)
    less = tuple(part[known[1] < 4] for part in known)
    case = case_of(
        x[y >= 3], y[y >= 3], lambda x, _=None: classify(x) * [1, 1, 1, 1, 0], training=less
    )
    row = account_of(case).rows[0]
    assert row.kind == "class mix" and "training lacks: 4" in row.cause


def test_batch_norm_that_is_young_wins_first():
    def young(x, y=None):
        return classify(x * 0.2)

    x, y = blobs()
    case = case_of(x, y, predict=young, fresh=lambda: classify)
    report = account_of(case, reference=0.95)
    assert report.rows[0].kind == "model" and "batch norm" in report.rows[0].cause


def test_few_samples_are_told():
    report = account_of(case_of(*(part[:50] for part in exchanged(*blobs()))))
    assert report.fault is None and "50 labelled samples" in report.notes[0]


def line(x, y=None):
    return (x @ np.arange(1.0, COLUMNS + 1))[:, None] / 5


def squared(p, y):
    return ((p - y) ** 2).mean(axis=1)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda x, y: (x, 1000 * y), "labels", "1000 times as large"),
        (lambda x, y: (x, np.exp(y)), "labels", "exp(those of training)"),
        (lambda x, y: (hundredfold(x, y)[0], y), "input", "100 times as large"),
        (lambda x, y: (x, y), "", ""),
    ],
)
def test_numbers_to_predict(change, kind, words):
    x, y = blobs(1200)[0], None
    y = line(x) + 0.2 * np.random.default_rng(0).normal(size=(len(x), 1))
    bad = change(x[:800], y[:800])
    unit = float(squared(line(bad[0]), bad[1]).mean())
    case = case_of(*bad, line, Numbers(squared, "mse", unit), (x[800:], y[800:]))
    report = account_of(case)
    assert report.metric == "mse"
    if not kind:
        assert report.fault is None
        return
    row = report.rows[0]
    assert row.kind == kind and words in row.cause and row.sure and row.points > 0.5
    repaired = row.repair(bad[1]) if kind == "labels" else row.repair(bad[0])
    fixed = (bad[0], repaired) if kind == "labels" else (np.asarray(repaired), bad[1])
    assert squared(line(fixed[0]), fixed[1]).mean() < 0.1 * unit


def test_several_labels_a_sample():
    def flags(x, y=None):
        return 1 / (1 + np.exp(-4 * x[:, :4]))

    x, _ = blobs(1200)
    rng = np.random.default_rng(0)
    y = (rng.random((len(x), 4)) < flags(x)).astype("float64")
    bad = exchanged(x, y)[0][:800]
    case = case_of(bad, y[:800], flags, SeveralLabels(), (x[800:], y[800:]))
    row = account_of(case).rows[0]
    assert row.kind == "input" and "0 and 3 exchanged" in row.cause


def test_any_other_loss_is_judged_as_it_is():
    x, _ = blobs(1200)
    y = line(x)

    def losses(x, y):
        return np.abs(line(x) - y)[:, 0] + 0.1

    bad = hundredfold(x, y)[0][:800]
    unit = float(losses(bad, y[:800]).mean())
    case = case_of(bad, y[:800], losses, Losses("huber", unit), (x[800:], y[800:]))
    report = account_of(case)
    assert report.metric == "huber" and "100 times as large" in report.rows[0].cause


def test_without_time_nothing_is_claimed_of_labels_that_an_input_may_explain():
    x, y = exchanged(*blobs())
    report = account_of(case_of(x, (y + 1) % CLASSES, budget=0.0))
    assert report.fault is None
