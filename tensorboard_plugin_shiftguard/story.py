"""The story of a run: what is wrong, since when, what it costs, what to do.

It is made from the state that the guard wrote at an epoch, so the story of an earlier epoch holds
only what was known then. The story of a run without a fit is about its accuracy gap.
"""

from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.story_gap import gap_story
from tensorboard_plugin_shiftguard.story_parts import (
    ACT,
    CORRECTED,
    FINE,
    LOOK,
    POINT,
    WAITING,
    told,
)
from tensorboard_plugin_shiftguard.story_sentences import capital, finished, headline
from tensorboard_plugin_shiftguard.words import listed, stream_name

# Pairs of streams in order of priority. The first one explains the validation accuracy, which the
# user sees.
PAIRS = (("validation", "train"), ("target", "train"), ("target", "validation"))

MODES = {
    "raw": "0 to 255",
    "unit": "0 to 1",
    "tf": "\u22121 to 1",
    "torch": "0 to 1 with ImageNet's mean and deviation",
    "caffe": "0 to 255 minus ImageNet's mean",
}


def story(state: Mapping[str, Any] | None, gap: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the story of a run as JSON.

    Args:
        state: A state, as `statements.read_state` returns it; None if there is none.
        gap: An accuracy gap, as `gap.read_gap` returns it; None if there is none.
    """
    diagnoses, report = (state or {}).get("diagnosis") or {}, (state or {}).get("report")
    corrected = (state or {}).get("corrected") or {}
    wrong = {name: d for name, d in diagnoses.items() if d["status"] == "mismatch"}
    open_ones = {name: d for name, d in wrong.items() if name not in corrected}
    found = (report or {}).get("findings") or []
    findings = [finding for finding in found if finding["stream"] and finding["against"]]
    alarms = [finding for finding in findings if matters(finding)]
    if open_ones:
        return _mismatch(open_ones, gap)
    if alarms:
        return _shift(alarms, state or {})
    if wrong:
        return _correction(wrong, corrected)
    questions = [finding for finding in findings if finding["is_question"]]
    if questions:
        return _question(questions)
    unclear = [f for f in findings if f["harmless"] and (f["cost"] or 0.0) > POINT]
    if unclear:
        return _shift(unclear, state or {})
    if gap is not None and not (report and report["num_samples"]):
        return gap_story(gap)
    return _nothing(state or {}, report)


def matters(finding: Mapping[str, Any]) -> bool:
    """Whether a finding is an alarm; see `Finding.matters` in `keras_shiftguard`."""
    if finding["negligible"] or finding["acknowledged"] or finding["is_question"]:
        return False
    if finding["harmless"]:
        return False
    return not finding["expected"] or (finding["cost"] is not None and not finding["is_rough"])


def _mismatch(wrong: Mapping[str, Any], gap: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the story of wrong preprocessing that nothing corrects."""
    streams, diagnosis = _streams(wrong)
    fed, expected = diagnosis["observed"] or {}, diagnosis["expected"] or {}
    mode, other = (MODES.get(one.get("mode") or "") for one in (fed, expected))
    orders = {fed.get("channel_order"), expected.get("channel_order")}
    reversed_channels = orders == {"rgb", "bgr"}
    if reversed_channels and fed.get("mode") == expected.get("mode"):
        what = f"{streams} images have red and blue swapped."
        short = "red and blue swapped"
    elif mode and other and mode != other:
        what, short = (
            f"{streams} images are fed as {mode}; the model expects {other}.",
            "wrong scale",
        )
        if reversed_channels:
            what = f"{what[:-1]}, and red and blue are swapped."
    else:
        what = f"{streams} images are not prepared as the model expects."
        short = "wrong preprocessing"
    found = {"short": short, "what": what, "since": 1, "about": ["preprocessing", "preprocessing"]}
    for row in (gap or {}).get("rows") or []:
        if row["cause"] == "preprocessing":
            found |= {"cost": row["points"], "cost_interval": row["interval"]}
    todo = "Change the input in this way, in your pipeline:"
    advice = diagnosis["advice"]
    why = diagnosis["evidence"][:3]
    return told(ACT, **found, why=why, todo=todo if advice else None, code=advice)


def _correction(wrong: Mapping[str, Any], corrected: Mapping[str, int]) -> dict[str, Any]:
    """Returns the story of wrong preprocessing that the guard corrects inside the step."""
    streams, diagnosis = _streams(wrong)
    fed, expected = ((diagnosis[key] or {}).get("mode") for key in ("observed", "expected"))
    what = f"The wrong preprocessing of {streams[0].lower() + streams[1:]} is corrected inside fit."
    if fed != expected and fed in MODES and expected in MODES:
        what = f"{what[:-1]}: {MODES[fed]} is turned into {MODES[expected]}."
    since = min(corrected.values())
    return told(
        CORRECTED,
        short=f"corrected since epoch {since}",
        what=what,
        since=since,
        about=["preprocessing", "preprocessing"],
        why=diagnosis["evidence"][:3],
        todo="Leave the input of fit as it is. Plain predict is not corrected: after fit, keep the "
        "fix with",
        code="model = guard.diagnosis.apply(model)",
    )


def _streams(diagnoses: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns the names of the streams as the beginning of a sentence, and the first diagnosis."""
    words = listed([stream_name(name) for name in diagnoses])
    first = next(iter(diagnoses.values()))
    parts = [part for part in first["by_input"].values() if part["status"] == "mismatch"]
    return capital(words), parts[0] if parts else first


def _shift(alarms: list[Mapping[str, Any]], state: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the story of the costliest shift in the first pair of `PAIRS` that has a shift."""

    def rank(finding: Mapping[str, Any]) -> tuple[int, float]:
        pair = finding["stream"], finding["against"]
        cost = -1.0 if finding["cost"] is None else finding["cost"]
        return PAIRS.index(pair) if pair in PAIRS else len(PAIRS), -cost

    lead = min(alarms, key=rank)
    pair = (lead["stream"], lead["against"])
    same = [f for f in alarms if (f["stream"], f["against"]) == pair]
    same.sort(key=lambda finding: (finding is not lead, rank(finding)))
    what, short = headline(same, pair)
    dates = [f["since"] for f in same if f["since"] is not None]
    todo, code = _step(lead, state)
    sure = lead["cost"] is not None and not lead["harmless"]
    urgent = sure or lead["kind"] == "preprocessing"
    return told(
        ACT if urgent else LOOK,
        short=short,
        what=what,
        since=min(dates, default=None),
        cost=lead["cost"],
        cost_interval=lead["cost_interval"],
        cost_words="not clear" if lead["harmless"] else None,
        about=[lead["kind"], lead["family"]],
        pair=f"{pair[0]}/{pair[1]}",
        why=[finished(f["explanation"]) for f in same[:3] if f["explanation"]],
        todo=todo,
        code=code,
    )


def _step(lead: Mapping[str, Any], state: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Returns what to do about a shift, and a line of Python; None for the usual advice."""
    if lead["kind"] == "label":
        if lead["stream"] == "validation":
            return "Split the data so that each class has its share:", (
                "train_test_split(x, y, stratify=y)"
            )
        return None, None
    images = " images " in f" {lead['explanation']} "
    if lead["kind"] != "covariate" or not images or lead["against"] != "train":
        return None, None
    if state.get("adapts"):
        measured = (state.get("worth") or {}).get("after")
        return measured or "Adaptation is on: see below whether it helps.", None
    target = "target_data=target, " if lead["stream"] == "target" else ""
    return f"Make training look like {lead['stream']}, or bring both to one look:", (
        f'guard = sg.ShiftGuard({target}adapt="augmentation")'
    )


def _question(questions: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the story of differences that are no alarm yet.

    Augmentation may explain them, or the model has learnt too little to show their cost.
    """
    lead = questions[0]
    pair = (lead["stream"], lead["against"])
    what, short = headline(questions, pair)
    return told(
        LOOK,
        short=f"perhaps {short}",
        what=f"{what[:-1]}; whether it harms is not known yet.",
        since=lead["since"],
        about=[lead["kind"], lead["family"]],
        pair=f"{pair[0]}/{pair[1]}",
        why=[finished(lead["explanation"] or "")],
        todo="Wait for the next epochs: they show whether it is augmentation or costs accuracy.",
    )


def _nothing(state: Mapping[str, Any], report: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the story of a run in which nothing is wrong, or nothing can be said so far."""
    said = ((state.get("verdict") or {}).get("shift") or "").removeprefix("ShiftGuard: ")
    if "no shift" not in said.lower():
        what = capital(said.split(" (")[0]) or "Nothing has been compared so far"
        waiting = state.get("collecting")
        todo = "Wait: the samples are being collected." if waiting else None
        notes = [finished(capital(note)) for note in (report or {}).get("notes") or []]
        return told(WAITING, short="nothing judged yet", what=finished(what), todo=todo, why=notes)
    harmless = [f for f in (report or {}).get("findings") or [] if f["harmless"]]
    if harmless:
        what = "The streams differ, but not in a way that costs accuracy."
        worst = max(harmless, key=lambda finding: finding["cost"] or 0.0)
        return told(
            FINE,
            short="fine",
            what=what,
            cost=worst["cost"],
            cost_interval=worst["cost_interval"],
            cost_words="within tolerance",
            why=[finished(f["explanation"]) for f in harmless[:3] if f["explanation"]],
        )
    streams = (report or {}).get("num_samples") or {}
    if {"validation", "train"} <= streams.keys():
        what = "Validation looks like training, and nothing is prepared wrongly."
    else:
        what = "No shift was found, and nothing is prepared wrongly."
    return told(FINE, short="fine", what=what)
