"""The state of a run: the verdict, the report, the diagnoses, and what the guard does."""

from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import Unreadable
from tensorboard_plugin_shiftguard.checks import (
    flag,
    items,
    mapping,
    name,
    number,
    record,
    sentence,
    vector,
    whole,
)
from tensorboard_plugin_shiftguard.metadata import (
    MAX_FEATURES,
    MAX_FINDINGS,
    MAX_STREAMS,
    SCHEMA,
    STATE_TAG,
    STATE_WORDS,
    TAG_PREFIX,
)
from tensorboard_plugin_shiftguard.points import Point
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.words import in_plain_words

MAX_SERIES = 768  # 256 of each of the three kinds


def _plain(value: Any) -> str | None:
    """Checks a sentence, and puts the names of features in the sentence into plain words."""
    found = sentence(value)
    return None if found is None else sentence(in_plain_words(found))


# The checks of the records in the log, and of their parts.
_FINDING = record(
    feature=name,
    kind=name,
    stream=name,
    against=name,
    since=whole,
    until=whole,
    explanation=_plain,
    cost=number,
    cost_interval=vector(2),
    cost_words=sentence,
    metric=name,
    harmless=flag,
    is_question=flag,
)
_REPORT = record(findings=items(_FINDING, MAX_FINDINGS))
_CONVENTION = record(mode=name, channel_order=name, scale=vector(), offset=vector())
_DIAGNOSIS = {
    "status": checks.one_of("ok", "unknown", "mismatch"),
    "expected": _CONVENTION,
    "observed": _CONVENTION,
    "advice": sentence,
    "evidence": items(sentence, 20),
    "architecture": name,
    "hints": items(record(sentence=sentence), 20),
    "num_samples": whole,
    "value_range": vector(2),
}
_VERDICT = record(
    state=checks.one_of(*STATE_WORDS),
    cause=sentence,
    since=whole,
    cost=number,
    cost_words=sentence,
    step=sentence,
    is_code=flag,
    detail=_plain,
    adaptation=_plain,
    notes=items(_plain, 20),
    streams=items(name, 2),
)


def verdict(value: Any) -> dict[str, Any] | None:
    """Checks a verdict; None for another text that version 0.2 wrote under this name."""
    told = _VERDICT(value)
    return told if told and told["state"] and told["cause"] else None


_STATE = record(
    step=whole,
    looks=whole,
    verdict=verdict,
    adapting=_plain,
    report=_REPORT,
    diagnosis=mapping(record(**_DIAGNOSIS, by_input=mapping(record(**_DIAGNOSIS), 8)), MAX_STREAMS),
    corrected=mapping(whole, MAX_STREAMS),
    adapts=flag,
    worth=record(before=_plain),
    tolerance=number,
    columns=mapping(items(name, MAX_FEATURES), MAX_STREAMS),
)


def words_of(value: np.ndarray) -> bytes:
    """Returns the text of a string tensor with one element, in UTF-8.

    Raises:
        Unreadable: If the tensor is of another type or size.
    """
    if value.dtype.kind not in "OSU" or value.size != 1:
        raise Unreadable(f"is no single text but {value.dtype} of shape {value.shape}")
    word = value.reshape(-1)[0]
    if isinstance(word, str):
        return word.encode("utf-8", "replace")
    if not isinstance(word, bytes):
        raise Unreadable("is no text")
    return word


def read_state(point: Point) -> dict[str, Any]:
    """Returns the state that a point of the state series holds, with every field checked.

    Raises:
        Unreadable: If the point is not such a state. The message is a predicate about the tag.
    """
    state: dict[str, Any] = _STATE(checks.versioned(words_of(point.value), SCHEMA))
    return state


def latest_state(run: RunReader) -> tuple[dict[str, Any] | None, list[Point]]:
    """Returns the latest state, None if it is missing or bad, and all points of its series."""
    points = run.points([STATE_TAG])[STATE_TAG]
    return state_at(run, points[-1].step) if points else None, points


def state_at(run: RunReader, step: int) -> dict[str, Any] | None:
    """Returns the state as it was at a step; None if it is missing or unreadable."""
    points = [point for point in run.points([STATE_TAG])[STATE_TAG] if point.step <= step]
    try:
        return read_state(points[-1]) if points else None
    except Unreadable as error:
        run.add_problem(STATE_TAG, str(error))
        return None


def tags_of_latest_fit(run: RunReader) -> frozenset[str] | None:
    """Returns the tags that the latest fit wrote; None if the log does not list them.

    TensorBoard also keeps the series of an earlier fit in the same directory. The latest fit may
    lack the features and pairs of streams of those series.
    """
    points = run.points([STATE_TAG], max_points=1)[STATE_TAG]
    try:
        tags = checks.versioned(words_of(points[-1].value), SCHEMA).get("tags") if points else None
    except Unreadable:
        return None  # the overview shows the problem
    if not isinstance(tags, list):
        return None
    return frozenset(f"{TAG_PREFIX}{tag}" for tag in items(sentence, MAX_SERIES)(tags))
