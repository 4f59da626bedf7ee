"""`look` measures what Keras's metrics of validation would be with the repair of its findings.

Keras logs metrics of the samples as they are fed. The Shift tab draws both over the epochs, so that
a cost can be seen. Repaired are the kept samples, which are a random part of a large validation. A
loss is that of the samples, without penalties on weights.
"""

import re
from contextlib import suppress
from typing import Any

from keras_shiftguard.callback.checks import schedule
from keras_shiftguard.callback.checks.check import Epoch, Told
from keras_shiftguard.callback.judged_samples import Judged
from keras_shiftguard.detection.cost import ACCURACY
from keras_shiftguard.detection.repairs import repairs_of
from keras_shiftguard.statistics.chunks import in_chunks
from keras_shiftguard.statistics.rows import Rows
from tensorboard_plugin_shiftguard.metadata import REPAIRED

IS_ACCURACY = re.compile("(sparse_|binary_)?(categorical_)?acc(uracy)?")  # Keras's own names


def look(state: None, epoch: Epoch) -> tuple[None, Told]:
    """Measures accuracy or the loss, and the first compiled metric, of repaired samples."""
    main, logs = epoch.main, epoch.logs or {}
    if main is None or not epoch.is_logged:
        return None, Told()
    repairs = repairs_of(main.findings.values(), epoch.streams["validation"].sketches)
    judged = epoch.judged(main, epoch.is_apart) if repairs else None
    number = 0 if judged is None else len(judged.current.labels)
    # In an epoch with an experiment, this is one prediction more.
    is_small = epoch.is_last or main in schedule.due(epoch)
    once = epoch.spending.affordable(number, lambda n: n, epoch.is_last)
    if judged is None or not number or not (is_small or once == number):
        return None, Told()
    changed = {
        name: in_chunks(finding.repair, judged.current.input(name))
        for name, finding in repairs.items()
    }
    images = judged.current.images
    whole = isinstance(images, Rows)
    repaired = Rows({**images.tree, **changed}) if whole else next(iter(changed.values()))
    curves = {}
    for name, value in _metrics(judged, repaired).items():
        own_name = IS_ACCURACY if name == ACCURACY else re.compile(re.escape(name))
        for logged in filter(own_name.fullmatch, logs):
            curves[REPAIRED.format(logged)] = value
    return None, Told(curves=curves)


def _metrics(judged: Judged, images: Any) -> dict[str, float]:
    """Returns accuracy or the loss, and the first compiled metric, by name in Keras's logs."""
    labels, judge = judged.current.labels, judged.judge
    worth = float(judge.worth(judged.predict(images), labels).mean())
    found = {ACCURACY: worth} if judge.metric == ACCURACY else {"loss": -worth}
    if judged.beside is not None:
        name, metric = judged.beside
        with suppress(Exception):  # the user's own metric may raise anything
            found[name] = metric(images, labels)
    return found
