"""The `fit` of `DomainAdaptationModel`: checks the data, pairs the batches, adds the callbacks."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import keras
import numpy as np

from keras_shiftguard.domains.alignment.adamatch import AdaMatch
from keras_shiftguard.domains.arguments import MIN_TARGET_SAMPLES, check_streams, is_multi_label
from keras_shiftguard.domains.outcome import Outcome, expectation
from keras_shiftguard.domains.pair_model import PairModel
from keras_shiftguard.domains.paired_batches import Pairs
from keras_shiftguard.domains.watch import AdaptationWatch
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.steps.processes import from_all, has_several_processes
from keras_shiftguard.io.batches import BATCH_SIZE, Batch, num_samples, to_numpy, unpacked
from keras_shiftguard.io.source import Source, open_source
from keras_shiftguard.io.tables import check_order

MAX_SAMPLES = 512  # largest number of samples of each domain that are measured. A convention.


def train(
    model: PairModel,
    plain_fit: Callable[..., Any],
    x: Any,
    y: Any,
    target: Any,
    arguments: dict[str, Any],
) -> Any:
    """Trains a `DomainAdaptationModel`; returns the `History` of Keras.

    `plain_fit` is the method `keras.Model.fit`, bound to the model, and `arguments` are the other
    arguments of `fit`.
    """
    kwargs = dict(arguments)
    source = _source(x, y, kwargs.pop("sample_weight", None))
    target = open_source(target, "target_data")
    check_order(source.columns, target.columns, "x", "target_data")
    if target.has_labels:
        model.say("`target_data` holds labels: they are left out.")
    source, validation = _apart(source, kwargs)
    ignored = getattr(model.loss, "ignore_class", None)
    source, samples = _take_samples(source)
    samples = _counted(samples, ignored)
    target, target_samples = _take_samples(target)
    _tell_of_domains(model, source, samples, target_samples, ignored)
    held_out = _held_out(validation, ignored)
    epochs = kwargs.get("initial_epoch", 0), kwargs.get("epochs", 1)
    seed = int(np.random.randint(2**31))  # keras.utils.set_random_seed makes it repeatable
    seed = int(from_all(np.asarray([seed]))[0])  # all processes use the seed of the first
    batch_size = kwargs.pop("batch_size", None) or BATCH_SIZE
    shuffle, steps = bool(kwargs.pop("shuffle", True)), kwargs.pop("steps_per_epoch", None)
    pairs = Pairs(source, target, batch_size, shuffle, steps, seed)
    _restart(model, epochs, len(pairs))
    if model.views is not None:
        model.views.check_layer(samples[0])
        model.views.seed(seed)
        model.views.fit_scales(from_all(samples[0]))
    measured = from_all((held_out or samples)[:2])
    may_judge = bool(model.verbose and model.num_classes) and held_out is not None
    # One of several processes cannot copy all weights.
    judges = may_judge and not has_several_processes()
    target_x = from_all(target_samples[0])
    watch = AdaptationWatch(model, measured, target_x, epochs, batch_size)
    labelled = watch.inputs, watch.labels
    model.judging = Outcome(model, labelled, target_x) if judges else None
    model.outcome = ""
    # The user's callbacks come last, so that they can override what `watch` sets.
    begin = keras.callbacks.LambdaCallback(on_train_begin=pairs.begin)
    given = kwargs.pop("callbacks", None)
    given = keras.tree.flatten(getattr(given, "callbacks", given))  # of a CallbackList
    callbacks = [begin, watch, *(callback for callback in given if callback is not None)]
    try:
        history = plain_fit(pairs, shuffle=False, callbacks=callbacks, **kwargs)
        watch.settle()
        model.judge()
    finally:
        model.judging = None  # frees the samples that it holds
    model.say(str(model.alignment))
    return history


def _tell_of_domains(
    model: PairModel, source: Source, samples: Batch, target_samples: Batch, ignored: int | None
) -> None:
    """Checks the two domains, and says what is remarkable and whether adaptation may help."""
    labels = samples[1]
    if source.size:  # all labels are at hand
        labels = _counted((None, unpacked(source.data)[1], None), ignored)[1]
    if model.num_classes and is_multi_label(labels, model.num_classes):
        model.use_multi_label()
    for remark in check_streams(samples[0], target_samples[0], labels, model.num_classes):
        model.say(remark)
    model.expected = expectation(samples[0], target_samples[0]) if model.verbose else ""
    if model.expected:
        model.say(model.expected)


def _held_out(validation: Source | None, ignored: int | None) -> Batch | None:
    """Returns samples of validation; None if it can be read only once, or has too few of them."""
    if validation is None or validation.is_one_shot:
        return None
    found = _counted(_take_samples(validation)[1], ignored)
    return found if num_samples(found[0]) >= MIN_TARGET_SAMPLES else None


def _restart(model: PairModel, epochs: tuple[int, int], num_batches: int) -> None:
    """Sets what the model counts over a training to its begin, unless a training is resumed."""
    model.looks = [look for look in model.looks if look.epoch < epochs[0]]
    if not epochs[0]:
        model.actions = []
        model.steps_done.assign(0.0)
        model.strength.assign(model.initial_strength)
        for method in model.methods:
            if isinstance(method, AdaMatch):
                method.restart()
    model.steps.assign(float(epochs[1] * num_batches))


def _source(x: Any, y: Any, weight: Any) -> Source:
    """Returns the source, with its labels and sample weights if they were passed apart."""
    if x is None:
        raise BadInputError("`fit` needs a source: fit(x, y, target_data=...)")
    source = open_source(x, "x")
    if y is None and weight is None:
        return source
    if source.form != "arrays":
        raise BadInputError(
            "`y` and `sample_weight` can be given only with arrays. This source must yield them."
        )
    return open_source((x, y) if weight is None else (x, y, weight), "x")


def _apart(source: Source, kwargs: dict[str, Any]) -> tuple[Source, Source | None]:
    """Returns what is trained on and the validation, which is set in `kwargs` as well.

    The last `validation_split` of the samples is validation.
    """
    given = kwargs.pop("validation_data", None)
    validation = None
    if share := kwargs.pop("validation_split", 0.0):
        if source.size is None:
            raise BadInputError("`validation_split` is for arrays only: pass `validation_data`.")
        cut = int(np.floor(source.size * (1 - share)))
        source, validation = source.rows(slice(0, cut)), source.rows(slice(cut, None))
    elif given is not None:
        pair = tuple(given) if isinstance(given, list) else given  # as Keras does
        validation = open_source(pair, "validation_data")
    if validation is not None:
        kwargs["validation_data"] = validation.data
    return source, validation


def _take_samples(source: Source) -> tuple[Source, Batch]:
    """Returns the source and up to `MAX_SAMPLES` of its samples, `(x, y, sample_weight)`.

    From arrays, the samples are spread over the whole length; from other data, they are the
    first ones. If the source is one-shot, the returned one yields the batches read here first.
    """
    if source.size:
        # The first samples could all be of one class.
        index = np.unique(np.linspace(0, source.size - 1, MAX_SAMPLES).astype("int64"))
        return source, unpacked(source.rows(index).data)
    read = list(source.first_batches(MAX_SAMPLES))
    if not sum(num_samples(batch[0]) for batch in read):
        raise BadInputError(f"`{source.name}` is empty: it holds no sample.")
    x, y, weight = (
        None
        if any(part is None for part in parts)
        else keras.tree.map_structure(
            lambda *a: np.concatenate([to_numpy(v) for v in a])[:MAX_SAMPLES], *parts
        )
        for parts in zip(*read, strict=True)
    )
    if source.is_one_shot:
        source = replace(source, data=chain(read, source.batches()))
    return source, (x, y, weight)


def _counted(samples: Batch, ignored: int | None) -> Batch:
    """Returns the samples, `(x, y, sample_weight)`, whose class the loss does not ignore."""
    if ignored is None or samples[1] is None:
        return samples
    kept = to_numpy(samples[1]).reshape(len(samples[1]), -1)[:, 0] != ignored
    if not kept.any():
        raise BadInputError(
            f"All of the first {len(kept)} labels are {ignored}, which the loss ignores "
            "(`ignore_class`). Shuffle the source."
        )
    found: Batch = keras.tree.map_structure(
        lambda a: None if a is None else to_numpy(a)[kept], samples
    )
    return found
