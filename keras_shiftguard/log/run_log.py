"""Writer of all files that a run leaves in `log_dir`. If writing fails, training goes on.

The step of the Shift tab's own series is the epoch, counted from 0. The step of what TensorBoard
shows in its other tabs (scalars, histograms, texts) is the epoch counted from 1, as Keras prints
it. Histograms and the user's metrics may count training batches instead, see `write_profiles`.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.errors import warn
from keras_shiftguard.instrument.processes import is_first_process
from keras_shiftguard.io.json_files import write_json
from keras_shiftguard.log.pictures import PictureLog, PictureRow
from keras_shiftguard.log.resume import read_epoch_state, write_epoch_state
from keras_shiftguard.profiles import InputProfile
from tensorboard_plugin_shiftguard.metadata import ADAPTATION_PREFIX, TAB_ONLY, TAG_PREFIX

if TYPE_CHECKING:
    from keras_shiftguard.log.event_writer import EventWriter
    from keras_shiftguard.log.run_page import RunPage
    from keras_shiftguard.log.shift_tab import ShiftEvents


class RunWriter:
    """Writes TensorBoard events, JSON files, state files and a page to `log_dir`.

    If a write fails, for example because the disk is full, the writer warns once and
    writes nothing more. If several processes train one model, only the first process
    writes; all of them can read the state of an earlier run.

    Args:
        log_dir: The directory to write to; None writes nothing.
        kind: `"train"` for a fit, `"validation"` for an evaluation, else `"prediction"`.
        tolerance: The share of accuracy that a shift may cost before the shift is an alarm; None
            if every shift is an alarm.

    Raises:
        BadInputError: If nothing can be written there.
    """

    def __init__(
        self,
        log_dir: str | PathLike[str] | None,
        kind: str = "train",
        tolerance: float | None = 0.01,
    ) -> None:
        self.log_dir = log_dir
        self.writer: EventWriter | None = None
        self._tab: ShiftEvents | None = None
        self._page: RunPage | None = None
        self._pictures: PictureLog | None = None
        self._since = math.inf  # when the run began, by the clock of the file system
        if log_dir is not None and is_first_process():
            # Imported only where something is written: TensorBoard's protocol buffers
            # take as long to import as all of this package.
            from keras_shiftguard.log import event_writer, run_page, shift_tab

            self.writer = event_writer.EventWriter(log_dir)
            self._tab = shift_tab.ShiftEvents(self.writer, _version(), tolerance)
            self._page = run_page.RunPage(log_dir, kind, tolerance)
            self._since = self.writer.path.stat().st_mtime
            self._pictures = PictureLog(log_dir, kind, self._since)

    def write_profiles(self, profiles: Mapping[str, InputProfile], step: int) -> None:
        """Writes the user's metrics and the histograms of each stream.

        Args:
            profiles: The latest profile of each stream.
            step: The epoch, counted from 1, or the number of training batches so far.
        """

        def write(writer: "EventWriter") -> None:
            for name, profile in profiles.items():
                writer.write_profile(name, profile, step)

        self._try(write)

    def tell(self, verdict: Mapping[str, Any]) -> None:
        """Writes `verdict.json`; the tab and the page get the verdict with what they write next.

        Args:
            verdict: `Verdict.to_dict()`.
        """

        def write(writer: "EventWriter") -> None:
            write_json(writer.log_dir, "verdict.json", verdict)
            for reader in (self._tab, self._page):
                if reader is not None:
                    reader.tell(verdict)

        self._try(write)

    def write_verdict(self, step: int, verdict: Mapping[str, Any]) -> None:
        """Writes a verdict at once, to `verdict.json`, the tab and the page; see `tell`."""
        self.tell(verdict)

        def write(_: "EventWriter") -> None:
            if self._tab is not None:
                self._tab.write_verdict(step)
            if self._page is not None:
                self._page.write_verdict()

        self._try(write)

    def write_diagnosis(
        self, stream: str, text: str, diagnoses: Mapping[str, Any], step: int
    ) -> None:
        """Writes the verdict on the preprocessing of one stream.

        The file `diagnosis.json` gets the diagnoses of all streams.

        Args:
            stream: Name of the stream.
            text: The verdict as text for people.
            diagnoses: `Diagnosis.to_dict()` of each stream so far.
            step: Epoch, counted from 0.
        """

        def write(writer: "EventWriter") -> None:
            write_json(writer.log_dir, "diagnosis.json", diagnoses)
            writer.write_text(f"{TAG_PREFIX}{stream}/verdict", text, step + 1)
            if self._tab is not None:
                self._tab.write_diagnosis(step, stream, diagnoses[stream])
            if self._page is not None:
                self._page.write_diagnosis(diagnoses)

        self._try(write)

    def write_pictures(self, step: int, rows: Sequence[PictureRow]) -> None:
        """Writes pictures of the streams; `step` is the epoch, counted from 0."""

        def write(_: "EventWriter") -> None:
            if self._pictures is not None and self._page is not None and rows:
                self._page.keep_pictures(self._pictures.write(step + 1, rows))

        self._try(write)

    def write_correction(self, stream: str, step: int) -> None:
        """Writes that the input of a stream is corrected from an epoch on.

        Args:
            stream: Name of the stream.
            step: The first corrected epoch, counted from 0.
        """

        def write(_: "EventWriter") -> None:
            if self._tab is not None:
                self._tab.write_correction(step, stream)
            if self._page is not None:
                self._page.write_correction(stream)

        self._try(write)

    def write_curves(self, step: int, logs: Mapping[str, Any]) -> None:
        """Writes Keras's logs at the end of an epoch, such as accuracy and loss.

        Args:
            step: Epoch, counted from 0.
            logs: The numbers by name. Values that are not a single finite number are left out.
        """
        if self._tab is not None:
            tab = self._tab
            self._try(lambda _: tab.write_curves(step, logs))

    def write_comparison(
        self,
        step: int,
        pairs: Sequence[Pair],
        profiles: Mapping[str, InputProfile],
        report: ShiftReport,
        severities: Mapping[str, float],
        logs: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes one comparison of all streams; `report.json` gets the report.

        Args:
            step: Epoch, counted from 0.
            pairs: The pairs of streams that were compared, with the results of all tests.
            profiles: The latest profile of each stream.
            report: The findings so far.
            severities: The numbers that are added to Keras's logs, by name, such as
                `"val_shift"`.
            logs: Keras's logs of the epoch; None outside of a fit.
        """
        self.write_report(step, report)

        def write(writer: "EventWriter") -> None:
            for name, value in severities.items():
                writer.write_scalar(f"{TAG_PREFIX}{name}", value, step + 1)
            if self._tab is not None:
                self._tab.write_comparison(step, pairs, profiles, report)
            if self._page is not None:
                self._page.write_comparison(step, pairs, report, logs)

        self._try(write)

    def write_report(self, step: int, report: ShiftReport) -> None:
        """Writes `report.json`, and the report as a text; `step` is the epoch, counted from 0."""

        def write(writer: "EventWriter") -> None:
            write_json(writer.log_dir, "report.json", report.to_dict())
            writer.write_text(f"{TAG_PREFIX}report", str(report), step + 1)

        self._try(write)

    def write_adaptation(
        self,
        step: int,
        headline: str,
        events: Sequence[Mapping[str, Any]],
        curves: Mapping[str, float],
        state: Mapping[str, Any],
        since: int | None = None,
    ) -> None:
        """Writes the changes that the adaptation made.

        Args:
            step: Epoch, counted from 0.
            headline: The state of the adaptation in one sentence.
            events: The changes, each with its `text`.
            curves: Numbers to draw over the epochs, by the name of the curve, such as
                `"strength/blur"`.
            state: The content of `adaptation.json`; if empty, the file is not written.
            since: The first epoch, counted from 1, that is adapted; None if none is so far, or if
                the model is adapted after the fit.
        """

        def write(writer: "EventWriter") -> None:
            if state:
                write_json(writer.log_dir, "adaptation.json", state)
            for name, value in curves.items():
                if name.partition("/")[0] not in TAB_ONLY:
                    writer.write_scalar(f"{ADAPTATION_PREFIX}{name}", value, step + 1)
            if self._tab is not None:
                self._tab.write_adaptation(step, headline, curves)
            if self._page is not None:
                self._page.write_adaptation(headline, events, since)

        self._try(write)

    def write_worth(self, step: int, worth: Mapping[str, Any]) -> None:
        """Writes whether adaptation helps, see `adaptation_worth.py`.

        Args:
            step: Epoch, counted from 0.
            worth: Before the adaptation, `{"before": sentence}`, which says whether adaptation is
                likely to help; after it, `Worth.to_dict()`. Keys that were written earlier are
                kept.
        """

        def write(_: "EventWriter") -> None:
            if self._tab is not None:
                self._tab.write_worth(step, worth)
            if self._page is not None:
                self._page.write_worth(worth)

        self._try(write)

    def read_gap(self) -> dict[str, Any] | None:
        """Returns the accuracy gap that was written to the log since the run began, or None."""
        if self.log_dir is None:
            return None
        with suppress(OSError, ValueError):
            path = Path(self.log_dir) / "gap.json"
            if path.stat().st_mtime >= self._since:
                return dict(json.loads(path.read_text(encoding="utf-8")))
        return None

    def write_epoch_state(self, epoch: int, state: dict[str, Any]) -> None:
        """Writes the state of `ShiftGuard` at the start of an epoch, counted from 0."""
        since = self._since
        self._try(lambda writer: write_epoch_state(writer.log_dir, epoch, state, since))

    def read_epoch_state(self, epoch: int) -> dict[str, Any] | None:
        """Returns the state of `ShiftGuard` at the start of an epoch, as an earlier fit wrote it.

        If this state is missing, the state of the epoch before is returned. The result is None if
        both are missing, or if there is no log directory. See `resume.py`.
        """
        return None if self.log_dir is None else read_epoch_state(self.log_dir, epoch)

    def state(self) -> dict[str, Any] | None:
        """Returns the log's own state for `resume`; None if this process has no log."""
        return None if self._tab is None else self._tab.state()

    def resume(self, epoch: int, state: Mapping[str, Any] | None, purge: bool) -> None:
        """Continues the log of a fit that was interrupted.

        Args:
            epoch: The first epoch that is written now, counted from 0.
            state: The result of `state` in that fit; None if it wrote no log.
            purge: Whether to make TensorBoard drop all points from `epoch` on. This needs a
                log in which every step is an epoch.
        """

        def write(writer: "EventWriter") -> None:
            if purge:
                # The points at step `epoch` stay: among them are the scalars of the epoch before,
                # which count from 1. The tab's own series are written again at this step.
                writer.purge(epoch + 1)
            if state is not None and self._tab is not None:
                self._tab.restore(state)
            if self._page is not None:
                self._page.resume(epoch)

        self._try(write)

    def close(self) -> None:
        """Closes the event file. It may be called twice."""
        if self.writer is not None and not self.writer.closed:
            self._try(lambda writer: writer.close())
        self.writer = None

    def _try(self, write: Callable[["EventWriter"], None]) -> None:
        """Calls `write` with the event writer; if it fails, warns and stops writing."""
        if self.writer is None:
            return
        writer = self.writer
        try:
            if not writer.path.exists():
                # The system accepts writes to a deleted file, but nobody can read them.
                raise FileNotFoundError(f"{writer.path} was deleted")
            write(writer)
            if not writer.closed:
                writer.flush()
        except Exception as error:
            self.writer = None
            with suppress(Exception):  # closing flushes the buffer, which may fail as well
                writer.close()
            warn(
                f"ShiftGuard cannot write to log_dir={str(self.log_dir)!r} any more ({error!r}). "
                "What was written stays; the guard and the training go on."
            )


def _version() -> str:
    """Returns the installed version of this package; "" if it is not installed."""
    try:
        return version("keras-shiftguard")
    except PackageNotFoundError:
        return ""
