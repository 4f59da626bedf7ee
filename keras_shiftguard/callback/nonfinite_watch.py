"""`NonfiniteWatch`: says once that samples of a stream hold NaN or infinity.

Such samples are counted, and left out of the statistics, so no comparison shows them if all streams
have about as many. But one of them is enough to make the loss and every weight NaN.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from keras_shiftguard.detection.families import MAX_NAMED
from keras_shiftguard.detection.finding import Finding, source_of
from keras_shiftguard.detection.sentences import percent, some_of, stream_name
from keras_shiftguard.errors import warn
from keras_shiftguard.profiles import InputProfile, InputSummary

ADVICE = (
    "Find them with np.isfinite(x), and repair the loader, leave these samples out, or fill the "
    "values. The statistics of the guard leave them out."
)


class NonfiniteWatch:
    """Looks for samples with NaN or infinity in each pass over a stream."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()  # streams and inputs
        self._new: dict[tuple[str, str], str] = {}  # a sentence for each of those not told yet

    def look(self, stream: str, profile: InputProfile, epoch: int | None) -> None:
        """Looks at the samples of a pass.

        Args:
            stream: Name of the stream.
            profile: Profile of the pass, or of the part of it that was trained on.
            epoch: Epoch, counted from 1; None outside of a fit.
        """
        for name, summary in profile.inputs.items():
            key = stream, source_of(name)
            if summary.nonfinite_samples and key not in self._told:
                self._told.add(key)
                since = f", since epoch {epoch}" if epoch else ""
                self._new[key] = f"{_in_words(key[1], summary, stream)}{since}"

    def tell(
        self, logs: Mapping[str, Any] | None, findings: Collection[Finding], is_fit: bool
    ) -> list[str]:
        """Warns of the samples that are new, unless the model is made for them.

        The model is made for such samples if the losses of the stream are finite nevertheless.

        Args:
            logs: Keras's logs of the epoch or evaluation; None for a prediction, which has no loss.
            findings: The findings of which there is a warning.
            is_fit: Whether the logs are those of a fit, with the prefix `val_` for validation.

        Returns:
            A sentence for the report for each stream and input that is new.
        """
        found, self._new = self._new, {}
        warned = {finding.feature for finding in findings if finding.family == "missing"}
        bad = [
            sentence
            for (stream, source), sentence in found.items()
            if logs is not None
            and not any(feature.startswith(f"{source}/") for feature in warned)
            and not _is_harmless(logs, "val_" if is_fit and stream == "validation" else "")
        ]
        if bad:
            lines = [f"  - {sentence}." for sentence in bad]
            warn("\n".join(["ShiftGuard found values that are not finite:", *lines, f"  {ADVICE}"]))
        return list(found.values())

    def state(self) -> list[list[str]]:
        """Returns the state for `restore`."""
        return [list(key) for key in sorted(self._told)]

    def restore(self, state: list[list[str]]) -> None:
        """Restores the state that `state()` returned."""
        self._told = {(str(stream), str(source)) for stream, source in state}


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
