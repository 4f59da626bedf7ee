"""`Said`: what a finding says, in parts, so that each reader shows the parts that it needs."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Clause(NamedTuple):
    """The four parts of a sentence on a difference; one sentence can join several differences.

    Args:
        who: What differs: `"Validation images"`.
        verb: `"are"`, `"vary"`, `"have"`, `"differ"` or `"seem"`, or one of them in the past tense.
        how: `"much darker"`.
        whom: What it is compared with: `"than training images"`.
    """

    who: str
    verb: str
    how: str
    whom: str


class Said(NamedTuple):
    """What a finding says.

    Args:
        head: What differs: `"Validation images are darker"`.
        numbers: The numbers that show it: `"mean brightness 0.2 against 0.3 in training"`.
        statistics: The effect size, for statisticians: `"effect size 3.9"`.
        follows: What else is known of it: `"the other differences follow from it"`.
        cause: Its cause, in sentences of their own.
        clause: The head with what it is compared with, in parts; None if it has no such parts.
    """

    head: str
    numbers: str = ""
    statistics: str = ""
    follows: str = ""
    cause: str = ""
    clause: Clause | None = None

    @classmethod
    def from_parts(cls, parts: Sequence[Any] | None) -> "Said | None":
        """Returns what was said from its parts, as JSON holds them; None for None."""
        if parts is None:
            return None
        said = cls(*parts)
        return said if said.clause is None else said._replace(clause=Clause(*said.clause))

    @property
    def plain(self) -> str:
        """The head, its numbers and the cause: all but what only statisticians read."""
        return self._replace(statistics="", follows="").text

    @property
    def text(self) -> str:
        """All parts, without a full stop at the end."""
        shown = [part for part in (self.numbers, self.statistics) if part]
        first = ": ".join(filter(None, (self.head, ", ".join(shown))))
        whole = "; ".join(filter(None, (first, self.follows)))
        return ". ".join(filter(None, (whole, self.cause.rstrip("."))))

    def also(self, follows: str) -> "Said":
        """Returns what was said with one thing more that is known of it."""
        return self._replace(follows="; ".join(filter(None, (self.follows, follows))))
