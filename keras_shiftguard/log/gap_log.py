"""Writer of an account to a log directory, for TensorBoard's Shift tab and as `gap.json`."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

from keras_shiftguard.io.json_files import plain, write_json
from tensorboard_plugin_shiftguard.metadata import GAP_SCHEMA, GAP_TAG


def write_gap(log_dir: str | PathLike[str], gap: Any) -> None:
    """Writes a `GapReport`, with the verdict on it."""
    # Imported here because TensorBoard's modules load slowly, and few reports are written.
    from keras_shiftguard.detection.verdict import verdict_on_gap
    from keras_shiftguard.log.event_writer import EventWriter

    told = verdict_on_gap(gap).to_dict()
    content = plain({**gap.to_dict(), "v": GAP_SCHEMA, "verdict": told})
    with EventWriter(log_dir) as writer:
        text = json.dumps(content, allow_nan=False).encode()
        writer.write_data(GAP_TAG, text, 0, {"v": GAP_SCHEMA})
    write_json(Path(log_dir), "gap.json", content)
