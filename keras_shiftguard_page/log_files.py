"""Reader of the JSON files that a guard or `GapReport.write` wrote to a log directory."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_BYTES = 20_000_000  # largest size of a file; the library writes some 100 kB
# Data of the pages of a fit, an evaluation and a prediction. The first file that exists is read.
PAGES = ("shift.json", "shift-evaluation.json", "shift-prediction.json")
GAP = "gap.json"  # the file that `GapReport.write` writes


class UnreadableLog(ValueError):
    """A log directory has no data of a guard, or data that cannot be read."""


def read_parts(log_dir: Path) -> dict[str, Any]:
    """Returns the data for the page of a log directory; see the docstring of the package."""
    if not log_dir.is_dir():
        raise UnreadableLog(f"{log_dir} is not a directory.")
    parts: dict[str, Any] = {"title": log_dir.resolve().name}
    page, gap = data_file(log_dir), log_dir / GAP
    if page is not None:
        parts |= _read(page)
    if gap.is_file():
        parts["gap"] = _read(gap)
        # Its verdict contains that of the run, as long as the run has written nothing since.
        is_latest = page is None or gap.stat().st_mtime_ns >= page.stat().st_mtime_ns
        if is_latest and parts["gap"].get("verdict"):
            parts["verdict"] = parts["gap"]["verdict"]
    if len(parts) > 1:
        return parts
    runs = sorted(path.parent for name in (*PAGES, GAP) for path in log_dir.glob(f"*/{name}"))
    where = f" These do: {', '.join(map(str, dict.fromkeys(runs)))}." if runs else ""
    raise UnreadableLog(
        f"{log_dir} holds no log of a ShiftGuard: neither {PAGES[0]} nor {GAP}. "
        f"Pass the `log_dir` of a ShiftGuard.{where}"
    )


def data_file(log_dir: Path) -> Path | None:
    """Returns the file with the data of a log directory's page; None if there is none."""
    return next((log_dir / name for name in PAGES if (log_dir / name).is_file()), None)


def is_alarm(parts: Mapping[str, Any]) -> bool:
    """Returns whether the data has a mismatch, a shift that matters, or a gap beyond sampling."""
    mismatch = any(each["status"] == "mismatch" for each in parts.get("diagnosis", {}).values())
    shifted = parts.get("report", {}).get("shifted", False)
    return mismatch or bool(shifted) or _has_fault(parts.get("gap") or {})


def _read(path: Path) -> dict[str, Any]:
    """Returns the content of a JSON file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableLog(f"{path} is larger than {MAX_BYTES:,} bytes.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, UnreadableLog):
            raise
        raise UnreadableLog(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UnreadableLog(f"{path} holds no JSON object.")
    return content


def _has_fault(gap: Mapping[str, Any]) -> bool:
    """Whether an account has a sure row other than what learning and memory cost."""
    rows = gap.get("rows", ())
    return any(row["sure"] and row["kind"] not in ("learning", "memorised") for row in rows)
