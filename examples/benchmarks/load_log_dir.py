"""What the benchmark `load.py` does to a log directory, and what it reads there."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.log.resume import read_state

NOBODY = 65534


@contextmanager
def small_disk(place):
    """Mounts a new file system of 2 MiB; yields False if this needs root and is not allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    is_mounted = shutil.which("mount") and not subprocess.run(mount, capture_output=True).returncode
    try:
        yield bool(is_mounted)
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(log_dir):
    """Writes a file until the disk is full."""
    with suppress(OSError), (log_dir.parent / "filling").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def forbid(log_dir):
    """Makes the directory read-only; root, who can write in spite of that, becomes nobody."""
    log_dir.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)


def give_back(log_dir):
    """Makes the process root again, if `forbid` has changed that, and the directory writable."""
    if os.geteuid() != os.getuid():
        os.seteuid(os.getuid())
    if log_dir.exists():
        log_dir.chmod(0o755)


FAULTS = {
    "the disk becomes full": fill,
    "the directory is deleted": shutil.rmtree,
    "the directory becomes read-only": forbid,
}


def whole_records(log_dir):
    """Returns every complete record of all event files."""
    # Imported late because it imports TensorFlow, if that is installed.
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

    files = sorted(Path(log_dir, "shiftguard").glob("events.out.tfevents.*"))
    return [record for file in files for record in RawEventFileLoader(str(file)).Load()]


def broken_files(log_dir):
    """Returns the JSON files and state files that cannot be read, and temporary files."""
    broken = []
    for path in Path(log_dir).iterdir():
        try:
            if path.name.startswith("."):
                broken.append(path.name)
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".npz":
                read_state(path)
            elif path.suffix == ".html" and not path.read_text().rstrip().endswith("</html>"):
                broken.append(path.name)
        except FileNotFoundError:
            pass  # replaced by a newer one since the directory was listed
        except (OSError, ValueError, BadInputError):
            broken.append(path.name)
    return broken
