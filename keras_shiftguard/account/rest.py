"""The rest of a gap, which nothing undoes: its name comes from the time course of the fit."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_shiftguard.account.likelihoods import Classes
from keras_shiftguard.account.samples import Half, Predict
from keras_shiftguard.account.search import Search
from keras_shiftguard.detection.gap_row import ACCURACY

MEMORISED = "the model knows its training samples by heart"
EITHER = f"{MEMORISED}, or the same values mean something else in {{data}}"
TELL = (
    "Feed 200 rows of training through the pipeline of validation, and evaluate on them: if it "
    "stays as bad, the pipelines differ."
)
UNDONE = "something differs from the first epoch on, and nothing that was tried undoes it"
UNTRIED = "there was no time to try what the inputs may be"
UNEXPLAINED = "nothing that was tried undoes it"
CHANCE = "within chance"
OTHER_ORDER = "the labels of {data} are in another order than the inputs"
ONE_CLASS = "all labels of {data} are of one class, and the predictions are of many"
ORDER_STEP = "Check that x and y of validation are shuffled, filtered and sorted together."
# Standard errors, and points, of a rest that is more than chance. Conventions.
SIGMAS, LEAST, LEAST_OF_LOSS = 2.5, 0.02, 0.05
MIN_LEARNT = 0.1  # of accuracy, ahead of the best constant. A convention.
MIN_TOLD = 0.01  # nats by which labels are likelier than by their frequencies. A convention.
MAX_MIX_APART, MAX_DOUBT = 0.1, 0.05  # of predicted classes, and of confidence. Conventions.


@dataclass(frozen=True)
class FirstPass:
    """The first epoch in which something was learnt, in the metric of the account.

    Args:
        ahead: Accuracy or loss of training on the last quarter of its batches: of samples that
            were not trained on yet, if it is the first epoch.
        number: Number of samples of this quarter.
        after: Accuracy or loss of validation after the epoch.
        epoch: The epoch, counted from 1.
        predict: Runs the model with the weights after the epoch; None if they were not kept. The
            argument tells whether batch norm is measured anew.
        is_loss: Whether these are losses, although the account is of accuracies.
    """

    ahead: float
    number: int
    after: float
    epoch: int
    predict: Callable[[bool], Predict | None] | None = None
    is_loss: bool = False


def name_of_rest(
    search: Search, rest: float, error: float, first: FirstPass | None
) -> tuple[str, str, str | None, bool]:
    """Returns kind, cause and step of what is left, and whether it is sure."""
    likelihood, metric = search.case.likelihood, search.case.likelihood.metric
    least = LEAST if metric == ACCURACY else LEAST_OF_LOSS
    if rest <= max(least, SIGMAS * error):
        return "unexplained", CHANCE, None, False
    if search.is_starved:
        return "unexplained", UNTRIED, None, True
    if isinstance(likelihood, Classes) and _are_of_other_samples(search):
        is_one = len(np.unique(search.case.here.y)) == 1
        return "labels", ONE_CLASS if is_one else OTHER_ORDER, ORDER_STEP, True
    if first is None and not search.case.is_of_fit:
        return "unexplained", UNEXPLAINED, None, True
    has_repairs = bool(search.taken) and first is not None and first.is_loss
    if first is None or first.epoch > 1 or (has_repairs and metric == ACCURACY):
        return "memorised", EITHER, TELL, False
    after, errors = _after_repairs(search, first)
    if metric == ACCURACY and not first.is_loss:
        chance = (first.ahead * (1 - first.ahead) / max(first.number, 1)) ** 0.5
        kept_up = first.ahead - after < SIGMAS * np.hypot(chance, errors) + LEAST
    else:
        chance = errors * (1 + (len(search.case.here) / max(first.number, 1)) ** 0.5)
        kept_up = after - first.ahead < (SIGMAS * chance + LEAST_OF_LOSS) * abs(first.ahead)
    if kept_up:
        return "memorised", MEMORISED, None, True
    return "unexplained", UNDONE, None, True


def _after_repairs(search: Search, first: FirstPass) -> tuple[float, float]:
    """Returns validation after the first epoch with the repairs taken, and its standard error.

    Of a loss, the error is a share of its value.
    """
    case, taken = search.case, [each for each in search.taken if not each.undoing.share]
    after, metric = first.after, case.likelihood.metric
    anew = any(each.rival.kind == "model" for each in taken)
    predict = first.predict(anew) if first.predict is not None and taken else None
    worth = search.worth()
    if predict is not None:
        middle = len(case.here) // 2
        found = []
        for number, part in enumerate((slice(middle, None), slice(0, middle))):
            half = Half(predict, case.here.x[part], case.here.y[part])
            for each in taken:
                if each.rival.kind != "model":
                    half = each.undoings[number].apply(half)
            found.append(case.likelihood.worth(half.outputs, half.y))
        worth = np.concatenate(found)
        after = float(worth.mean())
        if metric != ACCURACY:
            after = -after * float(getattr(case.likelihood, "unit", 1.0))
    size = len(worth) * case.share
    if first.is_loss and metric == ACCURACY:
        return after, float(
            2 / size**0.5
        )  # a loss of classes varies about twice as much as its mean
    if metric == ACCURACY:
        return after, float((max(after * (1 - after), 0.0) / size) ** 0.5)
    return after, float(worth.std() / (abs(worth.mean()) + 1e-12) / size**0.5)


def _are_of_other_samples(search: Search) -> bool:
    """Whether labels say nothing of the samples, while the predictions are as on training."""
    likelihood, there = search.case.likelihood, search.training
    if not isinstance(likelihood, Classes) or there is None or not search.has_learnt():
        return False
    halves = [way[1] for way in search.ways]
    outputs = np.concatenate([half.outputs for half in halves])
    y = np.concatenate([half.y for half in halves])
    classes = outputs.shape[1]
    usual = np.log((np.bincount(y, minlength=classes) + 0.5) / (len(y) + 0.5 * classes))
    told = likelihood.log(outputs, y, likelihood.fit(outputs, y)) - usual[y]
    mixes = [
        np.bincount(p.argmax(axis=1), minlength=classes) / len(p) for p in (outputs, there.outputs)
    ]
    doubt = there.outputs.max(axis=1).mean() - outputs.max(axis=1).mean()
    is_like = np.abs(mixes[0] - mixes[1]).sum() / 2 < MAX_MIX_APART + len(y) ** -0.5
    return bool(told.mean() < MIN_TOLD and is_like and doubt < MAX_DOUBT)
