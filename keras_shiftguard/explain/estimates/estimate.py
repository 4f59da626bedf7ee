"""`estimate_accuracy`: the accuracy of a classifier on data without labels."""

from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from statistics import NormalDist
from typing import Any

import keras
import numpy as np

from keras_shiftguard.comparison import check_alpha
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.explain.estimates.corrupted_copies import corrupted_copies
from keras_shiftguard.explain.estimates.moved_mix import MIN_SAMPLES, MovedMix
from keras_shiftguard.explain.estimates.unlabelled_scores import ReferenceScores, scores
from keras_shiftguard.explain.model_facts import ModelFacts, read_model_facts
from keras_shiftguard.explain.predictions import predict
from keras_shiftguard.explain.reference import Reference, resolve_reference
from keras_shiftguard.explain.samples import Samples, read_samples
from keras_shiftguard.io.as_page import AsPage
from keras_shiftguard.io.tables import check_order
from keras_shiftguard.statistics.spread import spread

MAX_REFERENCE = 512  # largest number of labelled samples that are corrupted. A convention.
# Penalty of the ridge regression, for standardized scores. A convention, checked in
# `examples/benchmarks/accuracy_estimate.py`.
PENALTY = 1.0
# No value is given if regression and optimal transport differ by more than this. The interval
# always holds both estimates. Chosen on corrupted photos, with
# `examples/benchmarks/accuracy_estimate.py`.
MAX_DISAGREEMENT = 0.35
# Errors of the regression grow with the loss of accuracy. They are counted in units of the loss
# that it predicts plus this. A convention, checked in `examples/benchmarks/accuracy_estimate.py`.
MIN_LOSS = 0.05
# A value of `AccuracyEstimate.reason`.
METHODS_DISAGREE = "The methods disagree: label some of the samples."
# A value of `AccuracyEstimate.note`.
ONLY_THE_MIX = (
    "Only the class mix seems to differ: the classes are predicted with other frequencies, but "
    "each with the confidence that it has on the reference."
)
# Scores from which the regression predicts the accuracy, see `scores`.
FEATURES = ("DoC", "COT", "shares")


@dataclass(frozen=True)
class AccuracyEstimate(AsPage):
    """Estimate of an accuracy without labels.

    Args:
        value: The estimated accuracy, from 0 to 1; None if there is no estimate, see `reason`.
        interval: Interval of the accuracy; None without a value. The interval covers the errors on
            corruptions that were left out of the calibration, the sampling error, and the
            disagreement of the methods. It is wider the more accuracy seems to be lost.
        reference_accuracy: The accuracy on the labelled reference.
        by_method: Estimate of each method by its name: `"ATC"` (threshold of the confidence),
            `"DoC"` (difference of the confidences), `"COT"` (optimal transport), `"regression"`,
            which combines the scores `FEATURES`, and `"BBSE"` (the accuracy if only the class mix
            differs).
        num_samples: Number of samples without labels.
        alpha: The interval holds the accuracy with probability 1 - alpha.
        reason: Why there is no value; empty if there is one.
        note: What the value is based on, if it is not the regression.
    """

    value: float | None
    interval: tuple[float, float] | None
    reference_accuracy: float
    by_method: dict[str, float] = field(default_factory=dict)
    num_samples: int = 0
    alpha: float = 0.05
    reason: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Returns the estimate as plain values, for JSON."""
        interval = None if self.interval is None else list(self.interval)
        return {"headline": str(self).partition("\n")[0], **asdict(self), "interval": interval}

    def __str__(self) -> str:
        reference = f"{100 * self.reference_accuracy:.1f} % on the reference"
        values = ", ".join(f"{name} {100 * value:.1f} %" for name, value in self.by_method.items())
        by_method = f"\n  By method: {values}." if values else ""
        if self.value is None or self.interval is None:
            return f"Accuracy without labels: not known ({reference}). {self.reason}{by_method}"
        low, high = (100 * end for end in self.interval)
        note = f" {self.note}" if self.note else ""
        return (
            f"Accuracy without labels: about {100 * self.value:.1f} % ({low:.1f} to {high:.1f}, "
            f"{self.num_samples:,} samples; {reference}).{note}{by_method}"
        )

    def _page_parts(self) -> dict[str, Any]:
        return {"title": "Accuracy without labels", "estimate": self.to_dict()}


def estimate_accuracy(
    model: Any, data: Any, reference: Any, alpha: float = 0.05
) -> AccuracyEstimate:
    """Estimates the accuracy of a classifier on data without labels.

    A ridge regression predicts the accuracy from several scores of the model's probabilities.
    It is fitted on corrupted copies of labelled reference data. The interval comes from the errors
    of the regression on kinds of corruption that were left out of its fit. If the regression and
    the optimal-transport estimate (`"COT"`) disagree, the value is None. If only the class mix
    seems to differ, the value is the accuracy of each class on the reference, averaged over the
    estimated mix.

    Args:
        model: A built `keras.Model` that classifies. It is not changed.
        data: The samples, in any form that `fit` accepts. Labels are ignored.
        reference: Labelled data that the model was not trained on, in the same forms as `data`. A
            profile made with `profile((x, y), model=model)`, or its path, is accepted too. But a
            profile has no samples to corrupt, so the value is then None, and `by_method` has only
            `"DoC"`, the estimate from the difference of the confidences.
        alpha: The interval holds the accuracy with probability 1 - alpha.

    Returns:
        An `AccuracyEstimate`; `print` it.

    Raises:
        BadInputError: if `model` is not a classifier, the data does not fit the model, the
            reference has no labels, tables of pandas have their columns in another order, the
            model returns NaN, or `alpha` is not between 0 and 1.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(400) % 2
    >>> x = rng.normal(2.0 * y[:, None] - 1.0, 0.7, (400, 3)).astype("float32")
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    >>> model.layers[0].set_weights([np.full((3, 1), 2.0), np.zeros(1)])
    >>> estimate = estimate_accuracy(model, x, (x, y))
    >>> abs(estimate.value - estimate.reference_accuracy) < 0.02
    True

    Reference: Garg et al., "Leveraging unlabeled data to predict out-of-distribution
    performance", ICLR 2022; Lu et al., "Characterizing out-of-distribution error via optimal
    transport", NeurIPS 2023.
    """
    check_alpha(alpha)
    facts = read_model_facts(model)
    known = _reference(reference, model, facts)
    samples = read_samples(data, facts, known.size(facts.channels_first), None)
    if samples.columns and known.profile is not None:
        columns = {name: each.columns for name, each in known.profile().inputs.items()}
        check_order(samples.columns, columns, "data", "reference")
    probabilities = _predict(model, samples)
    _check_finite(probabilities, "data")
    if known.samples is not None:
        return _calibrated(model, len(samples), probabilities, known, alpha)
    accuracy, by_method = known.accuracy, {}
    assert accuracy is not None
    if known.confidence is not None:
        confidence = float(probabilities.max(axis=1).mean())
        by_method["DoC"] = _share(accuracy + confidence - known.confidence)
    reason = "A profile has no samples to calibrate on: pass labelled data as `reference`."
    return AccuracyEstimate(None, None, accuracy, by_method, len(samples), alpha, reason)


def _reference(reference: Any, model: keras.Model, facts: ModelFacts) -> Reference:
    """Returns the reference; raises `BadInputError` unless it is labelled data or a profile."""
    is_path = isinstance(reference, (str, PathLike)) and Path(reference).exists()
    is_other = isinstance(reference, (str, int, float, np.number, type(None)))
    if is_other and not is_path:
        raise BadInputError(
            "`reference` must be labelled data, or a profile made with the model and labels. "
            f"Received: reference={reference!r}"
        )
    return resolve_reference(reference, model, facts, None)


def _calibrated(
    model: keras.Model, number: int, probabilities: np.ndarray, known: Reference, alpha: float
) -> AccuracyEstimate:
    """Returns the estimate, calibrated on corrupted copies of the reference."""
    assert known.samples is not None and known.predictions is not None
    labels, reference = known.samples.labels, known.predictions.probabilities
    assert labels is not None and known.accuracy is not None
    _check_finite(reference, "reference")
    which = spread(len(labels), MAX_REFERENCE)
    clean, truth = reference[which], labels[which]
    against = ReferenceScores.of(clean, truth)
    estimates = scores(probabilities, against)
    by_method = {name: _share(estimates[name]) for name in ("ATC", "DoC", "COT")}
    whole, moved = known.accuracy, MovedMix.of(reference, labels)
    if moved is not None:
        by_method["BBSE"] = moved.accuracy(probabilities)
    none = AccuracyEstimate(None, None, whole, by_method, number, alpha)
    if len(truth) < MIN_SAMPLES:
        return replace(none, reason=f"The reference needs {MIN_SAMPLES} labelled samples or more.")
    if len(known.samples.inputs) != 1:
        return replace(none, reason="Only models with one input can be calibrated.")
    name, x = next(iter(known.samples.inputs.items()))
    families, rows, accuracies = ["clean"], [_row(scores(clean, against))], [against.accuracy]
    for family, copy in corrupted_copies(x[which]):
        seen = _predict(model, Samples({name: copy}, None, form=known.samples.form))
        families.append(family)
        rows.append(_row(scores(seen, against)))
        accuracies.append(float((seen.argmax(axis=1) == truth).mean()))
    if len(rows) == 1:
        reason = "Samples of whole numbers that are no images cannot be corrupted."
        return replace(none, reason=reason)
    names, features, target = np.array(families), np.array(rows), np.array(accuracies)
    # Only a part of the reference is corrupted, and its accuracy differs from that of the whole.
    drawn = whole - against.accuracy
    value = _share(_ridge(features, target, np.array([_row(estimates)]))[0] + drawn)
    by_method["regression"] = value
    if moved is not None and moved.is_all(probabilities):
        ends = moved.interval(probabilities, alpha)
        return replace(none, value=by_method["BBSE"], interval=ends, note=ONLY_THE_MIX)
    apart = abs(value - by_method["COT"])
    if apart > MAX_DISAGREEMENT:
        return replace(none, reason=METHODS_DISAGREE)
    beyond = _largest_error(names, features, target, 1 - alpha) * (MIN_LOSS + abs(value - whole))
    variance = value * (1 - value) / number + whole * (1 - whole) / len(truth)
    margin = float(np.hypot(beyond, NormalDist().inv_cdf(1 - alpha / 2) * np.sqrt(variance)))
    margin = max(margin, apart)  # the interval holds the estimates of both methods
    return replace(none, value=value, interval=(_share(value - margin), _share(value + margin)))


def _largest_error(
    families: np.ndarray, features: np.ndarray, target: np.ndarray, quantile: float
) -> float:
    """Returns a quantile of the errors on families of corruptions that were left out.

    Copies of one family are alike, so a family counts as one observation: its largest error. The
    unit is `MIN_LOSS` plus the loss that is predicted. The first row has no corruption.
    """
    worst = []
    for out in dict.fromkeys(families[1:].tolist()):
        is_in, is_out = families != out, families == out
        found = _ridge(features[is_in], target[is_in], features[is_out])
        unit = MIN_LOSS + np.abs(found - target[0])
        worst.append(float(np.max(np.abs(found - target[is_out]) / unit)))
    return float(np.quantile(worst, quantile))


def _predict(model: keras.Model, samples: Samples) -> np.ndarray:
    """Returns class probabilities, `(samples, classes)`; 0 where the model returns NaN."""
    return predict(model, [samples.packed(samples.inputs)]).probabilities


def _check_finite(probabilities: np.ndarray, name: str) -> None:
    """Raises a BadInputError if the model returned NaN for samples of the argument `name`."""
    wrong = int((probabilities.max(axis=1) <= 0).sum())
    if wrong:
        raise BadInputError(
            f"The model returns NaN or infinity for {wrong:,} of {len(probabilities):,} samples of "
            f"`{name}`. Check these samples for missing values, and the weights for a training "
            "that diverged."
        )


def _row(found: dict[str, float]) -> list[float]:
    return [found[name] for name in FEATURES]


def _ridge(features: np.ndarray, target: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Returns the predictions of a ridge regression for new rows, `(rows,)`.

    The regression is exact on the first row: samples without corruption, whose accuracy is known.
    """
    std = features.std(axis=0) + 1e-9
    x, wanted = (features - features[0]) / std, target - target[0]
    weights = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ wanted)
    return np.asarray(((new - features[0]) / std) @ weights + target[0])


def _share(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))
