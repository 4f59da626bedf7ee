"""`look` says once that samples of a stream hold NaN or infinity.

Such samples are counted, and left out of the statistics, so no comparison shows them if all streams
have about as many. But one of them is enough to make the loss and every weight NaN.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_shiftguard.callback.checks.check import Epoch, Told
from keras_shiftguard.detection.finding import source_of
from keras_shiftguard.detection.words.sentences import MAX_NAMED, percent, some_of, stream_name
from keras_shiftguard.profiles import InputSummary

ADVICE = (
    "Find them with np.isfinite(x), and repair the loader, leave these samples out, or fill the "
    "values. The statistics of the guard leave them out."
)


def look(state: list[list[str]] | None, epoch: Epoch) -> tuple[list[list[str]], Told]:
    """Tells of samples with NaN or infinity that are new.

    There is no warning if the model is made for such samples: if the losses of the stream are
    finite nevertheless.

    The state: the streams and inputs that were told. The streams of the epoch also have passes that
    were cut short.
    """
    told = [list(key) for key in state or ()]
    warned = {finding.feature for finding in epoch.warned_of if finding.family == "missing"}
    notes, bad = [], []
    for stream in epoch.streams:
        for name, summary in epoch.streams[stream].profile.inputs.items():
            source = source_of(name)
            if not summary.nonfinite_samples or [stream, source] in told:
                continue
            told.append([stream, source])
            since = f", since epoch {epoch.number}" if epoch.number else ""
            notes.append(f"{_in_words(source, summary, stream)}{since}")
            prefix = "val_" if epoch.number is not None and stream == "validation" else ""
            is_known = any(feature.startswith(f"{source}/") for feature in warned)
            if epoch.logs is not None and not is_known and not _is_harmless(epoch.logs, prefix):
                bad.append(f"  - {notes[-1]}.")
    lines = ["ShiftGuard found values that are not finite:", *bad, f"  {ADVICE}"]
    return told, Told(tuple(notes), "\n".join(lines) if bad else "")


def _is_harmless(logs: Mapping[str, Any], prefix: str) -> bool:
    """Whether the logs have losses with this prefix (none: of training), all of them finite."""
    names = [name for name in logs if name.startswith("val_") == bool(prefix) and "loss" in name]
    return bool(names) and all(np.isfinite(logs[name]).all() for name in names)


def _in_words(source: str, summary: InputSummary, stream: str) -> str:
    """Returns how many samples are affected, and in which columns if it is a table."""
    number, total = summary.nonfinite_samples, summary.num_samples
    table = summary.features
    columns = [
        name
        for name, missing in zip(table.names, table.missing, strict=True)
        if missing and name.isdigit() and not summary.is_image
    ]
    where = ""
    if columns:
        noun = "column" if len(columns) == 1 else "columns"
        where = f", in {noun} {some_of(columns[:MAX_NAMED], len(columns))}"
    what = "images" if summary.is_image else "samples"
    return (
        f"{number:,} of {total:,} {stream_name(stream)} {what} ({percent(number / total)}) of "
        f"{source} hold NaN or infinity{where}"
    )
