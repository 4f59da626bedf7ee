"""Writer of JSON files. Each file is replaced as a whole, and NaN becomes null."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from keras_shiftguard.io.atomic_files import replace_file


def write_json(log_dir: str | PathLike[str], name: str, payload: Any) -> Path:
    """Writes `plain(payload)` as a JSON file, see `replace_file`; returns its path."""
    text = json.dumps(plain(payload), indent=2, allow_nan=False) + "\n"
    return replace_file(Path(log_dir) / name, text)


def plain(value: Any) -> Any:
    """Returns a value converted to types that JSON has.

    NumPy numbers and arrays become Python numbers and lists. NaN and infinity become
    None, because JSON has neither.
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
