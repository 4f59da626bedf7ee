"""Writer of the log that the Shift tab of TensorBoard shows.

Each comparison of the streams (usually one per epoch) adds a number of bytes that does not grow
during training: a row of numbers for each feature of each pair of streams, a histogram of 32 bins
for each feature and stream (`shift_tab_series.py`), and the state as JSON.
The format is in `tensorboard_plugin_shiftguard/metadata.py`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.report_words import in_a_sentence
from keras_shiftguard.detection.two_sample.ranks import MIN_SAMPLES
from keras_shiftguard.io.json_files import plain
from keras_shiftguard.log.event_writer import EventWriter
from keras_shiftguard.log.shift_tab_findings import logged_report
from keras_shiftguard.log.shift_tab_series import ShiftSeries
from keras_shiftguard.profiles import InputProfile
from tensorboard_plugin_shiftguard.metadata import (
    ADAPTATION_TAG,
    CURVES_TAG,
    EVENTS_TAG,
    MAX_ADAPTATION,
    MAX_CURVES,
    SCHEMA,
    STATE_TAG,
    TAB_ONLY,
)

# Limits of the writer. They are below those of the reader, `MAX_SENTENCE` and `MAX_JSON_BYTES`.
MAX_TEXT = 1000  # characters of one sentence
MAX_BYTES = 60_000  # size of one JSON text
SEVERITIES = ("shift", "val_shift")  # names that the guard itself adds to Keras's logs


class ShiftEvents:
    """Writes comparisons, verdicts and events for the Shift tab.

    Args:
        writer: The writer of the event file.
        version: The version of this package. A reader that is too old for the log
            shows this version to the user.
        tolerance: The share of accuracy that a shift may cost before the shift is an alarm; None
            if every shift is an alarm.
    """

    def __init__(
        self, writer: EventWriter, version: str = "", tolerance: float | None = 0.01
    ) -> None:
        self._writer = writer
        self._num_comparisons = 0
        self._state: dict[str, Any] = {
            "v": SCHEMA,
            "version": version,
            "tolerance": tolerance,
            "verdict": None,
            "adapting": None,
            "report": None,
            "diagnosis": {},
            "corrected": {},
            "adapts": False,
            "adapts_since": None,
            "worth": {},
            "left": None,
            "num_samples": {},
            "collecting": {},
        }
        self._events: list[dict[str, Any]] = []  # all events of the step `_events_step`
        self._events_step = -1
        self._series = ShiftSeries(writer)

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, in a form that `profiles.storage` can store."""
        text = json.dumps(plain(self._state), allow_nan=False)
        return {"json": text, "looks": self._num_comparisons, **self._series.state()}

    def restore(self, state: Mapping[str, Any], step: int) -> None:
        """Continues the series of an interrupted fit.

        The series keep their tags, so that the tab shows one run. Events that the interrupted
        fit wrote at `step` and later are dropped.

        Args:
            state: The result of `state` in that fit.
            step: The first step that is written now.
        """
        self._state |= {**json.loads(state["json"]), "tolerance": self._state["tolerance"]}
        self._num_comparisons = state["looks"]
        self._series.restore(state)
        # An empty point makes TensorBoard drop the later events. The next point of each other
        # series does the same for that series.
        self._writer.write_data(EVENTS_TAG, _packed([]), step, {"v": SCHEMA})

    def write_comparison(
        self,
        step: int,
        pairs: Sequence[Pair],
        profiles: Mapping[str, InputProfile],
        report: ShiftReport,
        new: Sequence[Finding] = (),
    ) -> None:
        """Writes one comparison of all streams.

        Args:
            step: Epoch, counted from 0.
            pairs: The pairs of streams that were compared, with the results of all tests.
            profiles: The latest profile of each stream.
            report: The findings so far.
            new: The findings that this comparison added.
        """
        self._num_comparisons += 1
        self._series.write(step, pairs, profiles)
        self.write_events(step, [_as_event(finding) for finding in new])
        sizes = {name: profile.num_samples for name, profile in profiles.items()}
        self._state["report"] = logged_report(report, pairs)
        self._state["num_samples"] = sizes
        self._state["collecting"] = {
            name: [size, MIN_SAMPLES] for name, size in sizes.items() if size < MIN_SAMPLES
        }
        self._write_state(step)

    def tell(self, verdict: Mapping[str, Any]) -> None:
        """Takes the verdict, `Verdict.to_dict()`, that the next states contain."""
        self._state["verdict"] = dict(verdict)

    def write_verdict(self, step: int) -> None:
        """Writes the state with the latest verdict; `step` is the epoch, counted from 0."""
        self._write_state(step)

    def write_diagnosis(
        self, step: int, stream: str, headline: str, diagnosis: Mapping[str, Any]
    ) -> None:
        """Writes the verdict on the preprocessing of one stream.

        Args:
            step: Epoch, counted from 0.
            stream: Name of the stream.
            headline: The verdict in one sentence.
            diagnosis: `Diagnosis.to_dict()`.
        """
        mismatch = diagnosis.get("status") == "mismatch"
        self._state["diagnosis"][stream] = diagnosis
        kind = "preprocessing" if mismatch else "note"
        event = {"kind": kind, "stream": stream, "text": headline}
        self.write_events(step, [event])
        self._write_state(step)

    def write_correction(self, step: int, stream: str) -> None:
        """Writes the event that the input of a stream is corrected from an epoch on.

        Args:
            step: The first corrected epoch, counted from 0.
            stream: Name of the stream.
        """
        self._state["corrected"].setdefault(stream, int(step) + 1)
        text = "The input is corrected inside fit from here on."
        self.write_events(step, [{"kind": "action", "stream": stream, "text": text}])
        self._write_state(step)

    def write_curves(self, step: int, logs: Mapping[str, Any]) -> None:
        """Writes Keras's logs at the end of an epoch, such as accuracy and loss.

        Args:
            step: Epoch, counted from 0.
            logs: The numbers by name. Values that are not a single finite number are left out.
        """
        values = {name: _single(value) for name, value in logs.items() if name not in SEVERITIES}
        known = {name: value for name, value in values.items() if value is not None}
        shown = dict(list(known.items())[:MAX_CURVES])
        if shown:
            self._writer.write_data(CURVES_TAG, _packed(shown), step, {"v": SCHEMA})

    def write_adaptation(
        self,
        step: int,
        headline: str,
        events: Sequence[Mapping[str, Any]],
        curves: Mapping[str, float] | None = None,
        since: int | None = None,
    ) -> None:
        """Writes the changes that the adaptation made.

        Args:
            step: Epoch, counted from 0.
            headline: The state of the adaptation in one sentence.
            events: The changes and their reasons, see `write_events`.
            curves: The numbers of this epoch, as in `RunWriter.write_adaptation`.
            since: The first epoch that is adapted, as in `RunWriter.write_adaptation`.
        """
        self._state["adapting"] = headline
        self._state["adapts"] = True
        self._state["adapts_since"] = self._state["adapts_since"] or since
        before, now = (_largest(curves or {}, kind) for kind in ("shift_before/", "shift/"))
        if before and now:
            by_name = _by_attribute(curves or {})
            self._state["left"] = {"before": before, "now": now, "by_name": by_name}
        if many := _finite(curves or {}, TAB_ONLY):
            self._writer.write_data(ADAPTATION_TAG, _packed(many), step, {"v": SCHEMA})
        self.write_events(step, events)
        self._write_state(step)

    def write_worth(self, step: int, worth: Mapping[str, Any]) -> None:
        """Writes whether adaptation helps, see `RunWriter`."""
        self._state["worth"] = {**self._state["worth"], **worth}
        self._state["adapts"] = True
        self._write_state(step)

    def write_events(self, step: int, events: Sequence[Mapping[str, Any]]) -> None:
        """Writes entries of the event list.

        Args:
            step: Epoch, counted from 0.
            events: Each has `kind` (`"finding"`, `"preprocessing"`, `"action"` or
                `"note"`) and `text`, and may have `stream`, `against`, `feature`
                and `reason`.
        """
        if not events:
            return
        blank = dict.fromkeys(("stream", "against", "feature", "reason"))
        if self._events_step != step:
            self._events_step, self._events = step, []
        # TensorBoard keeps only the last point of a step, so each point repeats the events of the
        # step so far. If they are too many, the latest are dropped.
        self._events += [{**blank, **event, "step": int(step)} for event in events]
        text = _packed(self._events)
        while len(text) > MAX_BYTES:
            self._events = self._events[: len(self._events) // 2]
            text = _packed(self._events)
        self._writer.write_data(EVENTS_TAG, text, step, {"v": SCHEMA})

    def _write_state(self, step: int) -> None:
        """Writes the state as JSON; details are left out if the text would be too long."""
        # The tab shows only these tags, so it shows no series of an earlier fit in this directory.
        tags = self._series.tags
        state = {**self._state, "tags": tags, "step": int(step), "looks": self._num_comparisons}
        text = _packed(state)
        if len(text) > MAX_BYTES:  # possible if each of many inputs has a diagnosis
            shortened = {k: {**d, "by_input": {}} for k, d in state["diagnosis"].items()}
            text = _packed({**state, "diagnosis": shortened})
        if len(text) > MAX_BYTES:
            text = _packed({**state, "diagnosis": {}, "report": None})
        self._writer.write_data(STATE_TAG, text, step, {"v": SCHEMA})


def _as_event(finding: Finding) -> dict[str, Any]:
    """Returns a finding as an entry of the event list, see `write_events`."""
    return {
        "kind": "finding",
        "stream": finding.stream,
        "against": finding.against,
        "feature": finding.feature,
        "text": in_a_sentence(finding),
    }


def _largest(curves: Mapping[str, float], prefix: str) -> list[Any] | None:
    """Returns `[name, size]` of the largest absolute value among the numbers with a prefix.

    The name is without the prefix. Returns None if no number with the prefix is finite.
    """
    sizes = {k.removeprefix(prefix): abs(v) for k, v in curves.items() if k.startswith(prefix)}
    finite = {name: size for name, size in sizes.items() if math.isfinite(size)}
    return [name := max(finite, key=finite.__getitem__), finite[name]] if finite else None


def _finite(curves: Mapping[str, float], kinds: Sequence[str]) -> dict[str, float]:
    """Returns at most `MAX_ADAPTATION` finite numbers whose names begin with one of `kinds`."""
    chosen = {k: float(v) for k, v in curves.items() if k.partition("/")[0] in kinds}
    finite = [(name, value) for name, value in chosen.items() if math.isfinite(value)]
    return dict(finite[:MAX_ADAPTATION])


def _by_attribute(curves: Mapping[str, float]) -> dict[str, list[float]]:
    """Returns how far training is from the target, by attribute: without and with augmentation."""
    found = {}
    for key, before in curves.items():
        prefix, _, name = key.partition("/")
        pair = [abs(before), abs(curves.get(f"shift/{name}", math.nan))]
        if prefix == "shift_before" and all(map(math.isfinite, pair)):
            found[name] = pair
    return found


def _single(value: Any) -> float | None:
    """Returns a single finite number as a float; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _packed(value: Any) -> bytes:
    """Returns the value as JSON, with long texts cut."""
    return json.dumps(_cut(plain(value)), allow_nan=False).encode()


def _cut(value: Any) -> Any:
    """Returns the value with all its texts cut to `MAX_TEXT` characters."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 3] + "..."
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    return [_cut(item) for item in value] if isinstance(value, list) else value
