"""The finished numbers of a stream. NumPy only.

An `InputProfile` holds one `InputSummary` for each input tensor, the labels and,
if a model was asked, its outputs. Summaries are sums in disguise: two made apart
add up to the one that a single pass would have made. Bins, directions and
bandwidths are fixed, never taken from the data, so any two of them compare.
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
