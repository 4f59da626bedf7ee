"""What a run writes to `log_dir`, and what happens when that fails: training goes on."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from typing import TYPE_CHECKING, Any

from keras_shiftguard.detection.finding import Finding
from keras_shiftguard.detection.monitor import Pair
from keras_shiftguard.detection.report import ShiftReport
from keras_shiftguard.errors import warn
from keras_shiftguard.instrument.processes import is_first_process
from keras_shiftguard.io.json_files import write_json
from keras_shiftguard.log.resume import keep_state, kept_state
from keras_shiftguard.profiles import InputProfile

if TYPE_CHECKING:
    from keras_shiftguard.log.event_writer import EventWriter
    from keras_shiftguard.log.shift_tab import ShiftEvents


class RunLog:
    """Events for TensorBoard and JSON beside them; silent without a `log_dir`.

    A disk that fills up costs one warning and the rest of the log. Of several processes
    that train one model the first one writes; all read what an earlier run left.

    Args:
        log_dir: Where to write; None writes nothing.

    Raises:
        BadInputError: if nothing can be written there.
    """

    def __init__(self, log_dir: str | PathLike[str] | None) -> None:
        self.log_dir = log_dir
        self.writer: EventWriter | None = None
        self._tab: ShiftEvents | None = None
        if log_dir is not None and is_first_process():
            # TensorBoard's protocol buffers take as long to import as all of this
            # package does: only those who write wait for them.
            from keras_shiftguard.log import event_writer, shift_tab

            self.writer = event_writer.EventWriter(log_dir)
            self._tab = shift_tab.ShiftEvents(self.writer, _version())

    def write_profiles(self, profiles: Mapping[str, InputProfile], step: int) -> None:
        """Adds the numbers and histograms of each stream."""

        def write(writer: "EventWriter") -> None:
            for name, profile in profiles.items():
                writer.write_profile(name, profile, step)

        self._try(write)

    def write_diagnosis(
        self, stream: str, text: str, diagnoses: Mapping[str, Any], step: int
    ) -> None:
        """Adds the verdict on one stream; that of all is `diagnosis.json`.

        Args:
            stream: The stream that was judged.
            text: Its verdict, as a person reads it.
            diagnoses: `Diagnosis.to_dict()` of each stream so far.
            step: Epoch, counted from 0.
        """

        def write(writer: "EventWriter") -> None:
            write_json(writer.log_dir, "diagnosis.json", diagnoses)
            writer.write_text(f"shiftguard/{stream}/verdict", text, step)
            if self._tab is not None:
                headline = text.partition("\n")[0]
                self._tab.write_diagnosis(step, stream, headline, diagnoses[stream])

        self._try(write)

    def write_look(
        self,
        step: int,
        pairs: Sequence[Pair],
        profiles: Mapping[str, InputProfile],
        report: ShiftReport,
        new: Sequence[Finding],
        severities: Mapping[str, float],
    ) -> None:
        """Adds a look at all streams; the report is `report.json`.

        Args:
            step: Epoch, counted from 0.
            pairs: What was compared, with every test.
            profiles: The latest pass of each stream.
            report: Everything found so far.
            new: Findings that are new with this look.
            severities: What Keras's logs hold, such as `"val_shift"`.
        """

        def write(writer: "EventWriter") -> None:
            write_json(writer.log_dir, "report.json", report.to_dict())
            writer.write_text("shiftguard/report", str(report), step)
            for name, value in severities.items():
                writer.write_scalar(f"shiftguard/{name}", value, step)
            if self._tab is not None:
                self._tab.write_look(step, pairs, profiles, report, new)

        self._try(write)

    def write_adaptation(
        self,
        step: int,
        headline: str,
        events: Sequence[Mapping[str, Any]],
        curves: Mapping[str, float],
        state: Mapping[str, Any],
    ) -> None:
        """Adds what the adaptation did; its state is also `adaptation.json`.

        Args:
            step: Epoch, counted from 0.
            headline: The state of it, in one sentence.
            events: What changed and why, see `ShiftEvents.write_events`.
            curves: Numbers to draw over the epochs, such as `"strength/blur"`.
            state: All there is to know of it, for people and programs; may be empty.
        """

        def write(writer: "EventWriter") -> None:
            if state:
                write_json(writer.log_dir, "adaptation.json", state)
            for name, value in curves.items():
                writer.write_scalar(f"shiftguard/adaptation/{name}", value, step)
            if self._tab is not None:
                self._tab.write_adaptation(step, headline, events)

        self._try(write)

    def keep_state(self, epoch: int, state: dict[str, Any]) -> None:
        """Keeps the state with which epoch number `epoch` (from 0) begins."""
        self._try(lambda writer: keep_state(writer.log_dir, epoch, state))

    def kept_state(self, epoch: int) -> dict[str, Any] | None:
        """What an earlier run into the same `log_dir` left for that epoch."""
        return None if self.log_dir is None else kept_state(self.log_dir, epoch)

    def state(self) -> dict[str, Any] | None:
        """All that `go_on` needs, for `profiles.storage`; None without a log."""
        return None if self._tab is None else self._tab.state()

    def go_on(self, epoch: int, state: Mapping[str, Any] | None, purge: bool) -> None:
        """Continues the log of a fit that ended before epoch number `epoch` (from 0).

        Args:
            epoch: The first that is written now.
            state: What `state` gave then; None if it wrote no log.
            purge: Whether the steps of all curves are epochs, so that TensorBoard can be
                told to forget those from `epoch` on.
        """

        def write(writer: "EventWriter") -> None:
            if purge:
                writer.purge(epoch)
            if state is not None and self._tab is not None:
                self._tab.restore(state, epoch)

        self._try(write)

    def close(self) -> None:
        """Closes the file; may be called twice."""
        if self.writer is not None and not self.writer.closed:
            self._try(lambda writer: writer.close())
        self.writer = None

    def _try(self, write: Callable[["EventWriter"], None]) -> None:
        if self.writer is None:
            return
        writer = self.writer
        try:
            if not writer.path.exists():
                # An open file without a name takes all that is written, for nobody.
                raise FileNotFoundError(f"{writer.path} was deleted")
            write(writer)
            if not writer.closed:
                writer.flush()
        except Exception as error:
            self.writer = None
            with suppress(Exception):  # it cannot write what it still holds, either
                writer.close()
            warn(
                f"ShiftGuard cannot write to log_dir={str(self.log_dir)!r} any more ({error!r}). "
                "What was written is kept; watching and training go on."
            )


def _version() -> str:
    try:
        return version("keras-shiftguard")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return ""
