"""The answer to "did the adaptation help?", from the state of a run."""

from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.story_parts import ACT, FINE, LOOK, points

NOT_KNOWN = "Not known"
# The answers that a log may contain, each as a kind of story and in a word.
ANSWERS = {
    "yes": (FINE, "Yes"),
    "no": (ACT, "No, it did harm"),
    "same": (LOOK, "No difference shown"),
    "unknown": (LOOK, NOT_KNOWN),
}
ESTIMATE = "print(sg.estimate_accuracy(model, target, reference=(x_val, y_val)))"
Answer = dict[str, Any]


def adaptation_answer(
    state: Mapping[str, Any] | None, cause: str = "", left: list[list[Any]] | None = None
) -> Answer | None:
    """Returns whether the adaptation of a run helped, as JSON; None without an adaptation.

    The result has `kind`, `lead` (since when and why the run is adapted, and what is lost), `word`,
    `what` (the answer as a sentence), `facts` (figures, each with its meaning), `todo` and `code`.

    Args:
        state: A state from `statements.read_state`, or the same keys of a page's data.
        cause: The headline on the difference that adaptation is meant to reduce, or "".
        left: Name and size of a difference without and with augmentation, as in the story. Defaults
            to the largest differences in the state.
    """
    if not state or not state.get("adapts"):
        return None
    worth = state.get("worth") or {}
    has_target = "target" in (state.get("num_samples") or {})
    kind, word = ANSWERS[worth.get("answer") or "unknown"]
    what, todo, code = _said(worth, has_target)
    largest = state.get("left") or {}
    before, now = left or (largest.get("before"), largest.get("now"))
    facts = [estimated_cost(worth), *_accuracies(worth), _difference(before, now), _date(state)]
    return {
        "kind": kind,
        "lead": _lead(state, cause, before, now),
        "word": word,
        "what": what,
        "facts": [fact for fact in facts if fact],
        "todo": todo,
        "code": code,
    }


def _lead(
    state: Mapping[str, Any], cause: str, before: list[Any] | None, now: list[Any] | None
) -> str:
    """Returns since when and why a run is adapted, and what is lost, in one sentence."""
    since, worth = state.get("adapts_since"), state.get("worth") or {}
    sentence = f"Since epoch {since} training is adapted" if since else "Training is adapted"
    # A headline may end with what became of the difference.
    because = cause.partition("; ")[0].removesuffix(".")
    sentence += because and f", because {because[0].lower()}{because[1:]}"
    difference = _difference(before, now)
    sentence += (
        f" ({before[0]}: {difference[0]} standard deviations)" if before and difference else ""
    )
    estimate, source = worth.get("now"), worth.get("source")
    if not estimate:
        return f"{sentence}; the accuracy on the target is not estimated."
    sentence += f"; the accuracy on the target is estimated at {_percent(estimate[0])}"
    if source is None:
        return f"{sentence}."
    size = f"about {points(abs(source - estimate[0]))} points"
    side = "below" if source > estimate[0] else "above"
    return f"{sentence}, {size} {side} the {_percent(source)} on validation."


def _said(worth: Mapping[str, Any], has_target: bool) -> tuple[str, str, str | None]:
    """Returns the answer as a sentence, the next step, and a line of Python for it."""
    now, earlier, answer = worth.get("now"), worth.get("earlier"), worth.get("answer")
    again = "Fit once more without adapt=, and compare what this line prints for both models:"
    if not worth.get("after"):
        what = "No accuracy on the target was estimated so far."
        if has_target:
            return what, "After the fit, estimate it without labels:", ESTIMATE
        return what, "Compare the validation accuracy with that of a fit without adaptation.", None
    if not now or worth.get("saw_target"):
        return worth["after"], "Label some samples of the target, and evaluate on them.", None
    what = f"The accuracy on the target is {_percent(now[0])} by estimate"
    if not earlier:
        return f"{what}; there is no model without adaptation to compare with.", again, ESTIMATE
    what = f"{what}; it was {_percent(earlier[0])} before."
    if answer == "yes":
        return what, "Nothing. To be sure, evaluate on some labelled target samples.", None
    if answer == "no":
        return what, "Fit again without adapt=.", None
    if answer == "same":
        return f"{what[:-1]}, which may be chance.", again, ESTIMATE
    return worth["after"], again, ESTIMATE


def estimated_cost(worth: Mapping[str, Any]) -> list[str] | None:
    """Returns the accuracy that is lost on the target, as a fact."""
    now, source = worth.get("now"), worth.get("source")
    if not now or source is None:
        return None
    lost, low, high = (source - now[i] for i in (0, 2, 1))
    figure = f"about {points(lost)} points lost" if lost > 0 else "no points lost"
    ends = f"{points(low)} to {points(high)}"
    return [figure, f"of accuracy, {ends}; estimated on the target"]


def _accuracies(worth: Mapping[str, Any]) -> list[list[str]]:
    """Returns the estimated accuracies on the target as facts."""
    now, earlier, source = worth.get("now"), worth.get("earlier"), worth.get("source")
    facts = []
    if now:
        usual = "" if source is None else f"; {_percent(source)} on labelled validation data"
        facts.append([_percent(now[0]), f"estimated on the target, {_ends(now)}{usual}"])
    if earlier:
        facts.append([_percent(earlier[0]), f"estimated before adaptation, {_ends(earlier)}"])
    return facts


def _difference(before: list[Any] | None, now: list[Any] | None) -> list[str] | None:
    """Returns how much training and target differ, without and with augmentation, as a fact."""
    if not before or not now or before[0] != now[0]:
        return None
    return [
        f"{before[1]:.2g} \N{RIGHTWARDS ARROW} {now[1]:.2g}",
        f"difference in {before[0]} in standard deviations, without and with augmentation",
    ]


def _date(state: Mapping[str, Any]) -> list[str] | None:
    """Returns since when the run is adapted, as a fact."""
    since, step = state.get("adapts_since"), state.get("step")
    if not since:
        return None
    return [f"adapted since epoch {since}", "" if step is None else f"of {max(step + 1, since)}"]


def _percent(share: float) -> str:
    return f"{points(share).removesuffix('.0')} %"


def _ends(estimate: list[float]) -> str:
    return f"{points(estimate[1])} to {points(estimate[2])}"
