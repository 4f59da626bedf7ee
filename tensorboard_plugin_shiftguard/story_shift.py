"""The story of a run whose streams differ: the costliest difference, and what to do about it."""

from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.metadata import CLOSED, FIRST_EPOCH
from tensorboard_plugin_shiftguard.story_adaptation import NOT_KNOWN, adaptation_answer, left_of
from tensorboard_plugin_shiftguard.story_parts import ACT, LOOK, new_story
from tensorboard_plugin_shiftguard.story_sentences import headline, told
from tensorboard_plugin_shiftguard.words import ATTRIBUTES, CAN_BE_AUGMENTED

COST_UNCLEAR = "what that costs is unclear"  # the end of a headline
# Pairs of streams in order of priority. The first one explains the validation accuracy, which the
# user sees.
PAIRS = (("validation", "train"), ("target", "train"), ("target", "validation"))


def shift(alarms: list[Mapping[str, Any]], state: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the story of the costliest shift in the first pair of `PAIRS` that has a shift."""
    lead, *_ = same = foremost(alarms)
    pair = (lead["stream"], lead["against"])
    what, short = headline(same, pair)
    why = [told(f) for f in same[:3] if f["explanation"]]
    is_unclear = lead["harmless"] or lead["is_question"]
    sure = lead["cost"] is not None and not is_unclear
    kind = ACT if sure or lead["kind"] == "preprocessing" else LOOK
    common = {
        "since": first_epoch(same),
        "cost": lead["cost"],
        "cost_interval": lead["cost_interval"],
        "cost_words": "unclear" if is_unclear else None,
        "metric": lead["metric"] or "accuracy",
        "about": [lead["kind"], lead["family"]],
        "pair": f"{pair[0]}/{pair[1]}",
    }
    if state.get("adapts") and _can_be_augmented(lead):
        return _adapted(state, lead, kind, what, short, why, **common)
    findings = (state.get("report") or {}).get("findings") or []
    if is_unclear:
        what, short = f"{what[:-1]}; {COST_UNCLEAR}.", f"{short}; cost unclear"
        why = [doubt(lead), *why]
    todo, code, otherwise = next_step(lead, changed_in(lead, findings))
    return new_story(
        kind,
        short=short,
        what=what,
        why=[*why, *otherwise],
        todo=todo,
        code=code,
        **common,
    )


def past_shift(alarms: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the story of shifts that are over: the tests of later epochs rule them out."""
    lead, *_ = same = foremost(alarms)
    pair = (lead["stream"], lead["against"])
    what, short = headline(same, pair)
    since, until = first_epoch(same), max(f["until"] for f in same)
    return new_story(
        LOOK,
        short=f"{short}, until epoch {until}",
        what=f"{what[:-1]}, {epochs_in_words(since, until)}.",
        since=since,
        until=until,
        cost=lead["cost"],
        cost_interval=lead["cost_interval"],
        cost_words="in those epochs",
        metric=lead["metric"] or "accuracy",
        about=[lead["kind"], lead["family"]],
        pair=f"{pair[0]}/{pair[1]}",
        why=[told(f) for f in same[:3] if f["explanation"]],
        todo=past_todo(until),
    )


def past_todo(until: int) -> str:
    """Returns what to do about a shift that is over."""
    change = f"find out what changed in epoch {until + 1}"
    return f"Nothing now. If the data should be the same in every epoch, {change}."


def most_lost(finding: Mapping[str, Any]) -> float:
    """Returns the upper end of the interval of a cost; the cost itself if it has no interval."""
    ends = [end for end in [finding["cost"], *(finding["cost_interval"] or [])] if end is not None]
    return max(ends, default=0.0)


def doubt(finding: Mapping[str, Any]) -> str:
    """Returns a sentence on a difference of unclear cost, with the sample size that would tell.

    >>> doubt({"cost_words": "cost unclear: ...; about 2,000 labelled samples would tell"})
    'The difference is certain, its cost is not: about 2,000 labelled samples would tell.'
    """
    words = finding["cost_words"] or ""
    needed = words.partition("; ")[2] or words.partition(": ")[2]
    return f"The difference is certain, its cost is not{needed and f': {needed}'}."


def foremost(findings: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the findings of the first pair of `PAIRS` that has any, the costliest first."""

    def rank(finding: Mapping[str, Any]) -> tuple[int, float]:
        pair = finding["stream"], finding["against"]
        cost = -1.0 if finding["cost"] is None else finding["cost"]
        return PAIRS.index(pair) if pair in PAIRS else len(PAIRS), -cost

    lead = min(findings, key=rank)
    pair = (lead["stream"], lead["against"])
    return sorted((f for f in findings if (f["stream"], f["against"]) == pair), key=rank)


def first_epoch(findings: list[Mapping[str, Any]]) -> int | None:
    """Returns the first epoch of the findings; None if it is not known."""
    return min((f["since"] for f in findings if f["since"] is not None), default=None)


def epochs_in_words(since: int | None, until: int) -> str:
    """Returns the epochs of a shift that is over as a part of a sentence.

    >>> epochs_in_words(1, 3), epochs_in_words(3, 3)
    ('in epochs 1 to 3 only', 'in epoch 3 only')
    """
    is_one = since is None or since >= until
    return f"in epoch {until} only" if is_one else f"in epochs {since} to {until} only"


def _can_be_augmented(finding: Mapping[str, Any]) -> bool:
    """Whether augmentation of training can imitate the difference."""
    attribute = (finding["feature"] or "").rpartition("/")[2]
    on_images = finding["family"] in CAN_BE_AUGMENTED or attribute in ATTRIBUTES
    return on_images and (finding["kind"], finding["against"]) == ("covariate", "train")


def changed_in(lead: Mapping[str, Any], findings: list[Mapping[str, Any]]) -> int | None:
    """Returns the epoch in which the stream itself changed; None if it did not.

    A stream that differs from its own first epoch changed in the middle of the fit.
    """
    own = [
        finding
        for finding in findings
        if (finding["stream"], finding["against"]) == (lead["stream"], FIRST_EPOCH)
        and finding["until"] is None
        and not (finding["negligible"] or finding["acknowledged"])
    ]
    return first_epoch(own)


def augmenting(stream: str, changed: int | None) -> str:
    """Returns what to do about a difference that augmentation can imitate.

    A line of Python follows the text. `changed` is the epoch in which the stream itself changed,
    see `changed_in`.
    """
    name = "the target" if stream == "target" else stream
    augment = f"let augmentation make training look like {name}:"
    if changed is None:
        return f"L{augment[1:]}"
    look = f"First find out what changed in the {stream} pipeline at epoch {changed}"
    return f"{look}. If {name} is right as it is, {augment}"


def next_step(
    lead: Mapping[str, Any], changed: int | None
) -> tuple[str | None, str | None, list[str]]:
    """Returns what to do about a shift, a line of Python, and sentences on the alternative.

    The first two are None if the tab's usual advice applies. `changed` is the argument of
    `augmenting` with the same name.
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
        augmenting(stream, changed),
        f'guard = sg.ShiftGuard({target}adapt="augmentation")',
        [f"If the mistake is in {name}, repair {name} instead."],
    )


def _adapted(
    state: Mapping[str, Any],
    lead: Mapping[str, Any],
    kind: str,
    what: str,
    short: str,
    why: list[str],
    **common: Any,
) -> dict[str, Any]:
    """Returns the story of a shift that augmentation of training is to make up for.

    `lead` is the finding that the headline names, `what` is that headline, `short` is its short
    form, `why` has sentences on the finding, and `common` has further parts of the story.
    """
    left = state.get("left") or {}
    before, now = left.get("before"), left.get("now")
    if not before or not now:
        result, short = "adaptation is on", f"{short}; adapting"
    elif now[1] < CLOSED:
        result, short = "augmentation makes training look alike", f"{short}; made up for"
    elif now[1] < 0.9 * before[1]:
        result = "augmentation makes up for a part of it"
        short = f"{short}; partly made up for"
    else:
        result = "augmentation has not made up for it so far"
    answer = adaptation_answer(state)
    if answer and answer["word"] == NOT_KNOWN:
        why = [f"Whether the adaptation raised accuracy is not known. {answer['what']}", *why]
    elif answer:
        why = [f"Did the adaptation help? {answer['word']}. {answer['what']}", *why]
    if common["cost"] is None and common["pair"].startswith("target/"):
        common |= _estimated_cost(state.get("worth") or {})
    return new_story(
        kind,
        short=short,
        what=f"{what[:-1]}; {result}.",
        todo=answer and answer["todo"],
        code=answer and answer["code"],
        why=why,
        left=left_of(lead, left),
        **common,
    )


def _estimated_cost(worth: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the accuracy lost on the target after adaptation, as estimated without labels."""
    now, source = worth.get("now"), worth.get("source")
    if not now or source is None:
        return {}
    return {
        "cost": source - now[0],
        "cost_interval": [source - now[2], source - now[1]],
        "cost_words": "estimated on the target",
    }
