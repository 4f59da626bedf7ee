"""Writer of an accuracy gap to a log directory: the verdict there then says what the gap adds."""

import json
from collections.abc import Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

from keras_shiftguard.detection.verdict import Verdict
from keras_shiftguard.explain.gap_verdict import gap_verdict, with_gap
from keras_shiftguard.io.atomic_files import replace_file
from keras_shiftguard.io.json_files import plain, write_json
from tensorboard_plugin_shiftguard.metadata import GAP_SCHEMA, GAP_TAG


def write_gap(log_dir: str | PathLike[str], gap: Mapping[str, Any]) -> None:
    """Writes `GapReport.to_dict()` for the tab and as `gap.json`, with the verdict on the run.

    `verdict.json` and the page, if there is one, are written again. `shift.json` keeps the run's
    own verdict, so that a later gap replaces an earlier one.
    """
    # Imported here because TensorBoard's modules load slowly, and few reports are written.
    from keras_shiftguard.log.event_writer import EventWriter
    from keras_shiftguard_page import page
    from keras_shiftguard_page.log_files import data_file, read_parts

    folder = Path(log_dir)
    verdict, data = gap_verdict(gap), data_file(folder)
    if data is not None:
        with suppress(OSError, ValueError, KeyError, TypeError):  # of another version, or damaged
            verdict = with_gap(Verdict.from_dict(json.loads(data.read_text())["verdict"]), gap)
    told = verdict.to_dict()
    content = plain({**gap, "v": GAP_SCHEMA, "verdict": told})
    with EventWriter(log_dir) as writer:
        text = json.dumps(content, allow_nan=False).encode()
        writer.write_data(GAP_TAG, text, 0, {"v": GAP_SCHEMA})
    write_json(folder, "gap.json", content)
    write_json(folder, "verdict.json", told)
    if data is not None and (shown := data.with_suffix(".html")).exists():
        with suppress(ValueError):
            replace_file(shown, page(read_parts(folder), folder))
