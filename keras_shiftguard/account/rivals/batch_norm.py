"""Batch norm whose moving statistics are not those of training yet, measured anew."""

from functools import cache

from keras_shiftguard.account.rival import Rival, Undoing
from keras_shiftguard.account.samples import Case, Half

CAUSE = "the moving averages of batch norm are not yet those of training"
STEP = "Train for more steps, or lower the momentum: keras.layers.BatchNormalization(momentum=0.9)"


def rivals(case: Case) -> list[Rival]:
    """Returns the rival, if the model has batch norm."""
    fresh = case.fresh
    if fresh is None:
        return []
    measured = cache(fresh)

    def fit(half: Half) -> Undoing:
        predict = measured() or half.predict
        return Undoing(lambda k: Half(predict, k.x, k.y, None, k.spread), cause=CAUSE, step=STEP)

    return [Rival("model", "batch norm", "batch norm", fit, is_once=True)]
