"""JSON that others read while it is written: whole files, and no value that is not JSON."""

import json
import os
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np


def write_json(log_dir: str | PathLike[str], name: str, payload: Any) -> Path:
    """Writes `<log_dir>/<name>` so that a reader sees the old or the new file.

    Args:
        log_dir: Directory; created if it does not exist.
        name: File name, such as `"diagnosis.json"`.
        payload: Plain values. NumPy numbers and arrays are converted; what is
            not finite becomes null, which every JSON reader accepts.

    Returns:
        The path written.
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
    """Plain values only, for JSON: no NumPy, and null for what is not finite."""
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
