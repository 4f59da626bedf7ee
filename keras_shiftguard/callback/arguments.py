"""Checks of the arguments of `ShiftGuard`, with clear errors before training starts."""

from collections.abc import Sequence
from inspect import signature
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import keras

from keras_shiftguard.comparison import check_alpha, check_tolerance
from keras_shiftguard.errors import BadInputError

ON_MISMATCH = ("warn", "raise", "fix", "ignore")
ON_SHIFT = ("warn", "raise", "stop", "ignore")
STREAMS = ("train", "validation", "prediction", "target", "reference")
MAX_LOG_SAMPLES = 64  # images of each stream at each comparison. A convention.
ADAPTATIONS = ("augmentation", "batch_norm")


def check_arguments(guard: Any) -> None:
    """Checks the arguments of a guard, which its attributes hold."""
    _check_one_of("on_mismatch", guard.on_mismatch, ON_MISMATCH)
    _check_one_of("on_shift", guard.on_shift, ON_SHIFT)
    _check_update_freq(guard.update_freq)
    _check_statistics(guard.statistics)
    _check_path("log_dir", guard.log_dir)
    _check_log_samples(guard.log_samples, guard.log_dir)
    _check_attach_to(guard.attach_to)
    check_alpha(guard.alpha)
    check_tolerance(guard.tolerance)


def check_acknowledged(what: Any, stream: Any) -> None:
    """Checks the name of what is acknowledged, and that of a stream, or None."""
    if not what or not isinstance(what, str):
        raise BadInputError(
            "`what` must be the feature or the family of a finding, such as "
            f'"input/brightness", "colour" or "labels". Received: what={what!r}'
        )
    if stream is not None:
        _check_one_of("stream", stream, STREAMS)


def _check_one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Checks that an argument is one of the allowed words."""
    if value not in allowed:
        raise BadInputError(f"`{name}` must be one of {allowed}. Received: {name}={value!r}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_update_freq(update_freq: Any) -> None:
    """Checks that `update_freq` is `"epoch"` or a positive number of batches."""
    if update_freq != "epoch" and not (_is_count(update_freq) and update_freq > 0):
        raise BadInputError(
            "`update_freq` must be 'epoch' or a positive number of batches. "
            f"Received: update_freq={update_freq!r}"
        )


def _check_log_samples(log_samples: Any, log_dir: Any) -> None:
    """Checks that `log_samples` is a valid number of images, and 0 if there is no `log_dir`."""
    if not _is_count(log_samples) or not 0 <= log_samples <= MAX_LOG_SAMPLES:
        raise BadInputError(
            f"`log_samples` must be a number of images of each stream, from 0 to "
            f"{MAX_LOG_SAMPLES}. Received: log_samples={log_samples!r}"
        )
    if log_samples and log_dir is None:
        raise BadInputError(
            "`log_samples` writes images to the log directory: pass `log_dir` as well. "
            f"Received: log_samples={log_samples!r}, log_dir=None"
        )


def _check_path(name: str, path: Any) -> None:
    """Checks that an argument is a path or None."""
    if path is not None and not isinstance(path, (str, PathLike)):
        raise BadInputError(f"`{name}` must be a path, or None. Received: {name}={path!r}")


def _check_attach_to(attach_to: Any) -> None:
    """Checks that `attach_to` is None, or can be the path of a model with a profile.

    The file need not exist yet, because the fit may write it.
    """
    _check_path("attach_to", attach_to)
    if attach_to is None:
        return
    received = f"Received: attach_to={attach_to!r}"
    if Path(attach_to).suffix in (".h5", ".hdf5"):
        raise BadInputError(
            "`attach_to` must be a .keras file or the directory of a SavedModel: a file of weights "
            f"or an HDF5 file cannot hold a profile. {received}"
        )
    if "{" in str(attach_to):
        raise BadInputError(
            "`attach_to` must be the path of one file, without placeholders such as {epoch}: give "
            "ModelCheckpoint a path without them, or attach the profile after the fit with "
            f'guard.profiles["train"].attach(path). {received}'
        )


def _check_statistics(statistics: Any) -> None:
    """Checks that all `statistics` are Keras metrics."""
    if not isinstance(statistics, Sequence):
        raise BadInputError(
            "`statistics` must be a list or tuple of keras.metrics.Metric instances. "
            f"Received: statistics={statistics!r}"
        )
    for metric in statistics:
        if not isinstance(metric, keras.metrics.Metric):
            raise BadInputError(
                "`statistics` must hold keras.metrics.Metric instances whose `update_state` "
                f"takes `x`. Received: {metric!r}"
            )


def distinct_by_stream(distinct_samples: Any) -> dict[str, int | float]:
    """Returns the declared number or share of independent samples, by stream; {} for None."""
    if distinct_samples is None:
        return {}
    by_stream = (
        distinct_samples if isinstance(distinct_samples, dict) else {"train": distinct_samples}
    )
    for stream, number in by_stream.items():
        is_number = _is_count(number) and number > 0
        is_share = isinstance(number, float) and 0 < number <= 1
        if stream not in STREAMS or not (is_number or is_share):
            raise BadInputError(
                "`distinct_samples` must be a positive number of samples, or a share above 0 and "
                "up to 1 (1/10 for clips of ten frames), of training, or a dict of these by "
                f"stream, of {STREAMS}. Received: distinct_samples={distinct_samples!r}"
            )
    return dict(by_stream)


def adaptations(adapt: Any, target_data: Any) -> tuple[str, ...]:
    """Returns the repairs that `adapt` selects, as a tuple of names in `ADAPTATIONS`."""
    asked = adapt if isinstance(adapt, (tuple, list)) else (adapt,)
    asked = tuple("augmentation" if each is True else each for each in asked if each is not False)
    for each in asked:
        if not isinstance(each, str) or each not in ADAPTATIONS:
            raise BadInputError(
                "`adapt` must be False, True (which means 'augmentation'), 'augmentation', "
                "'batch_norm', or a tuple of them. To train on the target, wrap the model: "
                "keras_shiftguard.DomainAdaptationModel(model, method='auto'). "
                f"Received: adapt={adapt!r}"
            )
    if "batch_norm" in asked and target_data is None:
        raise BadInputError(
            "adapt='batch_norm' takes its statistics from the target: pass unlabelled data "
            "as `target_data` as well."
        )
    return asked


def in_code(guard: Any, class_: type) -> dict[str, str]:
    """Returns the arguments of a guard as code, by name; those with their default are left out.

    Data and other objects are written as variables with the name of the argument. The guard may be
    of a subclass of `class_`, with other arguments.
    """
    found = {}
    for name, parameter in signature(class_).parameters.items():
        value = getattr(guard, name)
        if name == "adapt":
            value = value[0] if len(value) == 1 else value or False
        is_default = value is parameter.default
        if isinstance(value, PathLike):
            value = fspath(value)
        words = value if isinstance(value, tuple) else (value,)
        is_plain = all(isinstance(each, (str, int, float, bool, type(None))) for each in words)
        if not is_default and not (is_plain and value == parameter.default):
            found[name] = repr(value) if is_plain else name
    return found
