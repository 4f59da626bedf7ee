"""The form of a story: its kind, and its parts as JSON."""

import math
from typing import Any

from tensorboard_plugin_shiftguard.answers import rounded

# Kinds of stories, the most urgent first. They are the states of the run.
ACT, LOOK, CORRECTED, FINE, WAITING = ("act", "look", "corrected", "fine", "waiting")

# A share of accuracy: one point. A cause of a gap that costs less is no reason to act.
POINT = 0.01
# The default of `ShiftGuard(tolerance=)`, used for logs of version 0.1, which do not contain it.
TOLERANCE = 0.01

LARGEST = 1e6  # larger shares are not rounded, since the product could overflow


def points(share: float) -> str:
    """Returns a share of accuracy in points, halves rounded away from 0 as in the tab's JavaScript.

    >>> points(0.1035), points(-0.25)
    ('10.4', '-25.0')

    No accuracy is above 1, but a foreign log may hold any number:

    >>> points(1e300)
    '1e+302'
    """
    if abs(share) > LARGEST:
        return f"{100 * share:.3g}"
    return f"{math.copysign(math.floor(abs(share) * 1000 + 0.5) / 10, share):.1f}"


def new_story(kind: str, **parts: Any) -> dict[str, Any]:
    """Returns a story as JSON, in which parts that are not given are empty."""
    blank: dict[str, Any] = {
        "short": "",
        "what": "",
        "since": None,
        "until": None,
        "made": None,
        "cost": None,
        "cost_interval": None,
        "cost_words": None,
        "metric": "accuracy",
        "about": None,
        "pair": None,
        "why": [],
        "todo": None,
        "code": None,
        "left": None,
    }
    story = {"kind": kind, **blank, **parts}
    ends = story["cost_interval"] or ()
    story["cost"] = None if story["cost"] is None else rounded(story["cost"])
    story["cost_interval"] = [None if end is None else rounded(end) for end in ends]
    return story
