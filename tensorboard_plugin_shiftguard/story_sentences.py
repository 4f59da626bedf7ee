"""The headline on the findings of a run, and a short form of it for the list of runs."""

import re
from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.attribute_words import LABELS
from tensorboard_plugin_shiftguard.words import listed, stream_name

MAX_PREDICATES = 3  # in the headline
_CHANGE = re.compile(r"(.+) (x |[-+])([\d.e+-]+)")  # of an attribute, in the evidence for a cause
_OTHERS = re.compile(r"; \d+ more features? differs?\b")
_OTHER_SIZES = re.compile(r" \(effect size [-+]?[\d.e+]+\)")


def headline(findings: list[Mapping[str, Any]], pair: tuple[str, str]) -> tuple[str, str]:
    """Returns the headline on the findings of a pair, and a short form of it."""
    lead = findings[0]
    if lead["kind"] == "label" and lead["classes"]:
        return _on_classes(lead["classes"], pair)
    parts = _parts(lead)
    if parts is None:
        short = {"preprocessing": "other preprocessing", "label": "other class shares"}
        return finished(_sentence(lead)), short.get(lead["kind"] or "", "differs")
    alike = [each for each in map(_parts, findings) if each and _same(each, parts)]
    words = list(dict.fromkeys(each["how"] for each in alike))[:MAX_PREDICATES]
    text = f"{parts['who']} {parts['verb']} {listed(words)} {parts['whom']}."
    # "are darker and noisier" in short is "darker, noisier"; "vary more in contrast" stays.
    short_words = ", ".join(words)
    is_state = parts["verb"] in ("are", "were")
    return text, short_words if is_state else f"{parts['verb']} {short_words}"


def explained(finding: Mapping[str, Any]) -> str:
    """Returns the explanation of a finding with one number for how much its feature differs.

    The effect size gets its sign. The evidence for the cause is put into words, without the feature
    itself, which it repeats in another unit.

    >>> text = "Images are brighter, effect size 4.7. Points to brightness: brightness +0.4 "
    >>> text += "(effect size +4.4), contrast x 0.77 (effect size -1.8)"
    >>> explained({"feature": "input/brightness", "effect_size": 4.74, "explanation": text})[38:]
    'The cause is probably brightness, because contrast is 0.77 times as large.'
    """
    text, size = finished(finding["explanation"] or ""), finding["effect_size"] or 0.0
    if size < 0:
        text = text.replace(f"effect size {-size:.2g}", f"effect size \N{MINUS SIGN}{-size:.2g}", 1)
    sentence, lead, cause = text.partition(". Points to ")
    if not lead:
        return text
    name, _, evidence = _OTHER_SIZES.sub("", cause.removesuffix(".")).partition(": ")
    own = (finding["feature"] or "").rpartition("/")[2]
    own = LABELS.get(own, own)
    parts = [part for part in evidence.split(", ") if part and not part.startswith(f"{own} ")]
    because = f", because {listed([*map(_in_words, parts)])}" if parts else ""
    return f"{sentence}. The cause is probably {name}{because}."


def told(finding: Mapping[str, Any]) -> str:
    """Returns the explanation of a finding, without the number of other features that differ.

    The tab shows the number of features that go along with a finding. The number in the explanation
    is another one: it is that of the finding's first epoch, and only of its own input.

    >>> told({"feature": "3", "effect_size": 1.0, "explanation": "Higher; 2 more features differ"})
    'Higher.'
    """
    return _OTHERS.sub("", explained(finding))


def _in_words(change: str) -> str:
    """Returns how an attribute changed, in words.

    >>> _in_words("edge sharpness x 1.9"), _in_words("brightness -0.37")
    ('edge sharpness is 1.9 times as large', 'brightness is lower by 0.37')
    """
    found = _CHANGE.fullmatch(change)
    if found is None:
        return change
    attribute, how, amount = found.groups()
    if how == "x ":
        return f"{attribute} is {amount} times as large"
    return f"{attribute} is {'lower' if how == '-' else 'higher'} by {amount}"


def _parts(finding: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Returns the parts of the sentence of a finding; None if a part is missing."""
    parts: Mapping[str, str] | None = finding["difference"]
    return parts if parts and all(parts.values()) else None


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether one sentence can describe both differences."""
    return all(one[key] == other[key] for key in ("who", "verb", "whom"))


def _sentence(finding: Mapping[str, Any]) -> str:
    """Returns a finding without its numbers."""
    # Logs of version 0.1 have only the sentence with its numbers, which stand after a colon.
    text: str = finding["sentence"] or (finding["explanation"] or "").partition(": ")[0]
    return text or f"{finding['feature'] or 'something'} differs"


def _on_classes(classes: list[list[Any]], pair: tuple[str, str]) -> tuple[str, str]:
    """Returns the headline on other class shares: the classes that became more frequent, if any."""
    more = [name for name, here, there in classes if here > there]
    word, names = ("more", more) if more else ("fewer", [name for name, _, _ in classes])
    noun = "class" if len(names) == 1 else "classes"
    short = f"{word} of {noun} {listed(names)}"
    here, there = (stream_name(name) for name in pair)
    return f"{capital(here)} has {short} than {there}.", short


def capital(text: str) -> str:
    """Returns a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def finished(text: str) -> str:
    """Returns a text that ends with a full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
