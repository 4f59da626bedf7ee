"""`RunPage`: the page about a run, `shift.html`, rewritten whenever the run has new results."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.errors import warn
from keras_shiftguard.io.atomic_files import is_unchanged, replace_file, status
from keras_shiftguard.io.json_files import plain
from keras_shiftguard.log.epoch_history import EpochHistory
from keras_shiftguard.log.shift_tab_findings import logged_columns, logged_report

# Names of the files by kind of run, so that an evaluation does not replace the page of the fit.
FILES = {"train": "shift", "validation": "shift-evaluation", "prediction": "shift-prediction"}
MAX_LISTED = 100  # largest number of findings on the page. A convention.
# Largest number of events of the adaptation on the page; the latest are shown. A convention.
MAX_EVENTS = 30


def log_parts(log_dir: str | PathLike[str]) -> dict[str, Any]:
    """Returns the parts of a page that say of which run it is, and where its log is."""
    return {"title": Path(log_dir).resolve().name, "log_dir": str(log_dir)}


class RunPage:
    """Writes the page `shift.html` and its data, `shift.json`, for `keras-shiftguard report`.

    Pages of evaluations and predictions have other names, see `FILES`. A fit that crashes leaves
    its latest page. If the page cannot be made, a warning says so and no page is written any more.
    If a file cannot be written, `OSError` is raised.

    Args:
        log_dir: The directory of the files.
        kind: `"train"` for a fit, `"validation"` for an evaluation, else `"prediction"`.
        tolerance: The share of accuracy that a shift may cost before the shift is an alarm; None
            if every shift is an alarm.
    """

    def __init__(
        self,
        log_dir: str | PathLike[str],
        kind: str = "train",
        tolerance: float | None = 0.01,
    ) -> None:
        self._json = Path(log_dir) / f"{FILES[kind]}.json"
        self._html = self._json.with_suffix(".html")
        self._history = EpochHistory()
        self._parts: dict[str, Any] = log_parts(log_dir)
        self._tolerance = tolerance
        self._has_failed = False
        self._written: os.stat_result | None = None  # status of the data file as this run wrote it
        self._is_shared = False

    def keep(self, **parts: Any) -> None:
        """Takes parts of the data for the next page, see `keras_shiftguard_page`."""
        self._parts |= parts

    def write_correction(self, stream: str) -> None:
        """Writes the page with the name of one more stream whose input is corrected."""
        self._parts["corrected"] = sorted({*self._parts.get("corrected", ()), stream})
        self.write()

    def write_comparison(
        self,
        step: int,
        pairs: Sequence[Pair],
        report: ShiftReport,
        logs: Mapping[str, Any] | None,
    ) -> None:
        """Writes the page with one more comparison of all streams, see `RunWriter`."""
        self._parts["report"] = logged_report(report, MAX_LISTED)
        self._parts["columns"] = logged_columns(pairs)
        if logs is not None:
            self._history.add(step + 1, logs, pairs)
            part = self._history.part(report.findings)
            self._parts["epochs"] = {**part, "tolerance": self._tolerance}
        self.write()

    def write_adaptation(
        self, headline: str, events: Sequence[Mapping[str, Any]], since: int | None = None
    ) -> None:
        """Writes the page with the changes that the adaptation made, see `RunWriter`."""
        part = self._adaptation()
        texts = [*part["events"], *(str(event["text"]) for event in events)][-MAX_EVENTS:]
        more = {"headline": headline, "events": texts, "since": part.get("since") or since}
        self._parts["adaptation"] = part | more
        self.write()

    def write_worth(self, worth: Mapping[str, Any]) -> None:
        """Writes the page with the answer whether adaptation helps, see `RunWriter`."""
        self._parts["adaptation"] = self._adaptation() | dict(worth)
        self.write()

    def _adaptation(self) -> dict[str, Any]:
        return {"headline": "", "events": [], **self._parts.get("adaptation", {})}

    def resume(self, epoch: int) -> None:
        """Continues the page of an interrupted fit at `epoch`, counted from 0."""
        try:
            parts = json.loads(self._json.read_text(encoding="utf-8"))
            self._history.restore(parts["epochs"], epoch + 1)
            self._parts |= {k: v for k, v in parts.items() if k != "epochs"}
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
            return  # the page then begins with this fit

    def write(self) -> None:
        """Writes both files. Raises `OSError` if a file cannot be written."""
        if self._has_failed:
            return
        # Imported here because Jinja2 loads slowly, and few runs have a log directory.
        from keras_shiftguard_page import page

        try:
            epoch = f"epoch {self._history.epochs[-1]}, " if self._history.epochs else ""
            self._parts["written"] = f"{epoch}{time.strftime('%Y-%m-%d %H:%M')}"
            parts = plain(self._parts)
            text = json.dumps(parts, allow_nan=False, separators=(",", ":"))
            document = page(parts, self._html.parent)
        except Exception as error:
            self._has_failed = True
            warn(f"ShiftGuard writes no {self._html.name} any more ({error!r}).")
            return
        self._look_for_others()
        replace_file(self._json, text)
        self._written = status(self._json)
        replace_file(self._html, document)

    def _look_for_others(self) -> None:
        """Warns, once, if somebody else has written the data file since this run wrote it."""
        if self._is_shared or self._written is None or not self._json.exists():
            return
        if not is_unchanged(self._json, self._written):
            self._is_shared = True
            warn(
                f"Another ShiftGuard writes to log_dir={str(self._json.parent)!r} at the same "
                "time. Each file is whole, but report.json, shift.html and the state for resuming "
                "are those of the guard that writes last, and TensorBoard shows the guards as one "
                "run. Pass each guard a log_dir of its own."
            )
