"""The log format of the Shift tab: the names, columns and limits that writer and reader share.

`keras_shiftguard.log` writes this format and the files of this package read it. Both packages
import the constants from this file, so that neither package can change a constant alone.
TensorBoard imports this file at every start, so it must not import anything itself.
"""

PLUGIN_NAME = "shiftguard"  # the name under which TensorBoard knows the plugin
RUN_NAME = PLUGIN_NAME  # the subdirectory of `log_dir` that the events are written to
# Versions of the format, and of a gap table. A reader refuses data of another version.
SCHEMA = 1
GAP_SCHEMA = 1

# Logs of version 0.1 lack these fields of the state, so a reader must not require them:
#   tolerance  the share of accuracy that a difference may cost; null if every significant
#              difference is an alarm
#   worth      whether adaptation is worth it, see `Worth` in `keras_shiftguard`
#   columns    names of the columns of tables, by the first part of the names of features
# They also lack `until` of a finding: the last epoch in which the streams differed; null while the
# difference lasts.

# Tags.
TAG_PREFIX = "shiftguard/"
STATE_TAG = f"{TAG_PREFIX}state"
GAP_TAG = f"{TAG_PREFIX}gap"
CURVES_TAG = f"{TAG_PREFIX}curves"  # what Keras logged at each epoch, such as accuracy
REPAIRED = "val_{} repaired"  # among the curves: a metric of validation with the repair
ADAPTATION_PREFIX = f"{TAG_PREFIX}adaptation/"  # scalars, such as the strength of an operation
# The tag of those numbers of an adaptation that are too many for the Scalars tab. Each point maps
# names such as `shift_before/brightness` to numbers. Logs of version 0.1 hold these numbers as
# scalars. `TAB_ONLY` has their kinds: how far training is from the target in each attribute,
# without augmentation and with it, and the estimated share of each class.
ADAPTATION_TAG = f"{TAG_PREFIX}adaptation"
GAP_KINDS = ("shift_before", "shift")
TAB_ONLY = (*GAP_KINDS, "class_frequency")
# The states of a verdict, the most urgent first, as headings.
STATE_WORDS = {
    "act": "Act",
    "look": "Look",
    "corrected": "Corrected",
    "fine": "Fine",
    "nothing compared": "Nothing compared",
}
# What images in each named convention hold.
MODES_IN_WORDS = {
    "raw": "0 to 255",
    "unit": "0 to 1",
    "tf": "-1 to 1",
    "torch": "ImageNet-normalised pixels",
    "caffe": "0 to 255 minus ImageNet's mean",
}
# The kinds of numeric series. In a tag the kind follows `TAG_PREFIX`.
SCORES, HISTOGRAMS, CLASSES = "scores", "histograms", "classes"
# The stream that later epochs are compared with when there is no other reference.
FIRST_EPOCH = "the first epoch"

# Columns of a score tensor, which has a row for each feature: the effect size, the ends of its
# interval, the decimal logarithm of the p-value, and flags. `CURRENT` and `REFERENCE` are the
# mean and the standard deviation in each of the two streams. `COST` is the share of accuracy that
# the finding costs. Logs of version 0.1 lack this column; a reader then treats costs as unknown.
EFFECT, LOWER, UPPER, LOG10_P, FLAGS = range(5)
CURRENT, REFERENCE = slice(5, 7), slice(7, 9)
COST = 9
NUM_COLUMNS = 10
NUM_COLUMNS_WITHOUT_COST = 9
# Bits of the column `FLAGS`. `ALARM`: the shift is an alarm (`Finding.matters`), not expected, and
# still lasts. `EXPECTED`: the difference is intended, or acknowledged. `NEGLIGIBLE`: the effect is
# too small to matter. `REPORTED`: the report has a sentence on the feature. A feature with `ALARM`
# but not `REPORTED` has the same cause as a reported feature, and is no finding of its own.
ALARM, EXPECTED, NEGLIGIBLE, REPORTED = 1, 2, 4, 8

# The pictures that `ShiftGuard(log_samples=...)` writes: their folder beside the event file, the
# list of pictures in this folder, the version of this list, and the path of one picture. Epochs are
# counted from 1. Rows of the list, and pictures in a row, are counted from 0.
PICTURES, PICTURE_LIST = "samples", "index.json"
PICTURE_SCHEMA = 1
PICTURE_FILE = "epoch-{epoch}/{row}-{number}.png"

# A gap to the target below this, in standard deviations between samples, counts as closed.
CLOSED = 0.5

SHARE_SCALE = 32767  # a share of 1 in a histogram, which holds shares of samples as int16

# Limits. The reader rejects or cuts what is larger.
MAX_FEATURES = 1000  # of a pair of streams
MAX_HISTOGRAMS = 64  # in a tag
MAX_BINS = 64  # in a histogram
MAX_CLASSES = 64  # of a feature; the rare ones together count as one
MAX_STREAMS = 16  # in a run
MAX_FINDINGS = 20  # in the report
MAX_NAME = 200  # characters of a name
MAX_CURVES = 32  # numbers of one epoch, such as accuracy and loss
MAX_ADAPTATION = 256  # numbers of one epoch of an adaptation
MAX_SENTENCE = 2000  # characters of a text
MAX_JSON_BYTES = 65_536  # of a state, or of a gap table
MAX_PICTURE_EPOCHS = 8  # the latest epochs, whose pictures are shown
MAX_PICTURE_ROWS = 64  # of an epoch: one for each kind of pictures of each input and stream
MAX_PICTURES = 64  # in a row
MAX_PICTURE_BYTES = 65_536  # of a picture; the pixels of the largest take 12,288 bytes
MAX_PICTURE_LIST_BYTES = 2_000_000
MAX_CONTENT_BYTES = 262_144  # of the description of a tag; 1,000 usual names take 40 KB
