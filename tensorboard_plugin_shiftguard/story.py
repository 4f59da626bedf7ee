"""The story of a run: what is wrong, since when, what it costs, what to do.

The story is made from the state that the guard wrote at an epoch, so the story of an earlier epoch
contains only what was known at that epoch. The story of a run without a fit is about its accuracy
gap.
"""

from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.story_gap import gap_story
from tensorboard_plugin_shiftguard.story_parts import FINE, LOOK, TOLERANCE, WAITING, new_story
from tensorboard_plugin_shiftguard.story_preprocessing import correction, mismatch
from tensorboard_plugin_shiftguard.story_sentences import capital, finished, headline, told
from tensorboard_plugin_shiftguard.story_shift import most_lost, past_shift, shift


def story(state: Mapping[str, Any] | None, gap: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the story of a run as JSON.

    Args:
        state: A state from `statements.read_state`; None if there is none.
        gap: An accuracy gap from `gap.read_gap`; None if there is none.
    """
    diagnoses, report = (state or {}).get("diagnosis") or {}, (state or {}).get("report")
    corrected = (state or {}).get("corrected") or {}
    wrong = {name: d for name, d in diagnoses.items() if d["status"] == "mismatch"}
    open_ones = {name: d for name, d in wrong.items() if name not in corrected}
    found = (report or {}).get("findings") or []
    findings = [finding for finding in found if finding["stream"] and finding["against"]]
    alarms = [finding for finding in findings if matters(finding)]
    lasting = [finding for finding in alarms if finding["until"] is None]
    if open_ones:
        return mismatch(open_ones, gap)
    if lasting:
        return shift(lasting, state or {})
    if wrong:
        return correction(wrong, corrected)
    findings = [finding for finding in findings if finding["until"] is None]
    questions = [f for f in findings if f["is_question"] and not f["cost_words"]]
    if questions:
        return _question(questions)
    tolerance = tolerance_of(state)
    unclear = [f for f in findings if is_unclear(f, tolerance)]
    if unclear:
        return shift(unclear, state or {})
    if alarms:
        return past_shift(alarms)
    if gap is not None and not (report and report["num_samples"]):
        return gap_story(gap)
    return _nothing(state or {}, report)


def tolerance_of(state: Mapping[str, Any] | None) -> float:
    """Returns the share of accuracy that a shift may cost before it is an alarm.

    Returns the default also for `ShiftGuard(tolerance=None)`, which measures no cost.
    """
    logged = (state or {}).get("tolerance")
    return TOLERANCE if logged is None else float(logged)


def matters(finding: Mapping[str, Any]) -> bool:
    """Whether a finding is an alarm; see `Finding.matters` in `keras_shiftguard`."""
    if finding["negligible"] or finding["acknowledged"] or finding["is_question"]:
        return False
    if finding["harmless"]:
        return False
    # Logs up to version 0.2 have costs that augmentation may explain as well.
    is_rough = finding.get("is_rough", False)
    return not finding["expected"] or (finding["cost"] is not None and not is_rough)


def is_unclear(finding: Mapping[str, Any], tolerance: float) -> bool:
    """Whether a finding has a cost that may be above the tolerance, and may be 0.

    In logs up to version 0.2, such a finding is called harmless.
    """
    if finding["is_question"]:
        return bool(finding["cost_words"])
    return bool(finding["harmless"]) and most_lost(finding) > tolerance


def _question(questions: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the story of differences that augmentation may explain, whose cost is unknown."""
    lead = questions[0]
    pair = (lead["stream"], lead["against"])
    what, short = headline(questions, pair)
    return new_story(
        LOOK,
        short=f"perhaps {short}",
        what=f"{what[:-1]}; whether it harms is not known yet.",
        since=lead["since"],
        about=[lead["kind"], lead["family"]],
        pair=f"{pair[0]}/{pair[1]}",
        why=[told(lead)],
        todo="Wait for the next epochs: they show whether it is augmentation or costs accuracy.",
    )


def _nothing(state: Mapping[str, Any], report: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the story of a run in which nothing is wrong, or nothing can be said so far."""
    verdict = ((state.get("verdict") or {}).get("shift") or "").removeprefix("ShiftGuard: ")
    if "no shift" not in verdict.lower():
        what = capital(verdict.split(" (")[0]) or "Nothing has been compared so far"
        waiting = state.get("collecting")
        todo = "Wait: the samples are being collected." if waiting else None
        notes = [finished(capital(note)) for note in (report or {}).get("notes") or []]
        return new_story(
            WAITING, short="nothing judged yet", what=finished(what), todo=todo, why=notes
        )
    harmless = [f for f in (report or {}).get("findings") or [] if f["harmless"]]
    if harmless:
        worst = max(harmless, key=lambda finding: finding["cost"] or 0.0)
        pair = (worst["stream"] or "", worst["against"] or "")
        lost = "its cost is within tolerance" if (worst["cost"] or 0.0) > 0 else "no cost was found"
        what = f"{headline([worst], pair)[0][:-1]}; {lost}."
        return new_story(
            FINE,
            short="fine",
            what=what,
            since=worst["since"],
            cost=worst["cost"],
            cost_interval=worst["cost_interval"],
            cost_words="within tolerance",
            metric=worst["metric"] or "accuracy",
            why=[told(f) for f in harmless[:3] if f["explanation"]],
        )
    streams = (report or {}).get("num_samples") or {}
    is_pair = {"validation", "train"} <= streams.keys()
    what = "Validation looks like training" if is_pair else "No shift was found"
    judged = {diagnosis["status"] for diagnosis in (state.get("diagnosis") or {}).values()}
    what += ", and the images are prepared as the model expects." if judged == {"ok"} else "."
    return new_story(FINE, short="fine", what=what)
