"""Access to TensorBoard's data; no other file of the plugin requests data from TensorBoard.

TensorBoard has two ways to read a log: a data server and a Python reader. A damaged or hostile log
can make either reader fail, in different ways, and for all tags of a request at once. So a failed
request is split into halves, again and again, until each bad tag has a request of its own. One bad
tag therefore never hides the other tags of a run.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tensorboard import errors
from tensorboard.data import provider

from tensorboard_plugin_shiftguard.answers import NotHere, NotNow, Unreadable
from tensorboard_plugin_shiftguard.declared_sizes import checked
from tensorboard_plugin_shiftguard.metadata import PLUGIN_NAME
from tensorboard_plugin_shiftguard.points import Point, in_order

# The plugin whose series of each kind are read.
_PLUGINS = {"tensors": PLUGIN_NAME, "scalars": "scalars"}
# Errors that TensorBoard raises when it converts an inconsistent tensor.
_BAD_DATA = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)


class Log:
    """All runs of a log directory, during one HTTP request.

    Args:
        data: TensorBoard's data provider; None if TensorBoard has none.
        context: TensorBoard's context of the request.
        experiment: TensorBoard's experiment id of the request.
        multiplexer: TensorBoard's Python reader, from which `data` comes; None if `data`
            comes from the data server.
        logdir: The directory that TensorBoard reads, as its user wrote it; may be empty.

    Raises:
        NotNow: If `data` is None.
    """

    def __init__(
        self,
        data: provider.DataProvider | None,
        context: Any,
        experiment: str = "",
        multiplexer: Any = None,
        logdir: str | None = None,
    ) -> None:
        if data is None:
            raise NotNow("This TensorBoard gives its plugins no data.")
        self._data = checked(data)
        self._asked = {"ctx": context, "experiment_id": experiment}
        self._multiplexer = multiplexer
        self._logdir = logdir

    def folder(self, run: str) -> tuple[Path, Path] | None:
        """Returns the log directory and the folder of a run in it, with all links followed.

        Returns None if the log directory is not known or is a URL, or if it has no such folder.
        """
        if not self._logdir or "://" in self._logdir:
            return None
        try:
            root = Path(self._logdir).expanduser().resolve()
            path = (root / run).resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        return (root, path) if path.is_relative_to(root) and path.is_dir() else None

    def run_names(self) -> list[str]:
        """Returns the names of all runs, with or without data of this plugin."""
        try:
            return [run.run_name for run in self._data.list_runs(**self._asked)]
        except Exception as error:
            _give_up(error)

    def contents(self, run: str | None = None) -> dict[str, dict[str, bytes]]:
        """Returns the description of each tag of this plugin, by run and tag.

        Args:
            run: The name of a run; None takes all.
        """
        try:
            return self._listed("tensors", run)
        except _BAD_DATA as error:
            # TensorBoard's data provider fails on a tag that was announced but has no point yet.
            # The Python reader that the provider uses can list all tags.
            if self._multiplexer is None:
                _give_up(error)
        try:
            return dict(self._multiplexer.PluginRunToTagToContent(PLUGIN_NAME))
        except Exception as error:
            _give_up(error)

    def scalar_tags(self, run: str, prefix: str) -> list[str]:
        """Returns the tags of a run's scalar series that begin with `prefix`, sorted.

        Returns an empty list if TensorBoard cannot list the series.
        """
        try:
            found = self._listed("scalars", run).get(run, {})
        except _BAD_DATA:
            return []
        return sorted(tag for tag in found if tag.startswith(prefix))

    def last_points(self, runs: Sequence[str], tag: str) -> dict[str, Point]:
        """Returns the last point of a tensor series in each run; a run without a point is left out.

        All runs are read in one request, which is split only after an error.
        """
        # The overview of a run shows its problems.
        found = self.read("tensors", list(runs), [tag], 1, on_problem=lambda *_: None)
        points = {run: in_order(data.get(tag, []), "numpy") for run, data in found.items()}
        return {run: some[-1] for run, some in points.items() if some}

    def read(
        self,
        kind: str,
        runs: list[str],
        tags: list[str],
        max_points: int,
        on_problem: Callable[[str, str, str], None],
    ) -> dict[str, dict[str, list[Any]]]:
        """Returns TensorBoard's data of some tags, by run and tag.

        Args:
            kind: `"tensors"` or `"scalars"`.
            runs: Names of runs.
            tags: The tags to read of each run.
            max_points: Largest number of points that are read of each tag.
            on_problem: Called for each tag that cannot be read, with the run, the tag and the
                problem as a predicate, such as "has no data so far". Such a tag is left out.
        """
        answer: dict[str, dict[str, list[Any]]] = {run: {} for run in runs}

        def ask(runs: list[str], tags: list[str]) -> None:
            """Adds data to `answer` by one request; after an error, by two of half the size."""
            try:
                found = getattr(self._data, f"read_{kind}")(
                    **self._asked,
                    plugin_name=_PLUGINS[kind],
                    downsample=max_points,
                    run_tag_filter=provider.RunTagFilter(runs=runs, tags=tags),
                )
            except Exception as error:
                what = _what_failed(error)
            else:
                for run in runs:
                    answer[run].update(found.get(run, {}))
                return
            # If few tags are bad, halving takes fewer requests than one request for each tag. A
            # request to the data server takes 40 ms.
            if len(runs) > 1:
                ask(runs[::2], tags)
                ask(runs[1::2], tags)
            elif len(tags) > 1:
                ask(runs, tags[::2])
                ask(runs, tags[1::2])
            else:
                on_problem(runs[0], tags[0], what)

        if runs and tags:
            ask(runs, tags)
        return answer

    def _listed(self, kind: str, run: str | None) -> dict[str, dict[str, bytes]]:
        """Returns the description of each tag of a kind, by run and tag."""
        runs = None if run is None else [run]
        try:
            found = getattr(self._data, f"list_{kind}")(
                **self._asked,
                plugin_name=_PLUGINS[kind],
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


def _what_failed(error: Exception) -> str:
    """Returns why TensorBoard cannot read a tag, as a predicate such as "has no data so far".

    Raises:
        ShiftError: If the cause of the error is not the tag.
    """
    if isinstance(error, KeyError):
        return "has no data so far"
    if isinstance(error, (MemoryError, _BAD_DATA)):
        return "cannot be turned into numbers" + ("" if str(error) else ", being too large")
    code = getattr(error, "code", None)
    if callable(code) and getattr(code(), "name", "") == "RESOURCE_EXHAUSTED":
        return "is too large for TensorBoard to read"
    _give_up(error)


def _give_up(error: Exception) -> NoReturn:
    """Raises a `ShiftError` that describes an error of TensorBoard to the user."""
    if isinstance(error, errors.NotFoundError):
        raise NotHere("TensorBoard does not know this run so far.") from error
    if isinstance(error, (MemoryError, errors.InvalidArgumentError)):
        raise Unreadable("TensorBoard cannot read this log.") from error
    raise NotNow(
        f"TensorBoard cannot read its logs at the moment ({type(error).__name__}). Try again."
    ) from error
