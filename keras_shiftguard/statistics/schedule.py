"""The rule that selects the steps and samples to measure; it never depends on time.

A pass is one run over the data of a stream, such as the training data of an epoch. At every step,
the samples and labels are counted, and the samples are added to the fingerprint of the pass. All
other statistics are measured at every k-th step, spread evenly over the pass, since the samples of
a pass may be sorted.
"""

# Features and embeddings are measured on about SAMPLES_PER_PASS samples of a pass. This bounds the
# cost of a pass. The mean of 4,096 samples has a standard error of 1.6 % of the standard deviation;
# finer differences are negligible. The first pass of a stream is measured whole up to this number
# of samples. Later passes, and passes of unknown length, are measured on at most ROWS samples of a
# measured step. This bounds the cost of a step. Conventions.
ROWS = 32
SAMPLES_PER_PASS = 4096
# A stream that repeats its samples brings no new evidence after its first pass. So in later passes,
# the number of measured steps is smaller by this factor. The fingerprint of a pass shows whether
# the samples have changed. If they have, the measured steps of this pass show only large changes,
# and the next pass is measured at as many steps as the first pass; its profile then takes the place
# of that of the pass that changed. A convention.
REPEATED = 4


def stride_for(steps: int | None, batch_size: int | None = None, repeats: bool = False) -> int:
    """Returns the stride between measured steps, so that a pass is sampled evenly.

    Args:
        steps: Number of steps of the pass. None if unknown; every step is then measured. In a fit
            this happens in the first pass of a stream at most.
        batch_size: Number of samples of a step. If None, at least `ROWS` are assumed.
        repeats: Whether the latest passes went over the same samples.

    Example:

    >>> stride_for(390, 128), stride_for(60, 128), stride_for(None)
    (3, 1, 1)
    >>> stride_for(390, 128, repeats=True), stride_for(60, 128, repeats=True)
    (12, 4)
    """
    measured = min(batch_size or ROWS, ROWS)
    stride = max(1, (steps or 0) * measured // SAMPLES_PER_PASS)
    return stride * REPEATED if repeats else stride


def samples_per_step(steps: int | None, stride: int, is_first: bool) -> int:
    """Returns the largest number of samples of a measured step whose attributes are measured.

    Example:

    >>> samples_per_step(10, 1, is_first=True), samples_per_step(10, 1, is_first=False)
    (409, 32)
    """
    if not is_first or not steps:
        return ROWS
    return max(ROWS, SAMPLES_PER_PASS // -(-steps // stride))
