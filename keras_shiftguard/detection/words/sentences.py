"""Explanations of findings: one sentence, with its numbers, for each kind of difference.

In all functions, `stream` is the name of the stream that differs, and `against` the name of the
stream that it is compared with. `what` is a noun for what differs, such as `"images"`, `"outputs"`,
`"labels"` or `"tokens"`, and `effect` an effect size.
"""

import math
from collections.abc import Sequence

import numpy as np

from keras_shiftguard.detection.two_sample.frequencies import FrequencyTest
from keras_shiftguard.detection.words.attribute_words import ADJECTIVES, LABELS, LOGARITHMS, heading
from keras_shiftguard.detection.words.said import Clause, Said
from keras_shiftguard.profiles import FeatureTable
from keras_shiftguard.profiles.token_groups import group_of

# A class that is at least so frequent should be in validation as well. A convention.
USUAL_SHARE = 0.05
# Largest number of things of a kind that a sentence names: classes, columns, causes. A convention.
MAX_NAMED = 3


def stream_name(stream: str) -> str:
    """Returns the name of a stream in a sentence."""
    return "training" if stream == "train" else stream


def number(value: float) -> str:
    """Formats a number with two significant digits.

    Numbers have up to four digits from 99.5 to 1000, and no decimals from 1000 on. Below 0.001 and
    from 100,000 on, the format is scientific with three digits.
    """
    if not math.isfinite(value):
        return str(value)
    if value != 0 and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    # `.2g` would turn 99.7 into 1e+02.
    return f"{value:.4g}" if abs(value) >= 99.5 else f"{value:.2g}"


def two_numbers(first: float, second: float) -> tuple[str, str]:
    """Formats two numbers with as many digits (up to seven) as it takes to distinguish them."""
    one, other = number(first), number(second)
    digits = 3
    while one == other and first != second and digits < 8:
        one, other = f"{first:.{digits}g}", f"{second:.{digits}g}"
        digits += 1
    return one, other


def some_of(words: Sequence[str], total: int) -> str:
    """Lists words, and says how many more there are if they are only the first of `total`."""
    more = total - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def feature_differs(
    name: str,
    what: str,
    dominant: str,
    effect: float,
    current: FeatureTable,
    reference: FeatureTable,
    stream: str,
    against: str,
    columns: Sequence[str] = (),
    counted: str = "",
) -> Said:
    """Returns what is said of a feature whose location, spread or shape differs.

    `dominant` is what differs most: `"location"`, `"spread"` or `"shape"`. `effect` is signed.
    `columns` are the names of the columns of a table, `()` if unknown. `counted` names
    the ids whose share the feature is, see `ids_in_group`; `""` for other features.
    """
    subject = f"{stream_name(stream).capitalize()} {what}"
    others, against = _others(what, against), stream_name(against)
    label = LABELS.get(name) if what.startswith("images") else None
    label = label or (f"the share of {counted}" if counted else _label(name, columns))
    size = f"effect size {abs(effect):.2g}"
    # With heavy tails, the effect size is that of the ranks, whose sign may differ from that of the
    # difference of the means.
    same_sign = effect * (current.mean(name) - reference.mean(name)) >= 0
    if dominant == "location" and same_sign:
        a, b = two_numbers(
            *(_shown(name, what, table.mean(name)) for table in (current, reference))
        )
        lower, higher = ADJECTIVES.get(name, (f"lower in {label}", f"higher in {label}"))
        verb = "are"
        if counted or (name == "length" and "0" in current.names):
            # `length` beside columns: the samples are short texts, or rows of integers.
            what_counts = counted or "entries that are not 0"
            lower, higher = (f"{how} {what_counts}" for how in ("fewer", "more"))
            verb, label = "have", "share of them" if counted else "number"
        more = higher if current.mean(name) > reference.mean(name) else lower
        of = "" if name.isdigit() else f" {heading(label)}"
        if what == "labels" and len(current.names) == 1:  # a single number to predict
            more = more.partition(" ")[0]
        numbers = f"mean{of} {a} against {b} in {against}"
        clause = Clause(subject, verb, more, f"than {others}")
        return Said(f"{subject} {verb} {more}", numbers, size, clause=clause)
    spread, other = current.std(name), reference.std(name)
    a, b = two_numbers(spread, other)
    if dominant == "spread":
        how = f"{'more' if spread > other else 'less'} in {label}"
        numbers = f"standard deviation {a} against {b} in {against}"
        clause = Clause(subject, "vary", how, f"than {others}")
        return Said(f"{subject} vary {how}", numbers, size, clause=clause)
    x, y = two_numbers(current.mean(name), reference.mean(name))
    clause = Clause(subject, "have", f"another distribution of {label}", f"than {against}")
    numbers = f"mean {x} against {y}, standard deviation {a} against {b}"
    return Said(" ".join(clause), numbers, size, clause=clause)


def _others(what: str, against: str) -> str:
    """Returns what the samples of a stream are compared with: `"those of the first epoch"`."""
    noun, there = what.partition(" ")[0], stream_name(against)
    if noun not in ("images", "samples"):
        return f"in {there}"
    return f"those of {there}" if there.startswith("the ") else f"{there} {noun}"


def _shown(name: str, what: str, mean: float) -> float:
    """Returns a mean as people read it: of a logarithm, the number itself, which is above 0."""
    return math.exp(mean) if what.startswith("images") and name in LOGARITHMS else mean


def column_name(feature: str, columns: Sequence[str]) -> str:
    """Returns the name of a column in quotes; its number, `feature`, if the names are unknown."""
    return repr(columns[int(feature)]) if columns else feature


def _label(name: str, columns: Sequence[str]) -> str:
    """Returns the words for a feature, such as `"column 3"` or `"trend over time of column 3"`."""
    what, _, column = name.rpartition("_")
    if what in ("spread", "step", "trend") and column.isdigit():
        return f"{what} over time of column {column}"
    return f"column {column_name(name, columns)}" if name.isdigit() else name.replace("_", " ")


def ids_in_group(group: int, current: np.ndarray, reference: np.ndarray) -> str:
    """Names a hashed group of ids by those of them whose share of all ids differs most.

    `current` and `reference` count how often each id occurred, `(ids,)`.
    """
    change = current / max(current.sum(), 1) - reference / max(reference.sum(), 1)
    change[group_of(np.arange(len(change))) != group] = 0.0
    change *= 1 if change.sum() >= 0 else -1  # in the direction of the group, first
    named = np.argsort(-change, kind="stable")[: 2 if np.count_nonzero(change > 0) > 1 else 1]
    return f"values such as {' and '.join(map(str, named))}"


def embedding_differs(what: str, effect: float, p_value: float, stream: str, against: str) -> Said:
    """Returns what is said of samples that differ as a whole, but in no single feature."""
    subject = f"{stream_name(stream).capitalize()} {what}"
    return Said(
        f"{subject} differ as a whole from {stream_name(against)} without one feature that stands "
        "out",
        statistics=(f"maximum mean discrepancy with p = {p_value:.1g}, effect size {effect:.2g}"),
        clause=Clause(subject, "differ", "as a whole", f"from {_others(what, against)}"),
    )


def missing_differs(what: str, here: float, there: float, stream: str, against: str) -> Said:
    """Returns what is said of streams whose shares of missing or non-finite values differ.

    `what` has a capital letter, since it begins the sentence. `here` and `there` are the shares
    of the samples of `stream` and of `against` in which `what` is missing, in [0, 1].
    """
    return Said(
        f"{what} is missing (or not finite) in {percent(here)} of {stream_name(stream)} samples "
        f"against {percent(there)} in {stream_name(against)}"
    )


def classes_differ(
    what: str, test: FrequencyTest, stream: str, against: str, follows: str = ""
) -> Said:
    """Returns what is said of streams whose class mixes differ."""
    changed = test.most_changed()
    noun = "value" if what == "tokens" else "class"
    words = [
        f"{noun} {i} {percent(test.shares[0, i])} against {percent(test.shares[1, i])}"
        for i in changed[:MAX_NAMED]
    ]
    here, there = stream_name(stream), stream_name(against)
    shares = f"{some_of(words, len(changed))}; " if changed else ""
    unseen = _usual_classes(test, stream, against, of=0)
    return Said(
        f"{here.capitalize()} has {_named_classes(unseen)}, which {there} lacks"
        if what == "labels" and len(unseen)
        else f"{here.capitalize()} {what} have another mix than in {there}",
        f"{shares}{percent(test.total_variation)} of the {here} {what} would have to be of another "
        f"{noun} to match {there}",
        f"effect size {test.effect_size:.2g} (Cohen's w)",
        follows,
    )


def lacks_classes(test: FrequencyTest, stream: str, against: str) -> str:
    """Returns words for usual classes of training that validation lacks; "" if it lacks none.

    Keras's `validation_split` takes the last samples, which are all of one class if they are sorted
    by class.
    """
    lacking = _usual_classes(test, stream, against)
    if not len(lacking):
        return ""
    return (
        f"validation lacks {_named_classes(lacking)}: `validation_split` takes the last samples, "
        "so shuffle samples that are sorted by class"
    )


def _usual_classes(test: FrequencyTest, stream: str, against: str, of: int = 1) -> np.ndarray:
    """Returns the classes that are usual in training, and absent in validation; or the reverse.

    `of` is 1 for those of training, and 0 for those of validation.
    """
    found = np.flatnonzero((test.shares[1 - of] == 0) & (test.shares[of] >= USUAL_SHARE))
    return found if (stream, against) == ("validation", "train") else found[:0]


def _named_classes(ids: np.ndarray) -> str:
    names = some_of([str(i) for i in ids[:MAX_NAMED]], len(ids))
    return f"{'class' if len(ids) == 1 else 'classes'} {names}"


def percent(share: float) -> str:
    """Formats a share in [0, 1] as a percentage."""
    return f"{100 * share:.3g} %"


def misplaced(how: str, stream: str, against: str, noun: str = "images") -> Said:
    """Returns what is said of samples that an operation repairs: mirrored, moved, exchanged ..."""
    here, there = stream_name(stream), stream_name(against)
    return Said(f"{here.capitalize()} {noun} are {how}", follows=f"those of {there} are not")
