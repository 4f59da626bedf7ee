"""What a run writes to `log_dir`, and what happens when that fails: training goes on."""

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

from keras_shiftguard.errors import warn
from keras_shiftguard.events import EventWriter, write_json
from keras_shiftguard.profiles import InputProfile


class RunLog:
    """Events for TensorBoard and JSON beside them; silent without a `log_dir`.

    A disk that fills up costs one warning and the rest of the log.

    Args:
        log_dir: Where to write; None writes nothing.

    Raises:
        BadInputError: if nothing can be written there.
    """

    def __init__(self, log_dir: str | PathLike[str] | None) -> None:
        self.log_dir = log_dir
        self.writer = None if log_dir is None else EventWriter(log_dir)

    def write_profiles(self, profiles: Mapping[str, InputProfile], step: int) -> None:
        """Adds the numbers and histograms of each stream."""

        def write(writer: EventWriter) -> None:
            for name, profile in profiles.items():
                writer.write_profile(name, profile, step)

        self._try(write)

    def write_verdict(self, tag: str, text: str, file: str, content: Any, step: int) -> None:
        """Adds a text to the run, and the whole of it as `<log_dir>/<file>`."""

        def write(writer: EventWriter) -> None:
            write_json(writer.log_dir, file, content)
            writer.write_text(f"shiftguard/{tag}", text, step)

        self._try(write)

    def close(self) -> None:
        """Closes the file; may be called twice."""
        self._try(lambda writer: writer.close())
        self.writer = None

    def _try(self, write: Callable[[EventWriter], None]) -> None:
        if self.writer is None:
            return
        try:
            write(self.writer)
            if not self.writer.closed:
                self.writer.flush()
        except Exception as error:
            self.writer = None
            warn(
                f"ShiftGuard cannot write to log_dir={str(self.log_dir)!r} any more ({error!r}). "
                "What was written is kept; watching and training go on."
            )
