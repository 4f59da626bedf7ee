"""The finding for labels that do not fit their samples, with its sentence."""

import numpy as np

from keras_shiftguard.detection.cost import Cost
from keras_shiftguard.detection.finding import RELABELLED, Finding
from keras_shiftguard.detection.two_sample.tail_probabilities import SMALLEST_P, normal_sf
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.detection.words.sentences import MAX_NAMED, percent, some_of
from keras_shiftguard.experiments.labels.wrong_labels import WrongLabels

# The note on labels that have nothing in common with their samples.
UNRELATED = (
    "The labels and the inputs of validation do not seem to belong together: the model is hardly "
    "better with their labels than with those of other samples. Check the order of the labels, of "
    "the classes and of the columns, and whether samples of training belong together (of one "
    "patient, of one clip)"
)

# What to do about classes that have other numbers.
ONE_LIST = "Number the classes of training and of validation by one list of their names."


def finding_of(found: WrongLabels, cost: Cost, number: int) -> Finding:
    """Returns the finding for wrong labels of validation, of a number of classes."""
    share = len(found.names) / number if found.names else found.share
    ends = np.array(cost.interval) / cost.value * share
    low, high = (float(end) for end in np.clip(ends, 0.0, 1.0))
    return Finding(
        feature="labels/concept",
        kind="concept",
        family=RELABELLED,
        effect_size=share,
        interval=(low, high),
        p_value=max(float(normal_sf(cost.sigmas)), SMALLEST_P),
        stream="validation",
        against="train",
        since=None,
        fix=ONE_LIST if found.names else "",
        said=said_of(found, number)._replace(
            statistics=f"effect size {share:.2g} ({_of_what(found)})"
        ),
    )


def _of_what(found: WrongLabels) -> str:
    if found.names:
        return "share of the classes"
    return "share of the labels" if found.pair is None else "share of the label"


def said_of(
    found: WrongLabels, number: int, here: str = "validation", there: str = "training"
) -> Said:
    """Returns which labels are wrong, of a number of classes, in samples with the names `here`."""
    if found.names:
        steps = {(label - name) % number for label, name in found.names}
        listed = [f"{label} looks like class {name}" for label, name in found.names]
        which = f"label {some_of(listed[:MAX_NAMED], len(listed))}"
        if len(found.names) == 2:
            which = f"the labels {found.names[0][0]} and {found.names[0][1]} are exchanged"
        if len(steps) == 1 and len(found.names) == number > 2:
            which = f"all class ids are higher by {steps.pop()} (the last ones begin again)"
        moves = {label - name for label, name in found.names}
        if len(moves) == 1 and len(found.names) == number - abs(move := moves.pop()) > 2:
            which = f"all class ids are {'higher' if move > 0 else 'lower'} by {abs(move)}"
        return Said(f"In {here}, {which}", f"its labels do not mean what they mean in {there}")
    if found.pair is not None:
        label, other = found.pair
        back = ", and others the other way round" if found.is_exchange else ""
        return Said(
            f"About {percent(found.share)} of the {here} samples with label {label} seem to be "
            f"of class {other}{back}",
            f"for the model, label {label} is no likelier than for samples of class {other}",
        )
    return Said(
        f"About {percent(found.share)} of the labels of {here} do not fit their samples",
        "for the model, these labels are no likelier than for samples of another class, as if they "
        "were wrong at random",
    )
