"""Writer of an account to a log directory, for TensorBoard's Shift tab and as `gap.json`."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from keras_shiftguard.io.json_files import plain, write_json
from keras_shiftguard.log.event_writer import EventWriter
from tensorboard_plugin_shiftguard.metadata import GAP_SCHEMA, GAP_TAG


def write_gap(log_dir: str | PathLike[str], gap: Mapping[str, Any], told: Any) -> None:
    """Writes `GapReport.to_dict()`, with the verdict on it, `Verdict.to_dict()`."""
    with EventWriter(log_dir) as writer:
        write_to(writer, Path(log_dir), 0, gap, told)


def write_to(
    writer: EventWriter, folder: Path, step: int, gap: Mapping[str, Any], told: Any
) -> None:
    """Writes an account with a writer that is open."""
    write_json(folder, "gap.json", plain({**gap, "v": GAP_SCHEMA, "verdict": told}))
    if gap["metric"] != "accuracy":
        return  # the chart of the tab shows accuracies
    content = plain({**as_shown(gap), "v": GAP_SCHEMA, "verdict": told})
    text = json.dumps(content, allow_nan=False).encode()
    writer.write_data(GAP_TAG, text, step, {"v": GAP_SCHEMA})


def as_shown(gap: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an account in the words of the tab's table."""
    rows = [
        {
            "cause": row["kind"],
            "points": row["points"],
            "interval": row["interval"],
            "accuracy": row["accuracy"],
            "kind": "rest" if row["kind"] in ("memorised", "unexplained") else "removed",
            "detail": row["cause"],
            "repair": (row["step"] or "") if row["sure"] else "",
        }
        for row in gap["rows"]
    ]
    return {
        "accuracy": gap["measured"],
        "reference_accuracy": gap["reference"],
        "beyond_sampling": gap["is_sure"],
        "reference": gap["against"],
        "estimated": False,
        "headline": gap["headline"],
        "rows": rows,
        "notes": gap["notes"],
        "doubt": "",
    }
