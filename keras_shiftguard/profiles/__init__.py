"""Profiles of streams of data: mergeable summaries of inputs, labels and outputs, in NumPy.

An `InputProfile` holds one `InputSummary` for each input tensor, a summary of the labels and,
if a model was run, a summary of its outputs. Summaries can be added: the sum of two is the
summary that a single pass over both parts would give. Histogram bins, random directions and
kernel bandwidths are fixed and never depend on the data, so any two summaries can be compared.
"""

from keras_shiftguard.profiles.embedding import MeanEmbedding
from keras_shiftguard.profiles.features import FeatureTable
from keras_shiftguard.profiles.grid import (
    BINS_PER_SIGN,
    LOG_GAMMA,
    NUM_BINS,
    RELATIVE_ACCURACY,
    SMALLEST,
    bin_edges,
    bin_values,
)
from keras_shiftguard.profiles.labels import LabelSummary
from keras_shiftguard.profiles.moments import Moments
from keras_shiftguard.profiles.outputs import OutputSummary
from keras_shiftguard.profiles.profile import InputProfile
from keras_shiftguard.profiles.summary import InputSummary

__all__ = [
    "BINS_PER_SIGN",
    "LOG_GAMMA",
    "NUM_BINS",
    "RELATIVE_ACCURACY",
    "SMALLEST",
    "FeatureTable",
    "InputProfile",
    "InputSummary",
    "LabelSummary",
    "MeanEmbedding",
    "Moments",
    "OutputSummary",
    "bin_edges",
    "bin_values",
]
