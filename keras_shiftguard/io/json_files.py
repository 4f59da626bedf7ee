"""Writer of JSON files. A file is replaced as a whole, and holds only valid JSON."""

import json
import os
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np


def write_json(log_dir: str | PathLike[str], name: str, payload: Any) -> Path:
    """Writes a JSON file. A concurrent reader sees the complete old or the complete new file.

    Args:
        log_dir: The directory of the file. It is created if it does not exist.
        name: The name of the file, such as `"diagnosis.json"`.
        payload: The content, which is converted by `plain`.

    Returns:
        The path of the file.
    """
    directory = Path(log_dir)
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plain(payload), indent=2, allow_nan=False) + "\n"
    path = directory / name
    temporary = directory / f".{name}.{os.getpid()}.tmp"
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


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
