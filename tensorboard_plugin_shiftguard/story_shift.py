"""The story of a run whose streams differ: the costliest difference, and what to do about it."""

from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.metadata import CLOSED
from tensorboard_plugin_shiftguard.story_parts import ACT, LOOK, told
from tensorboard_plugin_shiftguard.story_sentences import finished, headline
from tensorboard_plugin_shiftguard.words import ATTRIBUTES, CAN_BE_AUGMENTED

# Pairs of streams in order of priority. The first one explains the validation accuracy, which the
# user sees.
PAIRS = (("validation", "train"), ("target", "train"), ("target", "validation"))


def shift(alarms: list[Mapping[str, Any]], state: Mapping[str, Any]) -> dict[str, Any]:
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
    sure = lead["cost"] is not None and not lead["harmless"]
    kind = ACT if sure or lead["kind"] == "preprocessing" else LOOK
    common = {
        "since": min(dates, default=None),
        "cost": lead["cost"],
        "cost_interval": lead["cost_interval"],
        "cost_words": "not clear" if lead["harmless"] else None,
        "about": [lead["kind"], lead["family"]],
        "pair": f"{pair[0]}/{pair[1]}",
    }
    why = [finished(f["explanation"]) for f in same[:3] if f["explanation"]]
    if state.get("adapts") and _can_be_augmented(lead):
        return _adapted(state, lead["stream"] == "target", kind, what, short, why, **common)
    todo, code, otherwise = _step(lead)
    return told(
        kind,
        short=short,
        what=what,
        why=[*why, *otherwise],
        todo=todo,
        code=code,
        **common,
    )


def _can_be_augmented(finding: Mapping[str, Any]) -> bool:
    """Whether augmentation of training can imitate the difference."""
    attribute = (finding["feature"] or "").rpartition("/")[2]
    on_images = finding["family"] in CAN_BE_AUGMENTED or attribute in ATTRIBUTES
    return on_images and (finding["kind"], finding["against"]) == ("covariate", "train")


def _step(lead: Mapping[str, Any]) -> tuple[str | None, str | None, list[str]]:
    """Returns what to do about a shift, a line of Python, and sentences on the alternative.

    The first two are None if the tab's usual advice applies.
    """
    if lead["kind"] == "label":
        if lead["stream"] == "validation":
            otherwise = "If the new shares are right, say so: guard.acknowledge('labels')."
            split = "x_train, x_val, y_train, y_val = train_test_split(x, y, stratify=y)"
            return "Split the data so that each class has its share:", split, [otherwise]
        return None, None, []
    if not _can_be_augmented(lead):
        return None, None, []
    stream = lead["stream"]
    name = "the target" if stream == "target" else stream
    target = "target_data=target, " if stream == "target" else ""
    return (
        f"Let augmentation make training look like {name}:",
        f'guard = sg.ShiftGuard({target}adapt="augmentation")',
        [f"If the mistake is in {name}, repair {name} instead."],
    )


def _adapted(
    state: Mapping[str, Any],
    is_target: bool,
    kind: str,
    what: str,
    short: str,
    why: list[str],
    **common: Any,
) -> dict[str, Any]:
    """Returns the story of a shift that augmentation of training makes up for, or tries to.

    `what` is the headline on the shift, `short` its short form, `why` sentences on it, and
    `common` further parts of the story.
    """
    left = state.get("left") or {}
    before, now = left.get("before"), left.get("now")
    if not before or not now:
        result, short = "adaptation is on", f"{short}; adapting"
    elif now[1] < CLOSED:
        result, short = "augmentation makes training look alike", f"{short}; made up for"
    elif now[1] < 0.9 * before[1]:
        result, short = "augmentation closes part of the gap", f"{short}; partly made up for"
    else:
        result = "augmentation has not closed the gap so far"
    code, after = None, (state.get("worth") or {}).get("after")
    if after:  # the guard's estimate at the end of the fit
        todo = "Nothing more. The result of the adaptation was estimated after the fit."
    elif is_target:
        todo = "After the fit, estimate the accuracy on the target without labels:"
        code = "print(sg.estimate_accuracy(model, target, reference=(x_val, y_val)))"
    else:
        todo = "Watch the validation accuracy: it shows whether this helps."
    return told(
        kind,
        short=short,
        what=f"{what[:-1]}; {result}.",
        todo=todo,
        code=code,
        why=[after, *why] if after else why,
        left=[before, now] if before and now else None,
        **common,
    )
