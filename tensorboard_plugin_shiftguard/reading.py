"""The only door to TensorBoard's data: what a log holds, tag by tag.

TensorBoard has two ways to read a log, a data server and a Python path, and a
damaged or hostile log makes either fail in its own manner, for all tags that
were asked for at once. So a failed question is asked again in halves, until what
is bad is alone: one bad tag never hides the rest of a run.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tensorboard import errors
from tensorboard.data import provider

from tensorboard_plugin_shiftguard.answers import NotHere, NotNow, Unreadable
from tensorboard_plugin_shiftguard.loader import PLUGIN_NAME
from tensorboard_plugin_shiftguard.run_log import Point, RunLog, in_order

# What TensorBoard's own conversion raises on a tensor that contradicts itself.
_BAD_DATA = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)


class Log:
    """All runs, as one request sees them.

    Args:
        data: TensorBoard's data provider; None if it has none.
        context: Of the request.
        experiment: Of the request.
        multiplexer: On TensorBoard's Python path, what lies behind `data`.
    """

    def __init__(
        self,
        data: provider.DataProvider | None,
        context: Any,
        experiment: str = "",
        multiplexer: Any = None,
    ) -> None:
        if data is None:
            raise NotNow("This TensorBoard gives its plugins no data.")
        self._data = data
        self._asked = {"ctx": context, "experiment_id": experiment}
        self._multiplexer = multiplexer

    def run_names(self) -> list[str]:
        """Names of all runs, with or without data of ours."""
        try:
            return [run.run_name for run in self._data.list_runs(**self._asked)]
        except Exception as error:
            _give_up(error)

    def runs(self) -> list[RunLog]:
        """The runs that have data of ours, by name."""
        found = self._tags(None)
        return [RunLog(self, run, tags) for run, tags in sorted(found.items()) if tags]

    def run(self, name: str) -> RunLog:
        """One run.

        Raises:
            NotHere: If it is not there, or holds nothing of ours, or not yet.
        """
        tags = self._tags(name).get(name)
        if not tags:
            raise NotHere(
                f"There is no data of keras_shiftguard in the run {name[:200]!r}, or not yet."
            )
        return RunLog(self, name, tags)

    def _tags(self, run: str | None) -> dict[str, dict[str, bytes]]:
        """The content of each tag of ours, of one run or of all."""
        try:
            return self._listed("list_tensors", PLUGIN_NAME, run)
        except _BAD_DATA as error:
            # A tag that was announced and has no point yet spoils the list of
            # all, on the Python path; the list behind it is whole.
            if self._multiplexer is None:
                _give_up(error)
        try:
            return dict(self._multiplexer.PluginRunToTagToContent(PLUGIN_NAME))
        except Exception as error:
            _give_up(error)

    def _listed(self, method: str, plugin: str, run: str | None) -> dict[str, dict[str, bytes]]:
        """The content that belongs to each tag, by run and tag."""
        runs = None if run is None else [run]
        try:
            found = getattr(self._data, method)(
                **self._asked,
                plugin_name=plugin,
                run_tag_filter=provider.RunTagFilter(runs=runs, tags=None),
            )
        except _BAD_DATA:
            raise
        except Exception as error:
            _give_up(error)
        return {
            run: {tag: series.plugin_content or b"" for tag, series in series_by_tag.items()}
            for run, series_by_tag in found.items()
        }

    def scalar_tags(self, run: str, prefix: str) -> list[str]:
        """Tags of plain scalars that begin with `prefix`."""
        try:
            found = self._listed("list_scalars", "scalars", run).get(run, {})
        except _BAD_DATA:
            return []
        return sorted(tag for tag in found if tag.startswith(prefix))

    def last_points(self, runs: Sequence[RunLog], tag: str) -> dict[str, Point]:
        """The last point of one tensor series of each run that has it, in one question."""

        def problem(run: str, tag: str, what: str) -> None:
            pass  # the overview of the run tells it

        names = [run.name for run in runs if tag in run.contents]
        found = self.read("read_tensors", PLUGIN_NAME, names, [tag], 1, problem)
        points = {run: in_order(data.get(tag, []), "numpy") for run, data in found.items()}
        return {run: some[-1] for run, some in points.items() if some}

    def read(
        self,
        method: str,
        plugin: str,
        runs: list[str],
        tags: list[str],
        most: int,
        problem: Callable[[str, str, str], None],
    ) -> dict[str, dict[str, list[Any]]]:
        """The points of some tags; what is bad in one is told and left out."""
        answer: dict[str, dict[str, list[Any]]] = {run: {} for run in runs}

        def ask(runs: list[str], tags: list[str]) -> None:
            try:
                found = getattr(self._data, method)(
                    **self._asked,
                    plugin_name=plugin,
                    downsample=most,
                    run_tag_filter=provider.RunTagFilter(runs=runs, tags=tags),
                )
            except Exception as error:
                what = _what_failed(error)
            else:
                for run in runs:
                    answer[run].update(found.get(run, {}))
                return
            # Halves, until the bad ones are alone: each question takes the data
            # server 40 ms.
            if len(runs) > 1:
                ask(runs[::2], tags)
                ask(runs[1::2], tags)
            elif len(tags) > 1:
                ask(runs, tags[::2])
                ask(runs, tags[1::2])
            else:
                problem(runs[0], tags[0], what)

        if runs and tags:
            ask(runs, tags)
        return answer


def _what_failed(error: Exception) -> str:
    """For one tag: the end of a sentence, or an error if it isn't the tag's fault."""
    if isinstance(error, KeyError):
        return "has no data, or not yet"
    if isinstance(error, (MemoryError, _BAD_DATA)):
        return "cannot be turned into numbers" + ("" if str(error) else ", being too large")
    code = getattr(error, "code", None)
    if callable(code) and getattr(code(), "name", "") == "RESOURCE_EXHAUSTED":
        return "is too large for TensorBoard to read"
    _give_up(error)


def _give_up(error: Exception) -> NoReturn:
    """What TensorBoard's own failure is to the reader of the tab."""
    if isinstance(error, errors.NotFoundError):
        raise NotHere("TensorBoard does not know this run, or not yet.") from error
    if isinstance(error, (MemoryError, errors.InvalidArgumentError)):
        raise Unreadable("TensorBoard cannot read this log.") from error
    raise NotNow(
        f"TensorBoard cannot read its logs at the moment ({type(error).__name__}). Try again."
    ) from error
