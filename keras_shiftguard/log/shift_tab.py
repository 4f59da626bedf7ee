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
from keras_shiftguard.log.shift_tab_findings import logged_columns, logged_report, single
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

    def keep(self, **parts: Any) -> None:
        """Takes parts of the state, which the next states contain."""
        self._state |= parts

    def write_comparison(
        self,
        step: int,
        pairs: Sequence[Pair],
        profiles: Mapping[str, InputProfile],
        report: ShiftReport,
    ) -> None:
        """Writes one comparison of all streams, see `RunWriter`."""
        self._num_comparisons += 1
        self._series.write(step, pairs, profiles)
        self.keep(report=logged_report(report), columns=logged_columns(pairs))
        self.write(step)

    def write_diagnosis(self, step: int, stream: str, diagnosis: Mapping[str, Any]) -> None:
        """Writes the verdict on the preprocessing of one stream, `Diagnosis.to_dict()`."""
        self._state["diagnosis"][stream] = diagnosis
        self.write(step)

    def write_correction(self, step: int, stream: str) -> None:
        """Writes that the input of a stream is corrected from an epoch on."""
        self._state["corrected"].setdefault(stream, int(step) + 1)
        self.write(step)

    def write_curves(self, step: int, logs: Mapping[str, Any]) -> None:
        """Writes those of Keras's logs that are single finite numbers, such as accuracy."""
        numbers = {k: number for k, value in logs.items() if (number := single(value)) is not None}
        known = {k: n for k, n in numbers.items() if math.isfinite(n) and k not in SEVERITIES}
        self._write_numbers(CURVES_TAG, step, known, MAX_CURVES)

    def write_adaptation(self, step: int, headline: str, curves: Mapping[str, float]) -> None:
        """Writes the changes that the adaptation made, see `RunWriter`."""
        shown = {k: float(v) for k, v in curves.items() if k.partition("/")[0] in TAB_ONLY}
        finite = {k: v for k, v in shown.items() if math.isfinite(v)}
        self._write_numbers(ADAPTATION_TAG, step, finite, MAX_ADAPTATION)
        self.keep(adapting=headline, adapts=True)
        self.write(step)

    def write_worth(self, step: int, worth: Mapping[str, Any]) -> None:
        """Writes whether adaptation helps, see `RunWriter`."""
        self.keep(worth={**self._state["worth"], **worth}, adapts=True)
        self.write(step)

    def _write_numbers(self, tag: str, step: int, numbers: dict[str, float], most: int) -> None:
        """Writes the first numbers, if there are any, as one point of a series."""
        if numbers:
            text = _packed(dict(list(numbers.items())[:most]))
            self._writer.write_data(tag, text, step, {"v": SCHEMA})

    def write(self, step: int) -> None:
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
