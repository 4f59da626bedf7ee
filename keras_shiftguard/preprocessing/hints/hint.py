"""`Hint`: one possible problem of the images or labels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hint:
    """One possible problem of the images or labels. It never changes the verdict.

    Args:
        name: A short name that stays the same between releases.
        sentence: What was seen, with numbers.
        certainty: How certain the problem is, from 0 to 1.
    """

    name: str
    sentence: str
    certainty: float
