"""`Taken`: a rival that won a round, with what it wins."""

from dataclasses import dataclass

from keras_shiftguard.account.rival import Rival, Undoing


@dataclass(frozen=True)
class Taken:
    """A rival that won a round.

    Args:
        rival: The rival.
        undoings: How it is undone, as each half chose it.
        points: What it wins on samples that did not choose it.
        error: Standard error of the points.
        z: Gain in likelihood in standard errors.
    """

    rival: Rival
    undoings: tuple[Undoing, Undoing]
    points: float
    error: float
    z: float
    parts: tuple[float, float] | None = None  # of a pair: what the input and the labels win

    @property
    def undoing(self) -> Undoing:
        """How it is undone, as the first half chose it."""
        return self.undoings[0]
