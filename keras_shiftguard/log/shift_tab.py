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

from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.io.json_files import plain
from keras_shiftguard.log.event_writer import EventWriter
from keras_shiftguard.log.shift_tab_findings import logged_columns, logged_report
from keras_shiftguard.log.shift_tab_series import ShiftSeries
from keras_shiftguard.profiles import InputProfile
from tensorboard_plugin_shiftguard.metadata import (
    ADAPTATION_TAG,
    CURVES_TAG,
    MAX_ADAPTATION,
    MAX_CURVES,
    SCHEMA,
    STATE_TAG,
    TAB_ONLY,
)

# Limits of the writer. They are below those of the reader, `MAX_SENTENCE` and `MAX_JSON_BYTES`.
# Conventions.
MAX_TEXT = 1000  # characters of one sentence
MAX_BYTES = 60_000  # size of one JSON text
SEVERITIES = ("shift", "val_shift")  # names that the guard itself adds to Keras's logs


class ShiftEvents:
    """Writes comparisons and verdicts for the Shift tab.

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
            "worth": {},
            "columns": {},
        }
        self._series = ShiftSeries(writer)

    def state(self) -> dict[str, Any]:
        """Returns the state for `restore`, in a form that `profiles.storage` can store."""
        text = json.dumps(plain(self._state), allow_nan=False)
        return {"json": text, "looks": self._num_comparisons, **self._series.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues the series of an interrupted fit.

        The series keep their tags, so that the tab shows one run. The next point of each series
        makes TensorBoard drop the later ones.

        Args:
            state: The result of `state` in that fit.
        """
        self._state |= {**json.loads(state["json"]), "tolerance": self._state["tolerance"]}
        self._num_comparisons = state["looks"]
        self._series.restore(state)

    def write_comparison(
        self,
        step: int,
        pairs: Sequence[Pair],
        profiles: Mapping[str, InputProfile],
        report: ShiftReport,
    ) -> None:
        """Writes one comparison of all streams.

        Args:
            step: Epoch, counted from 0.
            pairs: The pairs of streams that were compared, with the results of all tests.
            profiles: The latest profile of each stream.
            report: The findings so far.
        """
        self._num_comparisons += 1
        self._series.write(step, pairs, profiles)
        self._state["report"] = logged_report(report)
        self._state["columns"] = logged_columns(pairs)
        self._write_state(step)

    def tell(self, verdict: Mapping[str, Any]) -> None:
        """Takes the verdict, `Verdict.to_dict()`, that the next states contain."""
        self._state["verdict"] = dict(verdict)

    def write_verdict(self, step: int) -> None:
        """Writes the state with the latest verdict; `step` is the epoch, counted from 0."""
        self._write_state(step)

    def write_diagnosis(self, step: int, stream: str, diagnosis: Mapping[str, Any]) -> None:
        """Writes the verdict on the preprocessing of one stream.

        Args:
            step: Epoch, counted from 0.
            stream: Name of the stream.
            diagnosis: `Diagnosis.to_dict()`.
        """
        self._state["diagnosis"][stream] = diagnosis
        self._write_state(step)

    def write_correction(self, step: int, stream: str) -> None:
        """Writes that the input of a stream is corrected from an epoch on.

        Args:
            step: The first corrected epoch, counted from 0.
            stream: Name of the stream.
        """
        self._state["corrected"].setdefault(stream, int(step) + 1)
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
        curves: Mapping[str, float] | None = None,
    ) -> None:
        """Writes the changes that the adaptation made.

        Args:
            step: Epoch, counted from 0.
            headline: The state of the adaptation in one sentence.
            curves: The numbers of this epoch, as in `RunWriter.write_adaptation`.
        """
        self._state["adapting"] = headline
        self._state["adapts"] = True
        if many := _finite(curves or {}, TAB_ONLY):
            self._writer.write_data(ADAPTATION_TAG, _packed(many), step, {"v": SCHEMA})
        self._write_state(step)

    def write_worth(self, step: int, worth: Mapping[str, Any]) -> None:
        """Writes whether adaptation helps, see `RunWriter`."""
        self._state["worth"] = {**self._state["worth"], **worth}
        self._state["adapts"] = True
        self._write_state(step)

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


def _finite(curves: Mapping[str, float], kinds: Sequence[str]) -> dict[str, float]:
    """Returns at most `MAX_ADAPTATION` finite numbers whose names begin with one of `kinds`."""
    chosen = {k: float(v) for k, v in curves.items() if k.partition("/")[0] in kinds}
    finite = [(name, value) for name, value in chosen.items() if math.isfinite(value)]
    return dict(finite[:MAX_ADAPTATION])


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
