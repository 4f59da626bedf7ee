"""Helpers for tests of the Shift tab's log: profiles to be logged, and a reader of the log."""

import json
from dataclasses import replace

import numpy as np
from numpy_reference import feature_table, summarise
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.profiles.labels import MAX_CLASSES, LabelSummary

FEATURES = 4


def numbers(x, labels=()):
    """Returns the profile of a table `(samples, columns)`."""
    names = [str(i) for i in range(x.shape[1])]
    summary = replace(summarise(x, layout="features"), features=feature_table(x, names))
    counts = np.bincount(np.asarray(labels, int), minlength=MAX_CLASSES)
    return InputProfile(
        {"input": summary}, labels=LabelSummary(len(labels), len(labels), counts, 1)
    )


def streams(rng, shift, num_features=FEATURES):
    """Returns profiles of training and of validation, whose column 1 is larger by `shift`."""
    found = {}
    for name, number in (("train", 400), ("validation", 200)):
        x = rng.normal(size=(number, num_features))
        if name == "validation":
            x[:, 1] += shift
        found[name] = numbers(x, rng.integers(0, 3, number))
    return found


def read_run(log_dir):
    """Reads the data that only the tab reads, as `{tag: (content, {step: value})}`."""
    found = {}
    for path in sorted((log_dir / "shiftguard").iterdir()):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                plugin = value.metadata.plugin_data
                if plugin.plugin_name == "shiftguard":
                    found.setdefault(value.tag, (json.loads(plugin.content or "{}"), {}))
                if value.tag in found:
                    array = tensor_util.make_ndarray(value.tensor)
                    point = array.item() if array.dtype == object else array
                    found[value.tag][1][event.step] = point
    return found
