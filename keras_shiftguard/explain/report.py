"""`GapReport`: the causes of an accuracy gap, as a table that adds up."""

from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any

from keras_shiftguard.explain.gap_log import write_gap
from keras_shiftguard.explain.gap_verdict import gap_verdict
from keras_shiftguard.io.as_page import AsPage
from keras_shiftguard.io.json_files import plain

PREPROCESSING = "preprocessing"
CHANNEL_ORDER = "channel order"
COLUMN_ORDER = "column order"
SIZE = "resolution and crop"
LABEL_SHIFT = "label shift"
COVARIATE_SHIFT = "covariate shift"
CONCEPT_SHIFT = "concept shift"
UNEXPLAINED = "unexplained"

MAX_LINES = 10  # largest number of lines of the printed report. A convention.


@dataclass(frozen=True)
class GapRow:
    """One cause and its part of the gap.

    Args:
        cause: `"preprocessing"`, `"channel order"`, `"column order"`, `"resolution and crop"`,
            `"label shift"`, `"covariate shift"`, `"concept shift"` or `"unexplained"`.
        points: The part of the gap that the cause explains: 0.05 is five points of accuracy.
        interval: 95 % bootstrap interval of `points`.
        accuracy: The accuracy with only this cause removed. If the cause is not removed exactly,
            `accuracy` is the measured accuracy plus `points`.
        kind: `"removed"` if the cause was removed exactly, so that `points` is its Shapley share;
            `"estimated"` if `points` is an estimate; `"rest"` for `"unexplained"`.
        detail: Description of the cause.
        repair: A line of Python to paste, or "".
    """

    cause: str
    points: float
    interval: tuple[float, float]
    accuracy: float
    kind: str
    detail: str = ""
    repair: str = ""


@dataclass(frozen=True)
class GapReport(AsPage):
    """The causes of an accuracy gap. `str()` is a table to read.

    All accuracies are between 0 and 1, as in Keras, and the gap is their difference.

    Args:
        rows: The causes, the biggest first, `"unexplained"` last. Their
            `points` add up to `gap`.
        accuracy: The measured accuracy, or an estimate of it if `estimated` is True.
        reference_accuracy: The accuracy that `accuracy` is compared with.
        interval: 95 % interval of the gap. The interval covers the sampling error and, if
            `estimated` is True, the disagreement of the estimates.
        reference: Description of the reference.
        num_samples: Number of samples that were evaluated.
        estimated: Whether the data had no labels, so that the accuracy is an estimate from the
            confidence of the model.
        notes: Causes that could not be checked, and other observations.
        doubt: If an estimated gap of zero may be wrong, a sentence that says why: a wrong
            preprocessing, or the largest difference between the data and the reference. Else empty.
    """

    rows: tuple[GapRow, ...]
    accuracy: float
    reference_accuracy: float
    interval: tuple[float, float]
    reference: str
    num_samples: int
    estimated: bool = False
    notes: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def gap(self) -> float:
        """Reference accuracy minus measured accuracy."""
        return self.reference_accuracy - self.accuracy

    @property
    def beyond_sampling(self) -> bool:
        """Whether the accuracy is lower by more than sampling can explain."""
        return self.interval[0] > 0

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain values for JSON."""
        own = {"gap": self.gap, "beyond_sampling": self.beyond_sampling}
        return dict(plain({"headline": self._headline(), **own, **asdict(self)}))

    def write(self, log_dir: str | PathLike[str]) -> None:
        """Writes the report to a log directory: for TensorBoard's Shift tab, and as `gap.json`.

        The verdict of the run then has what the report adds, such as the cost of wrong
        preprocessing. The tab shows the latest report. Do not call this while a fit with
        `ShiftGuard` writes to the same directory.

        Args:
            log_dir: The `log_dir` of a `ShiftGuard`, or any directory for TensorBoard.

        Raises:
            BadInputError: if the directory cannot be written.
        """
        write_gap(log_dir, self.to_dict())

    def __str__(self) -> str:
        repairs: dict[str, list[str]] = {}
        for row in self.rows:
            # Without labels, a mistake that makes the model more confident has negative points.
            if row.repair and (row.points > 0 or (self.estimated and row.kind == "removed")):
                repairs.setdefault(row.repair, []).append(row.cause)
        fixes = [f"  To repair {' and '.join(causes)}: {line}" for line, causes in repairs.items()]
        rows = self._row_lines(MAX_LINES - 1 - len(fixes))
        notes = [_in_a_line(f"  Note: {note}") for note in self.notes]
        room = MAX_LINES - 1 - len(rows) - len(fixes)
        return "\n".join([_in_a_line(self._headline()), *rows, *fixes, *notes[: max(room, 0)]])

    def _page_parts(self) -> dict[str, Any]:
        gap = self.to_dict()
        return {"title": "Accuracy gap", "gap": gap, "verdict": gap_verdict(gap).to_dict()}

    def _headline(self) -> str:
        size = f"{self.num_samples:,} sample{'s' if self.num_samples != 1 else ''}"
        low, high = (100 * end for end in self.interval)
        word = "Estimated accuracy" if self.estimated else "Accuracy"
        ends = f"95 % interval of the gap: {low:.1f} to {high:.1f} points"
        ours, theirs = _percent(self.accuracy), _percent(self.reference_accuracy)
        gap = f"{100 * self.gap:.1f} points"
        if self.beyond_sampling:
            return f"{word} {ours} is {gap} below {theirs} ({self.reference}); {ends}, {size}."
        compared = f"{word.lower()} {ours} against {theirs} ({self.reference})"
        if self.doubt:
            return (
                f"Unclear whether there is a gap: {compared}, {ends}, {size}, but the model's "
                f"confidence may mislead: {self.doubt} Labels would tell."
            )
        return (
            f"No gap beyond sampling: {compared}, gap {gap} ({ends}), {size}{self._sure_cause()}."
        )

    def _sure_cause(self) -> str:
        """Returns words for the first exact cause that surely costs accuracy; "" without one.

        The same samples are compared with and without the cause, so its cost may be sure although
        that of the gap is not.
        """
        for row in self.rows:
            if row.kind == "removed" and row.interval[0] > 0 and not self.estimated:
                points, low, high = (100 * value for value in (row.points, *row.interval))
                loss = f"{points:.1f} points (between {low:.1f} and {high:.1f} points)"
                return f", but {row.cause} costs {loss}"
        return ""

    def _row_lines(self, room: int) -> list[str]:
        """Returns the rows as at most `room` lines; small causes share a line if necessary."""
        lines = [_row_line(row) for row in self.rows]
        if len(lines) > room:
            small = self.rows[room - 2 : -1]
            names = ", ".join(row.cause for row in small)
            total = 100 * sum(row.points for row in small)
            merged = f"{total:8.1f}  the rest of the causes: {names}"
            lines = [*lines[: room - 2], merged, lines[-1]]
        return [_in_a_line(line) for line in lines]


def _row_line(row: GapRow) -> str:
    points, low, high = (100 * value for value in (row.points, *row.interval))
    ends = f"{points:z8.1f}  [{low:z5.1f}, {high:z5.1f}]"
    how = "explained by " if row.kind == "estimated" else ""
    alone = f" (without it {_percent(row.accuracy)})" if row.kind == "removed" else ""
    detail = f": {row.detail}" if row.detail else ""
    return f"{ends}  {how}{row.cause}{alone}{detail}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _in_a_line(text: str) -> str:
    """Returns the text without line breaks."""
    return " ".join(text.split("\n"))
