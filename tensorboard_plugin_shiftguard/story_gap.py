"""The story of a run that has no fit, but an accuracy gap."""

from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.answers import rounded
from tensorboard_plugin_shiftguard.story_parts import ACT, FINE, LOOK, POINT, new_story, points
from tensorboard_plugin_shiftguard.story_sentences import finished

GAP_CAUSES = {
    "preprocessing": "wrong preprocessing",
    "channel order": "swapped colour channels",
    "resolution and crop": "another resolution or crop",
    "label shift": "other class shares",
    "covariate shift": "images of another kind",
    "concept shift": "labels of another meaning",
}


def gap_story(gap: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the story of an accuracy gap alone."""
    size = rounded(gap["reference_accuracy"] - gap["accuracy"]) or 0.0
    common = {
        "cost": size,
        "cost_interval": gap["interval"],
        "cost_words": "estimated" if gap["estimated"] else "",
        "made": gap.get("made"),
    }
    if gap["doubt"] and not gap["beyond_sampling"]:
        what = f"It is not known whether there is a gap, without labels: {gap['doubt']}"
        todo = "Label some of the samples."
        return new_story(LOOK, short="a gap is possible", what=what, todo=todo, **common)
    if not gap["beyond_sampling"]:
        what = "The accuracy is as expected, within what the choice of the samples may do."
        return new_story(FINE, short="no gap", what=what, **common)
    causes = [r for r in gap["rows"] if r["kind"] != "rest" and r["points"] > POINT]
    what = f"Accuracy is {points(size)} points lower than it should be"
    if not causes:
        todo = "Look at the samples that are wrong, and check their labels."
        what = f"{what}; no cause was found."
        return new_story(LOOK, short="a gap without a cause", what=what, todo=todo, **common)
    lead = max(causes, key=lambda row: row["points"])
    because = GAP_CAUSES.get(lead["cause"], lead["cause"])
    return new_story(
        ACT,
        short=f"{points(size)} points lost, {points(lead['points'])} by {because}",
        why=[f"What is wrong: {finished(lead['detail'])}"] if lead["detail"] else [],
        what=f"{what}, {points(lead['points'])} of them because of {because}.",
        about=["gap", lead["cause"]],
        todo=f"Repair {because} where the data are prepared:"
        if lead["repair"]
        else f"Look into the cause, {because}.",
        code=lead["repair"] or None,
        **common,
    )
