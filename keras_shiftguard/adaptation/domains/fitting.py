"""How `fit` on two domains is set up: checked, paired, watched."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_shiftguard.adaptation.domains.alignment_watch import MOST_LOOKED_AT, AlignmentWatch
from keras_shiftguard.adaptation.domains.arguments import check_streams, has_labels, rows
from keras_shiftguard.adaptation.domains.frozen_extractor import train_frozen
from keras_shiftguard.adaptation.domains.paired_batches import Pairs, is_one_shot
from keras_shiftguard.adaptation.domains.report import Action
from keras_shiftguard.adaptation.domains.weight_average import WeightAverage
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.processes import from_all
from keras_shiftguard.io.batches import batches, is_arrays, to_numpy

Fit = Callable[..., Any]


def train(
    owner: Any, plain_fit: Fit, x: Any, y: Any, target: Any, arguments: dict[str, Any]
) -> Any:
    """`fit` of a `DomainAdaptationModel` with a target.

    Args:
        owner: The model.
        plain_fit: `keras.Model.fit`, bound to it.
        x: The source, or its inputs.
        y: Its labels, or None.
        target: The target, labels and all.
        arguments: What else was given to `fit`.
    """
    kwargs = dict(arguments)
    if callable(target) and not hasattr(target, "__iter__"):
        make = target
        target = _Remade(make)
    source = _joined(x, y, kwargs.pop("sample_weight", None))
    validation = kwargs.get("validation_data")
    share = kwargs.pop("validation_split", 0.0)
    if share:
        source, validation = _held_out(source, share)
        kwargs["validation_data"] = validation
    if has_labels(target):
        owner.say("`target_data` holds labels: they are left out.")
    source, shown = _peeked(source)
    target, target_shown = _peeked(target)
    remarks = check_streams(shown[0], target_shown[0], shown[1], owner.num_classes)
    for remark in remarks:
        owner.say(remark)
    held_out = validation is not None and not is_one_shot(validation)
    seen = _peeked(validation)[1] if held_out else shown
    if owner.split.is_frozen():
        owner.actions = [
            Action(0, "features computed once and a new head trained", "the extractor is frozen")
        ]
        owner.say(str(owner.actions[0]))
        return train_frozen(owner, source, target, kwargs)
    return _paired(owner, plain_fit, source, target, kwargs, (seen, target_shown[0], held_out))


def _paired(
    owner: Any,
    plain_fit: Fit,
    source: Any,
    target: Any,
    kwargs: dict[str, Any],
    shown: tuple[Any, Any, bool],
) -> Any:
    epochs = kwargs.get("epochs", 1)
    start = kwargs.get("initial_epoch", 0)
    alone = int(owner.source_first * epochs) if owner.num_classes else 0
    seed = int(np.random.randint(2**31))  # of keras.utils.set_random_seed
    seed = int(from_all(np.asarray([seed]))[0])
    owner.mixing_layer.seed(seed)
    if owner.blends:
        owner.say(
            f"In training, up to {owner.mixing:.0%} of a target image is blended into each source "
            "image. `mixing=0` leaves the source as it is."
        )
    pairs = Pairs(
        source,
        target,
        batch_size=kwargs.pop("batch_size", None) or 32,
        shuffle=bool(kwargs.pop("shuffle", True)),
        steps=kwargs.pop("steps_per_epoch", None),
        seed=seed,
    )
    layer = owner.alignment_layer
    if not start:
        owner.actions, owner.looks = [], []
        layer.started.assign(float(alone == 0))
        layer.step.assign(0.0)
        layer.conditional.assign(0.0)
        owner.set_strength(owner.initial_strength)
    layer.ramp_steps.assign(owner.warmup * (epochs - alone) * len(pairs))
    (x, y, *_), target_shown, held_out = from_all(shown[0]), from_all(shown[1]), shown[2]
    watch = AlignmentWatch(owner, (x, y), target_shown, held_out, (start, epochs, alone))
    callbacks = kwargs.pop("callbacks", None) or []
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    elif isinstance(callbacks, keras.callbacks.Callback):
        callbacks = [callbacks]
    # Before the user's own, whose word is the last.
    ours = [watch, WeightAverage(owner, epochs)] if owner.protect else [watch]
    callbacks = [*ours, *callbacks]
    history = plain_fit(pairs, shuffle=False, callbacks=callbacks, **kwargs)
    if owner.verbose:
        print(owner.alignment)
    return history


class _Remade:
    """What a function makes, made anew for each pass."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __iter__(self) -> Any:
        return iter(batches(self.make()))


def _joined(x: Any, y: Any, weight: Any) -> Any:
    if x is None:
        raise BadInputError("`fit` needs a source: fit(x, y, target_data=...)")
    if callable(x) and not hasattr(x, "__iter__") and not isinstance(x, keras.utils.PyDataset):
        return _Remade(x)
    if y is None and weight is None:
        return x
    if not is_arrays(x):
        raise BadInputError("`y` and `sample_weight` go with arrays: this source brings its own.")
    return (x, y) if weight is None else (x, y, weight)


def _held_out(source: Any, share: float) -> tuple[Any, Any]:
    """The last samples as validation, as Keras has it."""
    if not is_arrays(source):
        raise BadInputError("`validation_split` is for arrays only: pass `validation_data`.")
    cut = int(np.floor(rows(source) * (1 - share)))

    def part(section: slice) -> Any:
        return keras.tree.map_structure(lambda a: a[section], source)

    return part(slice(0, cut)), part(slice(cut, None))


def _peeked(data: Any) -> tuple[Any, tuple[Any, Any, Any]]:
    """The stream, and its first samples; a one-shot stream is put together again."""
    if is_arrays(data):
        data_tuple = data if isinstance(data, tuple) else (data,)
        total = rows(data_tuple)
        if not total:
            raise BadInputError("The data is empty: it holds no sample.")
        # Spread over all: arrays may be sorted by class.
        index = np.unique(np.linspace(0, total - 1, MOST_LOOKED_AT).astype("int64"))
        taken = keras.tree.map_structure(
            lambda a: None if a is None else to_numpy(a)[index], data_tuple
        )
        return data, (*taken, None, None)[:3]
    once = is_one_shot(data)
    parts: list[Any] = []
    count = 0
    for batch in batches(data):
        parts.append(batch)
        count += rows(batch[0])
        if count >= MOST_LOOKED_AT:
            break
    if not count:
        raise BadInputError("The data is empty: not a single sample came out of it.")
    taken = tuple(
        None
        if any(part[i] is None for part in parts)
        else keras.tree.map_structure(
            lambda *a: np.concatenate([to_numpy(v) for v in a])[:MOST_LOOKED_AT],
            *[part[i] for part in parts],
        )
        for i in range(3)
    )
    if once:
        data = _chained(parts, data)
    return data, taken


def _chained(parts: list[Any], rest: Any) -> Any:
    yield from parts
    yield from batches(rest)
