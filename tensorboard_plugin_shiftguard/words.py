"""Names of features in plain words, and the cause that each feature is grouped under.

The log contains the package's names of features: `input/band_1`, `input/3`, `labels`. In their
place, the tab shows "finest detail (2 pixels)", "column 3" and "class shares".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tensorboard_plugin_shiftguard.attribute_words import LABELS, heading

MAX_SOURCE = 40  # characters of the name of an input


class Cause(NamedTuple):
    """A cause: something that may differ between two streams, shown as a row of the heatmap.

    Args:
        name: Name of the cause while no difference is found.
        lower: Name of the cause if the main feature is lower, such as "Darker"; may be empty.
        higher: Name of the cause if the main feature is higher; may be empty.
        main: The main feature: the image attribute whose change decides between `lower` and
            `higher`.
    """

    name: str
    lower: str = ""
    higher: str = ""
    main: str = ""


CAUSES = {
    "brightness": Cause("Brightness", "Darker", "Brighter", "brightness"),
    "contrast": Cause("Contrast", "Lower contrast", "Higher contrast", "contrast"),
    "noise": Cause("Noise", "Less noisy", "Noisier", "noise"),
    "detail": Cause("Fine detail", "Blurrier", "Sharper", "sharpness"),
    "colour": Cause("Colours", "Less colourful", "More colourful", "saturation"),
    "levels": Cause("Gray levels", "Finer gray levels", "Coarser gray levels", "equal_neighbours"),
    "compression": Cause("Compression", "Less blocky", "Blockier", "blockiness"),
    "structure": Cause("Direction of edges"),
    "frame": Cause("Border and background", "Less background", "More background", "background"),
    "object": Cause("Place and size of the object"),
    "content": Cause("Content as a whole"),
    "labels": Cause("Class shares"),
    "outputs": Cause("What the model answers"),
    "missing": Cause("Missing values"),
    "pipeline": Cause("Preprocessing"),
}

# The image attributes of each cause (`keras_shiftguard/statistics/sketches/attributes.py`).
_ATTRIBUTES_BY_CAUSE = {
    "brightness": "brightness highlights shadows skewness",
    "contrast": "contrast",
    "colour": "colour_balance_0 colour_balance_1 colour_balance_2 colour_balance_3 saturation",
    "detail": "band_1 band_2 band_3 band_4 spectral_slope sharpness edge_density",
    "noise": "noise noise_flat noise_kurtosis",
    "compression": "blockiness",
    "levels": "equal_neighbours equal_runs entropy",
    "structure": "anisotropy coherence",
    "frame": "border_level border_spread background",
    "object": "object_x object_y object_size",
}
# Cause and name of each image attribute.
ATTRIBUTES = {
    name: (cause, heading(LABELS[name]))
    for cause, names in _ATTRIBUTES_BY_CAUSE.items()
    for name in names.split()
}

# Families of findings that augmentation of the training images can imitate.
CAN_BE_AUGMENTED = frozenset(
    "brightness contrast blur noise compression resolution colour geometry".split()
)

_WHOLES = {
    "labels": ("labels", "class shares"),
    "predictions": ("outputs", "predicted classes"),
    "augmentation": ("pipeline", "random augmentation"),
}


# First parts of the names of those features that do not belong to an input.
_NO_INPUTS = {"labels", "outputs", "predictions", "augmentation"}


def count_inputs(features: Iterable[str]) -> int:
    """Returns the number of inputs of the model that features come from; at least 1.

    >>> count_inputs(["left/noise", "left/contrast", "right/noise", "labels"])
    2
    """
    return len({feature.split("/")[0] for feature in features} - _NO_INPUTS) or 1


def described(
    feature: str, inputs: int = 1, columns: Mapping[str, Sequence[str]] | None = None
) -> tuple[str, str]:
    """Returns the cause of a feature, and its name in plain words.

    Args:
        feature: Name of the feature in the log.
        inputs: Number of inputs of the model; with several inputs, the name includes the input.
        columns: Names of the columns of tables, by the first part of the names of features.

    Returns:
        The cause and the name. The cause is a key of `CAUSES`, or the feature itself if it has a
        row of its own.

    >>> described("input/band_1"), described("input/3"), described("labels")
    (('detail', 'finest detail (2 pixels)'), ('input/3', 'column 3'), ('labels', 'class shares'))
    >>> described("input/1", columns={"input": ["age", "bmi"]})
    ('input/1', 'bmi')
    """
    if feature in _WHOLES:
        return _WHOLES[feature]
    source, _, rest = feature.partition("/")
    of = f" of {source[:MAX_SOURCE]}" if inputs > 1 else ""

    def called(column: str) -> str:
        kind, _, i = column.rpartition("/")  # "3", or "group/3" of token ids
        names = (columns or {}).get(f"{source}/{kind}".rstrip("/"), ())
        is_known = i.isdecimal() and int(i) < len(names)
        return names[int(i)] if is_known else f"{_column(column)}{of}"

    if rest == "missing" or rest.endswith("/missing"):
        column = rest.removesuffix("missing").rstrip("/")
        return "missing", f"missing in {called(column)}" if column else f"missing values{of}"
    if source == "outputs":
        return "outputs", f"answers: {rest.replace('_', ' ').replace('/', ' ')}"
    if source.split(" ")[0] == "layer":
        return "outputs", f"activations of {source}"
    if source == "labels":
        return "labels", f"labels, {_column(rest)}"
    if not rest:
        return "content", f"content as a whole{of}"
    if rest == "tokens":
        return feature, f"tokens{of}"
    if rest in ATTRIBUTES:
        cause, words = ATTRIBUTES[rest]
        return cause, f"{words}{of}"
    return feature, called(rest)


def attribute_in_words(name: str) -> str:
    """Returns the name of an image attribute, or of `input/attribute`, in plain words.

    >>> attribute_in_words("noise_flat"), attribute_in_words("left/band_2")
    ('noise in flat regions', 'fine detail (4 pixels) of left')
    """
    source, _, attribute = name.rpartition("/")
    if attribute not in ATTRIBUTES:
        return name
    return described(f"{source or 'input'}/{attribute}", 2 if source else 1)[1]


# In the sentences of older logs, names have spaces: "mean noise flat 0.3".
_NAMES = re.compile(
    rf"\b({'|'.join(name.replace('_', '[_ ]') for name in ATTRIBUTES if '_' in name)})\b"
)
_PROBABILITY = re.compile(r"\bprobability/(\d+)\b")


def in_plain_words(text: str) -> str:
    """Returns a text of the log with names such as `noise_flat` in plain words.

    >>> in_plain_words("the target's noise_flat lies above; lower in probability/3")
    "the target's noise in flat regions lies above; lower in the probability of class 3"
    """
    text = _NAMES.sub(lambda found: ATTRIBUTES[found[0].replace(" ", "_")][1], text)
    return _PROBABILITY.sub(r"the probability of class \1", text)


def _column(name: str) -> str:
    """Returns the name of a column of a table, or of the user's own statistic."""
    return f"column {name}" if name.isdigit() else name.replace("_", " ")


def listed(words: list[str]) -> str:
    """Returns words joined by commas and "and", for use in a sentence.

    >>> listed(["darker", "noisier", "blurrier"])
    'darker, noisier and blurrier'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
