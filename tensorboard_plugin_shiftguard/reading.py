"""The only door to TensorBoard's data: what a log holds, tag by tag.

TensorBoard has two ways to read a log, a data server and a Python path, and a
damaged or hostile log makes either fail in its own manner, for all tags that
were asked for at once. So a failed question is asked again for each tag alone:
one bad tag never hides the rest of a run.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from tensorboard import errors
from tensorboard.data import provider

from tensorboard_plugin_shiftguard.answers import NotHere, NotNow, Unreadable
from tensorboard_plugin_shiftguard.checks import MAX_INTEGER

PLUGIN_NAME = "shiftguard"
# More than the 1,000 points that are kept unless the user asks for more.
MAX_POINTS = 4000
MAX_PROBLEMS = 30
MAX_TAGS = 256  # of a kind
ADAPTATION = "shiftguard/adaptation/"
MAX_ADAPTATION_TAGS = 64

# What TensorBoard's own conversion raises on a tensor that contradicts itself.
_BAD_DATA = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Point:
    """One point of a series.

    Args:
        step: Epoch, from 0.
        wall: When it was written, in seconds; None if that is no time.
        value: The tensor; for a scalar a plain value.
    """

    step: int
    wall: float | None
    value: Any


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

    def runs(self) -> list["RunLog"]:
        """The runs that have data of ours, by name."""
        found = self._tags(None)
        return [RunLog(self, run, tags) for run, tags in sorted(found.items()) if tags]

    def run(self, name: str) -> "RunLog":
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

    def last_points(self, runs: Sequence["RunLog"], tag: str) -> dict[str, Point]:
        """The last point of one tensor series of each run that has it, in one question."""

        def problem(run: str, tag: str, what: str) -> None:
            pass  # the overview of the run tells it

        names = [run.name for run in runs if tag in run.contents]
        found = self.read("read_tensors", PLUGIN_NAME, names, [tag], 1, problem)
        points = {run: _in_order(data.get(tag, []), "numpy") for run, data in found.items()}
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

        def ask(runs: list[str], tags: list[str]) -> Any:
            return getattr(self._data, method)(
                **self._asked,
                plugin_name=plugin,
                downsample=most,
                run_tag_filter=provider.RunTagFilter(runs=runs, tags=tags),
            )

        if not (runs and tags):
            return {}
        try:
            # One question for all: each takes the data server 40 ms.
            return {run: dict(found) for run, found in ask(runs, tags).items()}
        except Exception as error:
            _what_failed(error)
        alone: dict[str, dict[str, list[Any]]] = {run: {} for run in runs}
        for run, tag in itertools.product(runs, tags):
            try:
                alone[run].update(ask([run], [tag]).get(run, {}))
            except Exception as error:
                problem(run, tag, _what_failed(error))
        return alone


class RunLog:
    """One run of a log, and what could not be read of it.

    Args:
        log: Where it is.
        name: The run's name, as TensorBoard has it.
        contents: What belongs to each tag.
    """

    def __init__(self, log: Log, name: str, contents: Mapping[str, bytes]) -> None:
        self._log = log
        self.name = name
        self.contents = contents
        self.problems: list[str] = []
        self._known: dict[tuple[str, int], list[Point]] = {}

    def problem(self, tag: str, what: str) -> None:
        """Notes that a tag is left out, all or in part.

        Args:
            tag: Which.
            what: The rest of the sentence, without the full stop.
        """
        told = f"{tag[:200]} is left out: it {what}."
        if told not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(told)

    def tags(self, kind: str) -> list[str]:
        """The tags of a kind, `"scores"`, `"histograms"` or `"classes"`, by number."""
        prefix = f"shiftguard/{kind}/"
        found = sorted((tag for tag in self.contents if tag.startswith(prefix)), key=_by_number)
        if len(found) > MAX_TAGS:
            self.problem(prefix[:-1], f"has more than {MAX_TAGS} tags")
        return found[:MAX_TAGS]

    def points(self, tags: Iterable[str], most: int = MAX_POINTS) -> dict[str, list[Point]]:
        """The points of some tensor series, each in the order of its steps.

        Args:
            tags: Which; those that are not there have no points. What was read
                once is not read again.
            most: How many points of each, of which the last is always one.
        """
        tags = list(tags)
        here = [tag for tag in tags if tag in self.contents and (tag, most) not in self._known]
        found = self._read("read_tensors", PLUGIN_NAME, here, most)
        for tag in here:
            self._known[tag, most] = _in_order(found.get(tag, []), "numpy")
        return {tag: self._known.get((tag, most), []) for tag in tags}

    def adaptation(self) -> dict[str, list[Point]]:
        """The curves of what adaptation did, by the last part of their tags."""
        tags = self._log.scalar_tags(self.name, ADAPTATION)
        if len(tags) > MAX_ADAPTATION_TAGS:
            self.problem(ADAPTATION[:-1], f"has more than {MAX_ADAPTATION_TAGS} curves")
        tags = tags[:MAX_ADAPTATION_TAGS]
        found = self._read("read_scalars", "scalars", tags, MAX_POINTS)
        return {
            tag.removeprefix(ADAPTATION): _in_order(found[tag], "value")
            for tag in tags
            if tag in found
        }

    def _read(self, method: str, plugin: str, tags: list[str], most: int) -> dict[str, list[Any]]:
        def problem(run: str, tag: str, what: str) -> None:
            self.problem(tag, what)

        return self._log.read(method, plugin, [self.name], tags, most, problem).get(self.name, {})


def _in_order(data: Iterable[Any], field: str) -> list[Point]:
    """Points by step, each step once.

    A training that was started again in the same directory writes its steps
    once more. The data server then forgets the old ones, the Python path does
    not; here they are forgotten for both.
    """
    points: list[Point] = []
    for datum in data:
        step = int(datum.step)
        if not 0 <= step <= MAX_INTEGER:
            continue
        while points and points[-1].step >= step:
            points.pop()
        wall = float(datum.wall_time)
        points.append(Point(step, wall if np.isfinite(wall) else None, getattr(datum, field)))
    return points


def _by_number(tag: str) -> tuple[str, int, str]:
    """Sorts part 10 behind part 9."""
    group, _, part = tag.rpartition("/")
    return group, int(part) if part.isdecimal() and len(part) < 7 else 0, tag


def _what_failed(error: Exception) -> str:
    """For one tag: the end of a sentence, or an error if it isn't the tag's fault."""
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
