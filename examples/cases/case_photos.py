"""The twenty photos, as raw files in class folders and as arrays from a correct pipeline."""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import photos


def raw_folder():
    """Returns a directory of the photos, with a folder for each class, named by its id."""
    folder = Path(tempfile.mkdtemp(prefix="shiftguard-case-"))
    for file in photos.imagenet_files():
        place = folder / file.stem.split("_")[-1]
        place.mkdir(exist_ok=True)
        shutil.copy(file, place)
    return folder


def right(convention):
    """Returns the photos as the network must get them, and their labels.

    The middle 87.5 % of each photo is resized to 224 x 224 pixels (bicubic), and converted to the
    given convention.
    """
    images, labels = photos.imagenet_photos()
    order = np.argsort([str(label) for label in labels], kind="stable")  # like class folders
    return convention.from_raw(images[order]), labels[order]


def answer(thread, question, report):
    """Prints question, thread and report, and checks that the rows add up to the gap."""
    print(f"{question}\n{thread}\n\n{report}\n")
    assert abs(sum(row.points for row in report.rows) - report.gap) < 1e-9
