"""One run of a log: its tags, its points by step, and what could not be read."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorboard_plugin_shiftguard.checks import MAX_INTEGER
from tensorboard_plugin_shiftguard.loader import PLUGIN_NAME

if TYPE_CHECKING:
    from tensorboard_plugin_shiftguard.reading import Log

# More than the 1,000 points that are kept unless the user asks for more.
MAX_POINTS = 4000
MAX_PROBLEMS = 30
MAX_TAGS = 256  # of a kind
ADAPTATION = "shiftguard/adaptation/"
MAX_ADAPTATION_TAGS = 64


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


class RunLog:
    """One run of a log, and what could not be read of it.

    Args:
        log: Where it is.
        name: The run's name, as TensorBoard has it.
        contents: What belongs to each tag.
    """

    def __init__(self, log: "Log", name: str, contents: Mapping[str, bytes]) -> None:
        self._log = log
        self.name = name
        self.contents = contents
        self.problems: list[str] = []
        self._known: dict[tuple[str, int], list[Point]] = {}

    def problem(self, tag: str, what: str) -> None:
        """Notes that a tag is not shown, all or in part.

        Args:
            tag: Which.
            what: The rest of the sentence, without the full stop.
        """
        told = f"{tag[:200]} is not shown in full: it {what}."
        if told not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(told)

    def tags(self, kind: str, only: Collection[str] | None = None) -> list[str]:
        """The tags of a kind, by number.

        Args:
            kind: `"scores"`, `"histograms"` or `"classes"`.
            only: Those of the latest fit; None where the log does not tell.
        """
        prefix = f"shiftguard/{kind}/"
        found = [tag for tag in self.contents if tag.startswith(prefix)]
        found = sorted((t for t in found if only is None or t in only), key=_by_number)
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
            self._known[tag, most] = in_order(found.get(tag, []), "numpy")
        return {tag: self._known.get((tag, most), []) for tag in tags}

    def adaptation(self) -> dict[str, list[Point]]:
        """The curves of what adaptation did, by the last part of their tags."""
        tags = self._log.scalar_tags(self.name, ADAPTATION)
        if len(tags) > MAX_ADAPTATION_TAGS:
            self.problem(ADAPTATION[:-1], f"has more than {MAX_ADAPTATION_TAGS} curves")
        tags = tags[:MAX_ADAPTATION_TAGS]
        found = self._read("read_scalars", "scalars", tags, MAX_POINTS)
        return {
            tag.removeprefix(ADAPTATION): in_order(found[tag], "value")
            for tag in tags
            if tag in found
        }

    def _read(self, method: str, plugin: str, tags: list[str], most: int) -> dict[str, list[Any]]:
        def problem(run: str, tag: str, what: str) -> None:
            self.problem(tag, what)

        return self._log.read(method, plugin, [self.name], tags, most, problem).get(self.name, {})


def in_order(data: Iterable[Any], field: str) -> list[Point]:
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
    """Sorts part 10 behind part 9; behind the number may be a digest."""
    group, _, part = tag.rpartition("/")
    part = part.partition("-")[0]
    return group, int(part) if part.isdecimal() and len(part) < 7 else 0, tag
