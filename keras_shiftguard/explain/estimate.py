"""`estimate_accuracy`: the accuracy of a classifier on data without labels."""

from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from statistics import NormalDist
from typing import Any

import keras
import numpy as np

from keras_shiftguard.comparison import check_alpha
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.explain.corrupted_copies import corrupted_copies
from keras_shiftguard.explain.model_facts import ModelFacts, read_model_facts
from keras_shiftguard.explain.moved_mix import MovedMix
from keras_shiftguard.explain.reference import Reference, resolve_reference
from keras_shiftguard.explain.samples import CHUNK, Samples, read_samples
from keras_shiftguard.explain.unlabelled_scores import ReferenceScores, scores
from keras_shiftguard.io.as_page import AsPage
from keras_shiftguard.io.tables import check_order
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.classes import host_probabilities
from keras_shiftguard.statistics.spread import spread

MAX_REFERENCE = 512  # largest number of labelled samples that are corrupted
MIN_REFERENCE = 50  # with fewer labelled samples, no value is given
MAX_PARTS = 8  # largest number of parts of a corrupted copy that are compared with the samples
PENALTY = 1.0  # penalty of the ridge regression, for standardized scores
# No value is given if regression and optimal transport differ by more than this. The interval
# always holds both estimates. The limit was chosen on corrupted photos.
MAX_DISAGREEMENT = 0.35
# Errors of the regression grow with the loss of accuracy. They are counted in units of the loss
# that it predicts plus this.
MIN_LOSS = 0.05
# A value of `AccuracyEstimate.reason`.
METHODS_DISAGREE = "The methods disagree: label some of the samples."
# A value of `AccuracyEstimate.note`.
ONLY_THE_MIX = (
    "Only the class mix seems to differ: the classes are predicted with other frequencies, but "
    "each with the confidence that it has on the reference."
)
# Scores from which the regression predicts the accuracy, see `scores`.
FEATURES = ("ATC", "DoC", "COT", "entropy", "MaNo", "shares")
MANO = FEATURES.index("MaNo")


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
            `"DoC"` (difference of the confidences), `"COT"` (optimal transport), `"MaNo"` (matrix
            norm, calibrated on the corruptions), `"regression"`, which combines these scores, and
            `"BBSE"` (the accuracy if only the class mix differs).
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
    probabilities = _predict(model, samples, "data")
    accuracy = known.accuracy
    assert accuracy is not None
    if known.samples is None or known.samples.labels is None:
        confidence = float(probabilities.max(axis=1).mean())
        by_method = {}
        if known.confidence is not None:
            by_method["DoC"] = _share(accuracy + confidence - known.confidence)
        reason = "A profile has no samples to calibrate on: pass labelled data as `reference`."
        return AccuracyEstimate(None, None, accuracy, by_method, len(samples), alpha, reason)
    return _calibrated(model, samples, probabilities, known.samples, alpha)


def _reference(reference: Any, model: keras.Model, facts: ModelFacts) -> Reference:
    """Returns the reference; raises `BadInputError` unless it is labelled data or a profile."""
    is_path = isinstance(reference, (str, PathLike)) and Path(reference).exists()
    is_other = isinstance(reference, (str, int, float, np.number, type(None)))
    if is_other and not is_path:
        raise BadInputError(
            "`reference` must be labelled data, or a profile made with the model and labels. "
            f"Received: reference={reference!r}"
        )
    if isinstance(reference, InputProfile) and not reference.outputs.num_samples:
        raise BadInputError(
            "A profile as `reference` must be made with the model and with labels: "
            "keras_shiftguard.profile((x, y), model=model)."
        )
    return resolve_reference(reference, model, facts, None)


def _calibrated(
    model: keras.Model,
    samples: Samples,
    probabilities: np.ndarray,
    reference: Samples,
    alpha: float,
) -> AccuracyEstimate:
    """Returns the estimate, calibrated on corrupted copies of the reference."""
    labels = reference.labels
    assert labels is not None
    which = spread(len(reference), MAX_REFERENCE)
    chosen = {name: x[which] for name, x in reference.inputs.items()}
    few, truth = Samples(chosen, labels[which], form=reference.form), labels[which]
    clean = _predict(model, few)
    against = ReferenceScores.of(clean, truth)
    estimates = scores(probabilities, against)
    by_method = {name: _share(estimates[name]) for name in ("ATC", "DoC", "COT")}
    of_reference = _predict(model, reference, "reference")
    whole = float((of_reference.argmax(axis=1) == labels).mean())
    moved = MovedMix.of(of_reference, labels)
    if moved is not None:
        by_method["BBSE"] = moved.accuracy(probabilities)
    only_the_mix = moved is not None and moved.is_all(probabilities)

    def unknown(reason: str) -> AccuracyEstimate:
        return AccuracyEstimate(None, None, whole, by_method, len(samples), alpha, reason)

    if len(truth) < MIN_REFERENCE:
        return unknown(f"The reference needs {MIN_REFERENCE} labelled samples or more.")
    if len(chosen) != 1:
        return unknown("Only models with one input can be calibrated.")
    name, x = next(iter(chosen.items()))
    families, rows, accuracies = ["clean"], [_row(scores(clean, against))], [against.accuracy]
    # Errors of BBSE on copies that differ in another way, but seem to have another class mix.
    misleading = [0.0]
    for family, copy in corrupted_copies(x):
        seen = _predict(model, Samples({name: copy}, None, form=reference.form))
        families.append(family)
        rows.append(_row(scores(seen, against)))
        accuracies.append(float((seen.argmax(axis=1) == truth).mean()))
        if moved is not None and only_the_mix:
            # Parts as small as the samples, because more samples are harder to mistake.
            parts = np.array_split(seen, max(len(seen) // len(samples), 1))[:MAX_PARTS]
            mistaken = [moved.accuracy(part) for part in parts if moved.is_all(part)]
            misleading += [abs(found - accuracies[-1]) for found in mistaken]
    if len(rows) == 1:
        return unknown("Samples of whole numbers that are no images cannot be corrupted.")
    names, features, target = np.array(families), np.array(rows), np.array(accuracies)
    # Only a part of the reference is corrupted, and its accuracy differs from that of the whole.
    drawn = whole - against.accuracy
    value = _share(_ridge(features, target, np.array([_row(estimates)]))[0] + drawn)
    mano = _ridge(features[:, [MANO]], target, np.array([_row(estimates)])[:, [MANO]])
    by_method |= {"MaNo": _share(mano[0] + drawn), "regression": value}
    if moved is not None and only_the_mix:
        value, interval = by_method["BBSE"], moved.interval(probabilities, alpha, max(misleading))
        return AccuracyEstimate(
            value, interval, whole, by_method, len(samples), alpha, note=ONLY_THE_MIX
        )
    # Copies of one family are alike, so a family counts as one observation: its largest error.
    worst = []
    for out in dict.fromkeys(families[1:]):
        is_in, is_out = names != out, names == out
        found = _ridge(features[is_in], target[is_in], features[is_out])
        unit = MIN_LOSS + np.abs(found - against.accuracy)
        worst.append(float(np.max(np.abs(found - target[is_out]) / unit)))
    beyond = float(np.quantile(worst, 1 - alpha)) * (MIN_LOSS + abs(value - whole))
    variance = value * (1 - value) / len(samples) + whole * (1 - whole) / len(truth)
    margin = float(np.hypot(beyond, NormalDist().inv_cdf(1 - alpha / 2) * np.sqrt(variance)))
    apart = abs(value - by_method["COT"])
    margin = max(margin, apart)  # the interval holds the estimates of both methods
    if apart > MAX_DISAGREEMENT:
        return unknown(METHODS_DISAGREE)
    interval = _share(value - margin), _share(value + margin)
    return AccuracyEstimate(value, interval, whole, by_method, len(samples), alpha)


def _predict(model: keras.Model, samples: Samples, name: str = "") -> np.ndarray:
    """Returns class probabilities, `(samples, classes)`, float64.

    Outputs that are not finite are an error if `name` says which argument the samples are.
    Otherwise they count as 0: a corruption may be more than the model can take.
    """
    inputs = samples.packed(samples.inputs)
    try:
        outputs = model.predict(inputs, batch_size=CHUNK, verbose=0)
    except Exception as error:  # of any type, from any layer
        shapes = {name: tuple(part.shape) for name, part in samples.inputs.items()}
        raise BadInputError(
            f"The model does not take this data. Received: shapes {shapes}. ({error})"
        ) from error
    found = np.asarray(host_probabilities(outputs), "float64")
    wrong = int((~np.isfinite(found).all(axis=1)).sum())
    if name and wrong:
        raise BadInputError(
            f"The model returns NaN or infinity for {wrong:,} of {len(found):,} samples of "
            f"`{name}`. Check these samples for missing values, and the weights for a training "
            "that diverged."
        )
    return np.nan_to_num(found)


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
