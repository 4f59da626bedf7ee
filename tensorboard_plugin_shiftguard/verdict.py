"""The verdict that the tab shows of a run: the words that the guard wrote, and no others."""

from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.answers import rounded

# The words in place of a verdict for a log of version 0.2 or earlier, and for a log without data.
NO_VERDICT = "This log holds no verdict: see below what differs."
NOTHING_YET = "Nothing has been compared so far."
TOLERANCE = 0.01  # the default of `ShiftGuard(tolerance=)`, for logs of version 0.1, which lack it


def shown_verdict(
    state: Mapping[str, Any] | None,
    gap: Mapping[str, Any] | None = None,
    written: float | None = None,
) -> dict[str, Any]:
    """Returns the verdict as JSON, with its `kind`, and with `short` for the list of runs.

    Args:
        state: A state from `statements.read_state`; None if there is none.
        gap: A table from `gap.read_gap`; None if there is none. Its verdict contains that of the
            run, so it is shown unless the run has written a later one.
        written: When the state was written.
    """
    told = (state or {}).get("verdict")
    if gap is not None and gap["verdict"] and (told is None or gap["made"] >= (written or 0)):
        told = gap["verdict"]
    if told is None:
        is_older = (state or {}).get("report") or gap
        told = {"state": "nothing compared", "cause": NO_VERDICT if is_older else NOTHING_YET}
        told |= dict.fromkeys(("since", "cost", "cost_words", "step", "detail", "adaptation"))
        told |= {"is_code": False, "notes": [], "streams": []}
    return {
        **told,
        "cost": None if told["cost"] is None else rounded(told["cost"]),
        "kind": "waiting" if told["state"] == "nothing compared" else told["state"],
        "short": _short(told),
        "pair": "/".join(told["streams"]) or None,
    }


def _short(verdict: Mapping[str, Any]) -> str:
    """Returns a verdict in a few words."""
    if verdict["state"] == "fine":
        return "fine"
    if verdict["state"] == "corrected" and verdict["since"]:
        return f"corrected since epoch {verdict['since']}"
    return str(verdict["cause"]).removesuffix(".")
