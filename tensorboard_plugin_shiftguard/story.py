"""The story of a run, as the band of the tab shows it: the verdict that the guard wrote.

The verdict is that of the chosen epoch, so it contains only what was known then. The story of a run
without a fit is about its accuracy gap.
"""

from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.story_gap import gap_story
from tensorboard_plugin_shiftguard.story_parts import CORRECTED, FINE, WAITING, new_story

DO_THIS = "Do this:"
NO_VERDICT = "This log holds no verdict: see below what differs."
NOTHING_YET = "Nothing has been compared so far."


def story(state: Mapping[str, Any] | None, gap: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the story of a run as JSON.

    Args:
        state: A state from `statements.read_state`; None if there is none.
        gap: An accuracy gap from `gap.read_gap`; None if there is none.
    """
    verdict = (state or {}).get("verdict")
    is_blank = verdict is None or verdict["state"] == "nothing compared"
    if is_blank and gap is not None and not ((state or {}).get("report") or {}).get("num_samples"):
        return gap_story(gap)
    if verdict is None:  # a log of version 0.2 or earlier
        what = NO_VERDICT if (state or {}).get("report") else NOTHING_YET
        return new_story(WAITING, short="no verdict", what=what)
    about = verdict["about"] or None
    step, is_code = verdict["step"], verdict["is_code"]
    return new_story(
        WAITING if verdict["state"] == "nothing compared" else verdict["state"],
        short=_short(verdict),
        what=verdict["cause"],
        since=verdict["since"],
        cost=verdict["cost"],
        cost_interval=verdict["cost_interval"],
        cost_words="unclear" if (verdict["cost_words"] or "").startswith("cost unclear") else None,
        metric=verdict["metric"] or "accuracy",
        about=about,
        pair="/".join(verdict["streams"]) or None,
        why=[text for text in (verdict["detail"], verdict["adaptation"]) if text],
        todo=DO_THIS if is_code else step,
        code=step if is_code else None,
        left=_left(state or {}) if about and about[0] == "covariate" else None,
    )


def _short(verdict: Mapping[str, Any]) -> str:
    """Returns the verdict in a few words, for the list of runs."""
    if verdict["state"] == FINE:
        return "fine"
    if verdict["state"] == CORRECTED and verdict["since"]:
        return f"corrected since epoch {verdict['since']}"
    return str(verdict["cause"]).removesuffix(".")


def _left(state: Mapping[str, Any]) -> list[Any] | None:
    """Returns the largest difference without and with augmentation; None if it is not known."""
    left = state.get("left") or {}
    before, now = left.get("before"), left.get("now")
    return [before, now] if before and now and before[0] == now[0] else None
