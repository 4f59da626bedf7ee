"""Writer of all files that a run leaves in `log_dir`. If writing fails, training goes on.

The step of the Shift tab's own series is the epoch, counted from 0. The step of what TensorBoard
shows in its other tabs (scalars, histograms, texts) is the epoch counted from 1, as Keras prints
it. Histograms and the user's metrics may count training batches instead, see `write_profiles`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec

from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.errors import warn
from keras_shiftguard.instrument.steps.processes import is_first_process
from keras_shiftguard.io.json_files import write_json
from keras_shiftguard.log.pictures import PictureLog, PictureRow
from keras_shiftguard.log.resume import read_epoch_state, write_epoch_state
from keras_shiftguard.profiles import InputProfile
from tensorboard_plugin_shiftguard.metadata import ADAPTATION_PREFIX, TAB_ONLY, TAG_PREFIX

if TYPE_CHECKING:
    from keras_shiftguard.log.event_writer import EventWriter
    from keras_shiftguard.log.run_page import RunPage
    from keras_shiftguard.log.shift_tab import ShiftEvents

P = ParamSpec("P")


class _Open(NamedTuple):
    """The writers of the parts of a log."""

    events: "EventWriter"
    tab: "ShiftEvents"
    page: "RunPage"
    pictures: PictureLog


def _writes(
    method: Callable[Concatenate["RunWriter", _Open, P], None],
) -> Callable[Concatenate["RunWriter", P], None]:
    """Decorator of methods that write: they are passed the open writers.

    Without a log, or after a failure, nothing is done. The first failure is a warning.
    """

    @wraps(method)
    def write(self: "RunWriter", /, *args: P.args, **kwargs: P.kwargs) -> None:
        if self._open is None or not self._is_writing:
            return
        events = self._open.events
        try:
            if not events.path.exists():
                # The system accepts writes to a deleted file, but nobody can read them.
                raise FileNotFoundError(f"{events.path} was deleted")
            method(self, self._open, *args, **kwargs)
            if not events.closed:
                events.flush()
        except Exception as error:
            self._is_writing = False
            with suppress(Exception):  # closing flushes the buffer, which may fail as well
                events.close()
            warn(
                f"ShiftGuard cannot write to log_dir={str(self.log_dir)!r} any more ({error!r}). "
                "What was written stays; the guard and the training go on."
            )

    return write


class RunWriter:
    """Writes TensorBoard events, JSON files, state files and a page to `log_dir`.

    If a write fails, for example because the disk is full, the writer warns once and
    writes nothing more. If several processes train one model, only the first process
    writes; all of them can read the state of an earlier run.

    In all methods, `step` is the epoch, counted from 0, unless they say otherwise.

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
        self._open: _Open | None = None
        self._is_writing = True
        self._since = math.inf  # when the run began, by the clock of the file system
        if log_dir is not None and is_first_process():
            # Imported only where something is written: TensorBoard's protocol buffers
            # take as long to import as all of this package.
            from keras_shiftguard.log import event_writer, run_page, shift_tab

            events = event_writer.EventWriter(log_dir)
            self._since = events.path.stat().st_mtime
            self._open = _Open(
                events,
                shift_tab.ShiftEvents(events, _version(), tolerance),
                run_page.RunPage(log_dir, kind, tolerance),
                PictureLog(log_dir, kind, self._since),
            )

    @_writes
    def write_profiles(self, to: _Open, profiles: Mapping[str, InputProfile], step: int) -> None:
        """Writes the user's metrics and the histograms of each stream.

        Here `step` is the epoch, counted from 1, or the number of training batches so far.
        """
        for name, profile in profiles.items():
            to.events.write_profile(name, profile, step)

    @_writes
    def tell(self, to: _Open, verdict: Mapping[str, Any]) -> None:
        """Writes `verdict.json`; the tab and the page get the verdict with what they write next."""
        _tell(to, verdict)

    @_writes
    def write_verdict(self, to: _Open, step: int, verdict: Mapping[str, Any]) -> None:
        """Writes a verdict at once, to `verdict.json`, the tab and the page; see `tell`."""
        _tell(to, verdict)
        to.tab.write(step)
        to.page.write()

    @_writes
    def write_diagnosis(
        self, to: _Open, stream: str, text: str, diagnoses: Mapping[str, Any], step: int
    ) -> None:
        """Writes the verdict on the preprocessing of one stream, with its text for people.

        `diagnoses` holds `Diagnosis.to_dict()` of each stream so far, for `diagnosis.json`.
        """
        write_json(to.events.log_dir, "diagnosis.json", diagnoses)
        to.events.write_text(f"{TAG_PREFIX}{stream}/verdict", text, step + 1)
        to.tab.write_diagnosis(step, stream, diagnoses[stream])
        to.page.keep(diagnosis=dict(diagnoses))
        to.page.write()

    @_writes
    def write_pictures(self, to: _Open, step: int, rows: Sequence[PictureRow]) -> None:
        """Writes pictures of the streams."""
        if rows:
            to.page.keep(pictures=to.pictures.write(step + 1, rows))

    @_writes
    def write_correction(self, to: _Open, stream: str, step: int) -> None:
        """Writes that the input of a stream is corrected from an epoch on."""
        to.tab.write_correction(step, stream)
        to.page.write_correction(stream)

    @_writes
    def write_curves(self, to: _Open, step: int, logs: Mapping[str, Any]) -> None:
        """Writes those of Keras's logs at the end of an epoch that are single finite numbers."""
        to.tab.write_curves(step, logs)

    @_writes
    def write_comparison(
        self,
        to: _Open,
        step: int,
        pairs: Sequence[Pair],
        profiles: Mapping[str, InputProfile],
        report: ShiftReport,
        severities: Mapping[str, float],
        logs: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes one comparison of all streams; `report.json` gets the report.

        `pairs` hold the results of all tests, `profiles` the latest of each stream, `severities`
        the numbers that are added to Keras's logs, such as `"val_shift"`, and `logs` those of
        Keras for the epoch, None outside of a fit.
        """
        _report(to, step, report)
        for name, value in severities.items():
            to.events.write_scalar(f"{TAG_PREFIX}{name}", value, step + 1)
        to.tab.write_comparison(step, pairs, profiles, report)
        to.page.write_comparison(step, pairs, report, logs)

    @_writes
    def write_report(self, to: _Open, step: int, report: ShiftReport) -> None:
        """Writes `report.json`, and the report as a text."""
        _report(to, step, report)

    @_writes
    def write_adaptation(
        self,
        to: _Open,
        step: int,
        headline: str,
        events: Sequence[Mapping[str, Any]],
        curves: Mapping[str, float],
        state: Mapping[str, Any],
        since: int | None = None,
    ) -> None:
        """Writes the changes that the adaptation made.

        `headline` is the state of the adaptation in one sentence, `events` are the changes, each
        with its `text`, and `curves` numbers to draw over the epochs, such as `"strength/blur"`.
        `state` is the content of `adaptation.json`, which is not written if it is empty. `since` is
        the first adapted epoch, counted from 1; None before it, or if only the model is adapted.
        """
        if state:
            write_json(to.events.log_dir, "adaptation.json", state)
        for name, value in curves.items():
            if name.partition("/")[0] not in TAB_ONLY:
                to.events.write_scalar(f"{ADAPTATION_PREFIX}{name}", value, step + 1)
        to.tab.write_adaptation(step, headline, curves)
        to.page.write_adaptation(headline, events, since)

    @_writes
    def write_worth(self, to: _Open, step: int, worth: Mapping[str, Any]) -> None:
        """Writes whether adaptation helps, see `adaptation_worth.py`.

        Before the adaptation, `worth` is `{"before": sentence}`, which says whether adaptation is
        likely to help; after it, `Worth.to_dict()`. Keys that were written earlier are kept.
        """
        to.tab.write_worth(step, worth)
        to.page.write_worth(worth)

    @_writes
    def write_gap(
        self, to: _Open, step: int, gap: Mapping[str, Any], verdict: Mapping[str, Any]
    ) -> None:
        """Writes the account of a fit, `GapReport.to_dict()`, with the verdict on the fit."""
        from keras_shiftguard.log.gap_log import write_to

        write_to(to.events, Path(to.events.log_dir), step, gap, verdict)
        to.page.keep(gap=gap)

    @_writes
    def write_epoch_state(self, to: _Open, epoch: int, state: dict[str, Any]) -> None:
        """Writes the state of `ShiftGuard` at the start of an epoch, counted from 0."""
        write_epoch_state(to.events.log_dir, epoch, state, self._since)

    def read_epoch_state(self, epoch: int) -> dict[str, Any] | None:
        """Returns the state of an earlier fit at the start of an epoch, see `resume.py`."""
        return None if self.log_dir is None else read_epoch_state(self.log_dir, epoch)

    def state(self) -> dict[str, Any] | None:
        """Returns the log's own state for `resume`; None if this process writes no log."""
        return None if self._open is None else self._open.tab.state()

    @_writes
    def resume(self, to: _Open, epoch: int, state: Mapping[str, Any] | None, purge: bool) -> None:
        """Continues the log of an interrupted fit at `epoch`, with what `state` returned in it.

        With `purge`, TensorBoard drops all points from `epoch` on. This needs a log in which every
        step is an epoch.
        """
        if purge:
            # The points at step `epoch` stay: among them are the scalars of the epoch before,
            # which count from 1. The tab's own series are written again at this step.
            to.events.purge(epoch + 1)
        if state is not None:
            to.tab.restore(state)
        to.page.resume(epoch)

    def close(self) -> None:
        """Closes the event file. It may be called twice."""
        self._close()
        self._is_writing = False

    @_writes
    def _close(self, to: _Open) -> None:
        to.events.close()


def _tell(to: _Open, verdict: Mapping[str, Any]) -> None:
    write_json(to.events.log_dir, "verdict.json", verdict)
    to.tab.keep(verdict=dict(verdict))
    to.page.keep(verdict=dict(verdict))


def _report(to: _Open, step: int, report: ShiftReport) -> None:
    write_json(to.events.log_dir, "report.json", report.to_dict())
    to.events.write_text(f"{TAG_PREFIX}report", str(report), step + 1)


def _version() -> str:
    """Returns the installed version of this package; "" if it is not installed."""
    try:
        return version("keras-shiftguard")
    except PackageNotFoundError:
        return ""
