"""The texts of a run's log: its state, and the list of events."""

from typing import Any

import numpy as np

from tensorboard_plugin_shiftguard import checks
from tensorboard_plugin_shiftguard.answers import Unreadable, fitting
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
    EVENTS_TAG,
    MAX_FINDINGS,
    MAX_STREAMS,
    SCHEMA,
    STATE_TAG,
    STATE_WORDS,
    TAG_PREFIX,
)
from tensorboard_plugin_shiftguard.points import Point
from tensorboard_plugin_shiftguard.run_log import RunReader
from tensorboard_plugin_shiftguard.words import attribute_in_words, in_plain_words

MAX_EVENTS = 500
MAX_EVENT_BYTES = 100_000  # of the list of events as JSON
MAX_SERIES = 768  # 256 of each of the three kinds
MAX_CLASSES_TOLD = 8  # of a finding


def _plain(value: Any) -> str | None:
    """Checks a sentence, and puts the names of features in the sentence into plain words."""
    found = sentence(value)
    return None if found is None else sentence(in_plain_words(found))


def _told_class(value: Any) -> list[Any] | None:
    """Checks a list `[class, share in the stream, share in the other stream]`."""
    if not isinstance(value, list) or len(value) != 3:
        return None
    found = [name(value[0]), number(value[1]), number(value[2])]
    return None if None in found else found


def _attribute(value: Any) -> list[Any] | None:
    """Checks a list `[name, size]` of an attribute, and puts the name into plain words."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    found = [name(value[0]), number(value[1])]
    return None if None in found else [attribute_in_words(found[0]), found[1]]


def _numbers(length: int) -> checks.Check:
    """Returns a check for a list of `length` numbers, none of which may be missing."""

    def check(value: Any) -> list[Any] | None:
        found = vector(length)(value)
        return None if found is None or None in found else found

    return check


# The checks of the records in the log, and of their parts.
_FINDING = record(
    feature=name,
    kind=name,
    family=name,
    effect_size=number,
    interval=vector(2),
    p_value=number,
    stream=name,
    against=name,
    since=whole,
    until=whole,
    explanation=_plain,
    sentence=_plain,
    difference=record(who=_plain, verb=name, how=_plain, whom=_plain),
    classes=items(_told_class, MAX_CLASSES_TOLD),
    expected=flag,
    negligible=flag,
    acknowledged=sentence,
    cost=number,
    cost_interval=vector(2),
    cost_words=sentence,
    metric=name,
    harmless=flag,
    is_question=flag,
    is_rough=flag,
)
_REPORT = record(
    shifted=flag,
    alpha=number,
    num_samples=mapping(number, MAX_STREAMS),
    findings=items(_FINDING, MAX_FINDINGS),
    notes=items(_plain, 20),
    more=whole,
)
_CONVENTION = record(mode=name, channel_order=name, scale=vector(), offset=vector())
_DIAGNOSIS = {
    "status": checks.one_of("ok", "unknown", "mismatch"),
    "expected": _CONVENTION,
    "observed": _CONVENTION,
    "advice": sentence,
    "evidence": items(sentence, 20),
    "architecture": name,
    "hints": items(record(name=name, sentence=sentence, certainty=number), 20),
    "num_samples": whole,
    "value_range": vector(2),
    "candidates": items(
        record(name=name, mode=name, swap=flag, misfit=number, fed=flag, best=flag, rough=flag),
        32,
    ),
}
VERDICT = record(
    state=checks.one_of(*STATE_WORDS),
    cause=sentence,
    since=whole,
    cost=number,
    cost_interval=vector(2),
    cost_words=sentence,
    metric=name,
    step=sentence,
    is_code=flag,
    detail=_plain,
    adaptation=_plain,
    notes=items(_plain, 20),
    about=items(name, 2),
    streams=items(name, 2),
)
_STATE = record(
    v=whole,
    version=name,
    step=whole,
    looks=whole,
    alpha=number,
    verdict=VERDICT,
    adapting=_plain,
    report=_REPORT,
    diagnosis=mapping(record(**_DIAGNOSIS, by_input=mapping(record(**_DIAGNOSIS), 8)), MAX_STREAMS),
    corrected=mapping(whole, MAX_STREAMS),
    adapts=flag,
    adapts_since=whole,
    worth=record(
        before=_plain,
        after=_plain,
        answer=checks.one_of("yes", "no", "same", "unknown"),
        now=_numbers(3),
        earlier=_numbers(3),
        source=number,
        saw_target=flag,
    ),
    left=record(before=_attribute, now=_attribute, by_name=mapping(_numbers(2), MAX_SERIES)),
    tolerance=number,
    collecting=mapping(vector(2), MAX_STREAMS),
    num_samples=mapping(number, MAX_STREAMS),
)
_EVENT = record(
    kind=checks.one_of("finding", "preprocessing", "action", "note"),
    step=whole,
    stream=name,
    against=name,
    feature=name,
    text=_plain,
    reason=_plain,
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
    content = checks.parsed(words_of(point.value))
    state = _STATE(content)
    if state is None:
        raise Unreadable("is no JSON object")
    if state["v"] != SCHEMA:
        raise Unreadable(_other_schema(state))
    state["verdict"] = checked_verdict(state["verdict"])
    if state["alpha"] is None and state["report"]:
        state["alpha"] = state["report"]["alpha"]
    return dict(state)


def checked_verdict(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """Returns a verdict; None for another text that version 0.2 wrote under this name."""
    if not told or not (told["state"] and told["cause"]):
        return None
    return {**told, **{key: told[key] or [] for key in ("notes", "about", "streams")}}


def _other_schema(state: dict[str, Any]) -> str:
    """Returns the problem of a state in another version of the format, as a predicate."""
    version = state["version"] or "an unknown version"
    return (
        f"has layout {state['v']}, written by keras-shiftguard {version}; "
        f"this tab reads layout {SCHEMA}"
    )


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
        run.add_problem(STATE_TAG, error.message)
        return None


def tags_of_latest_fit(run: RunReader) -> frozenset[str] | None:
    """Returns the tags that the latest fit wrote; None if the log does not list them.

    TensorBoard also keeps the series of an earlier fit in the same directory. The latest fit may
    lack the features and pairs of streams of those series.
    """
    points = run.points([STATE_TAG], max_points=1)[STATE_TAG]
    try:
        content = checks.parsed(words_of(points[-1].value)) if points else None
    except Unreadable:
        return None  # the overview shows the problem
    if not isinstance(content, dict) or not isinstance(content.get("tags"), list):
        return None
    found = content["tags"][:MAX_SERIES]
    return frozenset(f"{TAG_PREFIX}{tag}" for tag in found if isinstance(tag, str))


def latest_events(run: RunReader) -> list[dict[str, Any]]:
    """Returns the latest events, at most 500, the oldest first."""
    latest: list[dict[str, Any]] = []
    points = run.points([EVENTS_TAG])[EVENTS_TAG]
    for point in reversed(points):
        try:
            content = checks.parsed(words_of(point.value))
            if not isinstance(content, list):
                raise Unreadable("is no JSON list")
        except Unreadable as error:
            run.add_problem(EVENTS_TAG, f"at step {point.step} {error.message}")
            continue
        found = (_EVENT(item) for item in reversed(content[-MAX_EVENTS:]))
        latest.extend(event for event in found if event and event["text"])
        if len(latest) >= MAX_EVENTS:
            break
    for event in latest:
        event["kind"] = event["kind"] or "note"
    return fitting(latest[:MAX_EVENTS], MAX_EVENT_BYTES)[::-1]
