"""What the Shift tab of TensorBoard is given, look by look.

A look costs the same number of bytes whether it is the first or the thousandth:
a row of numbers for each feature of each pair of streams, 32 shares for each
feature and stream (`shift_series.py`), and the state in words as JSON. The layout is
versioned; `tensorboard_plugin_shiftguard/reading.py` is its reader.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.detection.report_words import in_a_sentence, verdict
from keras_shiftguard.detection.two_sample.ranks import MIN_SAMPLES
from keras_shiftguard.io.json_files import plain
from keras_shiftguard.log.event_writer import EventWriter
from keras_shiftguard.log.shift_tab_series import SCHEMA, ShiftSeries
from keras_shiftguard.profiles import InputProfile

MOST_FINDINGS = 20  # in the state, the worst first
MOST_TEXT = 1000  # characters of one sentence
MOST_BYTES = 60_000  # of one JSON text


class ShiftEvents:
    """Writes looks and verdicts for the Shift tab.

    Args:
        writer: Where to.
        version: Of this package: a reader that is too old for a log names it.
    """

    def __init__(self, writer: EventWriter, version: str = "") -> None:
        self._writer = writer
        self._looks = 0
        self._state: dict[str, Any] = {
            "v": SCHEMA,
            "version": version,
            "verdict": {"preprocessing": None, "shift": None, "adaptation": None},
            "report": None,
            "diagnosis": {},
            "num_samples": {},
            "collecting": {},
        }
        self._events: list[dict[str, Any]] = []  # of the step `_events_of`
        self._events_of = -1
        self._series = ShiftSeries(writer)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, for `profiles.storage`."""
        said = json.dumps(plain(self._state), allow_nan=False)
        return {"said": said, "looks": self._looks, **self._series.state()}

    def restore(self, state: Mapping[str, Any], step: int) -> None:
        """Continues the series where `state()` was taken, from `step` on.

        They keep their tags, so that the tab shows one run. What the log says of
        later steps, by a fit that came further, is taken back.
        """
        self._state = json.loads(state["said"])
        self._looks = state["looks"]
        self._series.restore(state)
        # Other series have a point at every look; TensorBoard forgets those behind it.
        self._writer.write_data("shiftguard/events", _packed([]), step, {"v": SCHEMA})

    def write_look(
        self,
        step: int,
        pairs: Sequence[Pair],
        profiles: Mapping[str, InputProfile],
        report: ShiftReport,
        new: Sequence[Finding] = (),
    ) -> None:
        """Adds one look at all streams.

        Args:
            step: Epoch, counted from 0.
            pairs: What was compared, with every test.
            profiles: The latest pass of each stream.
            report: Everything found so far.
            new: Findings that are new with this look.
        """
        self._looks += 1
        self._series.write(step, pairs, profiles)
        self.write_events(step, [_as_event(finding) for finding in new])
        sizes = {name: profile.num_samples for name, profile in profiles.items()}
        self._state["verdict"]["shift"] = verdict(
            report.findings, report.notes, report.alpha, report.num_samples
        )
        self._state["report"] = _shortened(report)
        self._state["num_samples"] = sizes
        self._state["collecting"] = {
            name: [size, MIN_SAMPLES] for name, size in sizes.items() if size < MIN_SAMPLES
        }
        self._write_state(step)

    def write_diagnosis(
        self, step: int, stream: str, headline: str, diagnosis: Mapping[str, Any]
    ) -> None:
        """Adds the verdict on how one stream is preprocessed.

        Args:
            step: Epoch, counted from 0.
            stream: `"train"` or `"validation"`.
            headline: The verdict in one sentence.
            diagnosis: `Diagnosis.to_dict()`.
        """
        said = self._state["verdict"]["preprocessing"]
        worse = diagnosis.get("status") == "mismatch"
        if said is None or (worse and said != headline):
            self._state["verdict"]["preprocessing"] = headline
        self._state["diagnosis"][stream] = diagnosis
        # What is well, or not known, is no alarm.
        event = {"kind": "preprocessing" if worse else "note", "stream": stream, "text": headline}
        self.write_events(step, [event])
        self._write_state(step)

    def write_adaptation(
        self, step: int, headline: str, events: Sequence[Mapping[str, Any]]
    ) -> None:
        """Adds what a repair does by now.

        Args:
            step: Epoch, counted from 0.
            headline: Its state in one sentence.
            events: What changed and why, see `write_events`.
        """
        self._state["verdict"]["adaptation"] = headline
        self.write_events(step, events)
        self._write_state(step)

    def write_events(self, step: int, events: Sequence[Mapping[str, Any]]) -> None:
        """Adds entries to the log of what happened and why.

        Args:
            step: Epoch, counted from 0.
            events: Each with `kind` (`"finding"`, `"preprocessing"`,
                `"action"` or `"note"`), `text`, and where they apply `stream`,
                `against`, `feature` and `reason`.
        """
        if not events:
            return
        blank = dict.fromkeys(("stream", "against", "feature", "reason"))
        if self._events_of != step:
            self._events_of, self._events = step, []
        # TensorBoard keeps the last point of a step: it repeats the earlier ones.
        self._events += [{**blank, **event, "step": int(step)} for event in events]
        text = _packed(self._events)
        while len(text) > MOST_BYTES:
            self._events = self._events[: len(self._events) // 2]
            text = _packed(self._events)
        self._writer.write_data("shiftguard/events", text, step, {"v": SCHEMA})

    def _write_state(self, step: int) -> None:
        # The series of this fit: those of an earlier one in this directory are not shown.
        tags = self._series.tags
        state = {**self._state, "tags": tags, "step": int(step), "looks": self._looks}
        text = _packed(state)
        if len(text) > MOST_BYTES:  # many inputs, each with a diagnosis
            lean = {k: {**d, "by_input": {}} for k, d in state["diagnosis"].items()}
            text = _packed({**state, "diagnosis": lean})
        if len(text) > MOST_BYTES:
            text = _packed({**state, "diagnosis": {}, "report": None})
        self._writer.write_data("shiftguard/state", text, step, {"v": SCHEMA})


def _as_event(finding: Finding) -> dict[str, Any]:
    return {
        "kind": "finding",
        "stream": finding.stream,
        "against": finding.against,
        "feature": finding.feature,
        "text": in_a_sentence(finding),
    }


def _shortened(report: ShiftReport) -> dict[str, Any]:
    content = report.to_dict()
    more = max(0, len(report.findings) - MOST_FINDINGS)
    return {**content, "findings": content["findings"][:MOST_FINDINGS], "more": more}


def _packed(value: Any) -> bytes:
    return json.dumps(_cut(plain(value)), allow_nan=False).encode()


def _cut(value: Any) -> Any:
    """No text longer than a long sentence."""
    if isinstance(value, str):
        return value if len(value) <= MOST_TEXT else value[: MOST_TEXT - 3] + "..."
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    return [_cut(item) for item in value] if isinstance(value, list) else value
