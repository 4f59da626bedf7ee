"""Numbers that several checks share: how many images they need, and what is sure."""

# With fewer images, batch norm and the images themselves are no evidence; with fewer distinct
# images, the trial and the extremes of the values are none. The trial looks at the first images,
# and at all of them if those leave it open. Conventions.
MIN_IMAGES, MIN_TRIAL_IMAGES, FIRST_IMAGES, MAX_TRIAL_IMAGES = 4, 8, 16, 32
# Smallest probability of what is probable, and of what is sure by itself. A convention, checked in
# docs/benchmarks/preprocessing-verdicts.md.
MIN_OK, MIN_MISMATCH = 0.7, 0.9
MOST = 0.9  # so large a share of images, values or gray levels is nearly all. A convention.
# A quarter of 0..255: images with darker and brighter values than the middle half are ordinary, and
# filters or augmentation take single values out of the range by no more. A convention.
QUARTER = 64.0
MIN_SPAN = 16.0  # gray levels; noise and compression alone fill a smaller span. A convention.
SMALL = 64  # the side of small images, in pixels. A convention.
