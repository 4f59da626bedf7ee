"""Names of the columns of tables: for sentences, and to find columns in another order.

A table of pandas has them. Keras turns a table into an array before a step, so batches of a fit
have none, and neither have arrays.
"""

from keras_shiftguard.detection.families import StreamNames
from keras_shiftguard.detection.words.said import Said
from keras_shiftguard.detection.words.sentences import MAX_NAMED, some_of, stream_name
from keras_shiftguard.profiles import InputSummary


def in_other_order(
    name: str, now: InputSummary, before: InputSummary, here: str, there: str
) -> Said:
    """Returns what is said of tables with the same columns in another order.

    `here` and `there` are the names of the streams in sentences.
    """
    moved = [
        i
        for i, pair in enumerate(zip(now.columns, before.columns, strict=True))
        if len({*pair}) > 1
    ]
    first = moved[0]
    return Said(
        f"The columns of {name} have another order in {here} than in {there} ({len(moved)} of "
        f"{len(now.columns)} are elsewhere): column {first} is {now.columns[first]!r} against "
        f"{before.columns[first]!r}",
        cause="A model takes one column for another: select the columns of both tables by one list "
        "of names",
    )


def without_partner(now: InputSummary, before: InputSummary, here: str, there: str) -> str:
    """Returns words for the columns that only one of two tables has; "" if names are unknown."""
    if not now.columns or not before.columns:
        return ""
    parts = []
    for these, others, stream in ((now, before, here), (before, now, there)):
        only = [repr(each) for each in these.columns if each not in others.columns]
        if only:
            parts.append(f"only {stream} has {some_of(only[:MAX_NAMED], len(only))}")
    return "".join(f"; {part}" for part in parts)


def other_names(
    streams: StreamNames, name: str, now: InputSummary, before: InputSummary
) -> list[str]:
    """Returns a note on columns that have other names; empty without such columns."""
    pairs = zip(now.columns, before.columns, strict=False)
    renamed = [f"{ours!r} against {theirs!r}" for ours, theirs in pairs if ours != theirs]
    if not renamed:
        return []
    here, there = map(stream_name, streams)
    return [
        f"columns of {name} have other names in {here} than in {there}, and were compared by their "
        f"place: {some_of(renamed[:MAX_NAMED], len(renamed))}"
    ]
