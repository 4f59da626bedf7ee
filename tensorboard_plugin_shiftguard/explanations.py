"""The explanations of findings, as the tab and the page show them."""

import re
from collections.abc import Mapping
from typing import Any

from tensorboard_plugin_shiftguard.attribute_words import LABELS
from tensorboard_plugin_shiftguard.words import listed

_CHANGE = re.compile(r"(.+) (x |[-+])([\d.e+-]+)")  # of an attribute, in the evidence for a cause
_OTHERS = re.compile(r"; \d+ more features? differs?\b")
_OTHER_SIZES = re.compile(r" \(effect size [-+]?[\d.e+]+\)")


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


def finished(text: str) -> str:
    """Returns a text that ends with a full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
