"""Verdicts on facts that no experiment is needed for: losses that are no number, a leak."""

from keras_shiftguard.detection.verdicts.parts import ACT, LOOK, parts_of

NAN_LOSS = parts_of(
    ACT,
    "The loss of training is not a number, so the model learns nothing.",
    step="Look for missing values with np.isfinite(x); if there are none, lower the learning rate.",
    about=("training", "training"),
)
NAN_VALIDATION = parts_of(
    ACT,
    "The loss of validation is no number although its inputs are: predictions or labels are NaN.",
    step="Look with np.isfinite(model.predict(x_val)): which layer takes a logarithm or divides?",
    about=("validation", "validation"),
)
LEAK = parts_of(
    LOOK,
    "Samples of validation stand in training as well, so accuracy on validation is too high.",
    step="Split the data before samples are copied, and keep each one in a single part.",
    streams=("validation", "train"),
)
