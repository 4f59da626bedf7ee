"""`Hint`: one thing about the images that may be worth a look."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hint:
    """One thing that may be worth a look. Never an accusation.

    Args:
        name: A short name that programs can rely on.
        sentence: What was seen, with numbers.
        certainty: How sure, from 0 to 1.
    """

    name: str
    sentence: str
    certainty: float
