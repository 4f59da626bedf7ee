"""`RunReader`: reads the tags and points of one run of a log, and notes problems."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorboard_plugin_shiftguard.answers import NotHere
from tensorboard_plugin_shiftguard.metadata import ADAPTATION_PREFIX, TAG_PREFIX
from tensorboard_plugin_shiftguard.points import Point, in_order
from tensorboard_plugin_shiftguard.reading import Log

MAX_POINTS = 4000  # of a tag; by default, TensorBoard keeps only `KEPT_POINTS` in `loader.py`
MAX_PROBLEMS = 30  # of a run
MAX_TAGS = 256  # of a kind of series: scores, histograms or classes
MAX_ADAPTATION_TAGS = 64


class RunReader:
    """Reads one run of a log, and notes what it could not read.

    Args:
        log: The log that the run belongs to.
        name: The run's name in TensorBoard.
        contents: The description of each tag, as JSON.

    Attributes:
        problems: One sentence for each problem so far.
    """

    def __init__(self, log: Log, name: str, contents: Mapping[str, bytes]) -> None:
        self._log = log
        self.name = name
        self.contents = contents
        self.problems: list[str] = []
        self._cache: dict[tuple[str, int], list[Point]] = {}

    @property
    def folder(self) -> tuple[Path, Path] | None:
        """The log directory and the folder of this run in it, or None; see `Log.folder`."""
        return self._log.folder(self.name)

    def add_problem(self, tag: str, what: str) -> None:
        """Notes that a tag is not shown, or only in part.

        Args:
            tag: The tag.
            what: What is wrong, as a predicate without a full stop, such as "has no data so far".
        """
        sentence = f"{tag[:200]} is not shown in full: it {what}."
        if sentence not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(sentence)

    def tags(self, kind: str, only: Collection[str] | None = None) -> list[str]:
        """Returns at most `MAX_TAGS` tags of a kind, sorted by their number.

        Args:
            kind: `"scores"`, `"histograms"` or `"classes"`.
            only: Tags to choose from; None takes all.
        """
        prefix = f"{TAG_PREFIX}{kind}/"
        found = [tag for tag in self.contents if tag.startswith(prefix)]
        found = sorted((t for t in found if only is None or t in only), key=_by_number)
        if len(found) > MAX_TAGS:
            self.add_problem(prefix[:-1], f"has more than {MAX_TAGS} tags")
        return found[:MAX_TAGS]

    def points(self, tags: Iterable[str], max_points: int = MAX_POINTS) -> dict[str, list[Point]]:
        """Returns the points of tensor series, sorted by step.

        Args:
            tags: Tags of the series. A series that the run does not have gets an empty list. A
                series that was read before comes from the cache.
            max_points: Largest number of points that are read of each series. The last point is
                always read.
        """
        tags = list(tags)
        new = [tag for tag in tags if tag in self.contents and (tag, max_points) not in self._cache]
        found = self._read("tensors", new, max_points)
        for tag in new:
            self._cache[tag, max_points] = in_order(found.get(tag, []), "numpy")
        return {tag: self._cache.get((tag, max_points), []) for tag in tags}

    def adaptation(self) -> dict[str, list[Point]]:
        """Returns the curves of the adaptation, by their tags without the prefix.

        The curves are scalar series. Their steps in the log are epochs counted from 1; the steps of
        the returned points are counted from 0.
        """
        tags = self._log.scalar_tags(self.name, ADAPTATION_PREFIX)
        if len(tags) > MAX_ADAPTATION_TAGS:
            self.add_problem(ADAPTATION_PREFIX[:-1], f"has more than {MAX_ADAPTATION_TAGS} curves")
        tags = tags[:MAX_ADAPTATION_TAGS]
        found = self._read("scalars", tags, MAX_POINTS)
        return {
            tag.removeprefix(ADAPTATION_PREFIX): in_order(found[tag], "value", first=1)
            for tag in tags
            if tag in found
        }

    def _read(self, kind: str, tags: list[str], max_points: int) -> dict[str, list[Any]]:
        def on_problem(run: str, tag: str, what: str) -> None:
            self.add_problem(tag, what)

        return self._log.read(kind, [self.name], tags, max_points, on_problem)[self.name]


def all_runs(log: Log) -> list[RunReader]:
    """Returns the runs that have data of this plugin, sorted by name."""
    found = log.contents()
    return [RunReader(log, run, tags) for run, tags in sorted(found.items()) if tags]


def one_run(log: Log, name: str) -> RunReader:
    """Returns a run by its name.

    Raises:
        NotHere: If there is no such run, or it has no data of this plugin so far.
    """
    tags = log.contents(name).get(name)
    if not tags:
        raise NotHere(f"There is no data of keras_shiftguard in the run {name[:200]!r} so far.")
    return RunReader(log, name, tags)


def _by_number(tag: str) -> tuple[str, int, str]:
    """Returns a sort key that puts `.../10` after `.../9`. A digest may follow the number."""
    group, _, part = tag.rpartition("/")
    part = part.partition("-")[0]
    return group, int(part) if part.isdecimal() and len(part) < 7 else 0, tag
