"""`GapReport`: why one accuracy is lower than another, as a table whose rows add up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_shiftguard.detection.gap_row import ACCURACY, GapRow
from keras_shiftguard.io.as_page import AsPage
from keras_shiftguard.io.json_files import plain

MAX_LINES = 10  # of the printed table. A convention.
MAX_CAUSE = 78  # characters of a cause in it. A convention.


@dataclass(frozen=True)
class GapReport(AsPage):
    """The account of a gap. `str()` is a table of at most ten lines.

    Args:
        rows: The causes, the biggest first. Their `points` add up to `gap`.
        reference: The accuracy, or the loss, that `measured` is compared with.
        measured: The accuracy, or the loss, of the data.
        interval: 95 % interval of the gap.
        metric: `"accuracy"`, or the name of the loss.
        against: What `reference` was measured on: `"training"`, `"the reference"` ...
        data: What `measured` was measured on: `"validation"` or `"the data"`.
        num_samples: Number of labelled samples on which the experiments were made.
        notes: What could not be tried, and what would tell.
    """

    rows: tuple[GapRow, ...]
    reference: float
    measured: float
    interval: tuple[float, float]
    metric: str = ACCURACY
    against: str = "training"
    data: str = "validation"
    num_samples: int = 0
    notes: tuple[str, ...] = ()

    @property
    def gap(self) -> float:
        """Reference minus measured accuracy; of a loss, the share by which it is higher."""
        if self.metric == ACCURACY:
            return self.reference - self.measured
        return (self.measured - self.reference) / max(abs(self.measured), 1e-12)

    @property
    def is_sure(self) -> bool:
        """Whether the gap is above 0 by more than the choice of samples explains."""
        return self.interval[0] > 0

    @property
    def fault(self) -> GapRow | None:
        """The largest sure row of a cause that can be undone or prevented; None without one."""
        return max((r for r in self.rows if r.is_fault), key=lambda r: r.points, default=None)

    @property
    def rest(self) -> GapRow:
        """The row of what nothing undoes: `"memorised"` or `"unexplained"`."""
        return next(row for row in self.rows if row.kind in ("memorised", "unexplained"))

    def to_dict(self) -> dict[str, Any]:
        """Returns the account as plain values for JSON."""
        own = {**vars(self), "rows": [row.to_dict() for row in self.rows]}
        return dict(
            plain({**own, "gap": self.gap, "is_sure": self.is_sure, "headline": self.headline})
        )

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> "GapReport":
        """Returns the account that `to_dict` was called on."""
        known = {name: tree[name] for name in cls.__dataclass_fields__ if name in tree}
        known["rows"] = tuple(GapRow.from_dict(row) for row in tree["rows"])
        known["interval"], known["notes"] = tuple(tree["interval"]), tuple(tree.get("notes", ()))
        return cls(**known)

    def write(self, log_dir: Any) -> None:
        """Writes the account to a log directory: for TensorBoard's Shift tab, and as `gap.json`.

        The tab shows the latest account. Do not call this while a fit with `ShiftGuard` writes to
        the same directory, which writes its own.

        Args:
            log_dir: The `log_dir` of a `ShiftGuard`, or any directory for TensorBoard.

        Raises:
            BadInputError: if the directory cannot be written.
        """
        # Imported here because TensorBoard's modules load slowly, and few accounts are written.
        from keras_shiftguard.detection.verdict import verdict_on_gap
        from keras_shiftguard.log.gap_log import write_gap

        write_gap(log_dir, self.to_dict(), verdict_on_gap(self).to_dict())

    def _page_parts(self) -> dict[str, Any]:
        from keras_shiftguard.detection.verdict import verdict_on_gap

        told = verdict_on_gap(self).to_dict()
        return {"title": "Accuracy gap", "gap": self.to_dict(), "verdict": told}

    def __str__(self) -> str:
        steps = [row for row in self.rows if row.is_fault and row.step]
        room = MAX_LINES - 1 - len(steps[:2])
        shown, more = self.rows[:room], self.rows[room:]
        lines = [_line(row) for row in shown]
        if more:
            shown, more = self.rows[: room - 1], self.rows[room - 1 :]
            total = 100 * sum(row.points for row in more)
            lines = [*map(_line, shown), f"  {total:+6.1f}  {len(more)} smaller rows"]
        lines += [f"  Do: {row.step}" for row in steps[:2]]
        notes = [f"  Note: {note}" for note in self.notes][: MAX_LINES - 1 - len(lines)]
        return "\n".join([self.headline, *lines, *notes])

    @property
    def headline(self) -> str:
        """Both ends of the gap, as a sentence."""
        size = f"{self.num_samples:,} labelled samples"
        if self.metric != ACCURACY:
            name = "Loss" if self.metric == "loss" else self.metric.replace("_", " ").capitalize()
            ours, theirs = f"{name} {self.measured:.4g}", f"{self.reference:.4g}"
            size_of_gap = f"{100 * abs(self.gap):.0f} % {'higher' if self.gap >= 0 else 'lower'}"
        else:
            ours, theirs = f"Accuracy {100 * self.measured:.1f} %", f"{100 * self.reference:.1f} %"
            word = "lower" if self.gap >= 0 else "higher"
            size_of_gap = f"{100 * abs(self.gap):.1f} points {word}"
        chance = "" if self.is_sure or self.gap < 0 else ", within chance"
        return f"{ours} on {self.data}, {theirs} on {self.against}: {size_of_gap}{chance} ({size})."


def _line(row: GapRow) -> str:
    low, high = (100 * end for end in row.interval)
    cause = row.cause if len(row.cause) <= MAX_CAUSE else f"{row.cause[: MAX_CAUSE - 3]}..."
    mark = "" if row.sure or row.kind == "learning" else " (not sure)"
    return f"  {100 * row.points:+6.1f}  [{low:z.1f}, {high:z.1f}]  {row.kind}: {cause}{mark}"
