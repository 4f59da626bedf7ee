"""`explain_gap`: splits the accuracy gap of a classifier into causes that add up."""

from typing import Any

import numpy as np

from keras_shiftguard.account.report import GapReport
from keras_shiftguard.errors import BadInputError
from keras_shiftguard.explain.account_of import account_of
from keras_shiftguard.explain.model_facts import read_model_facts
from keras_shiftguard.explain.reference import resolve_reference
from keras_shiftguard.explain.samples import Samples, read_samples


def explain_gap(
    model: Any,
    data: Any,
    reference: Any = None,
    groups: Any = None,
    max_samples: int | None = None,
) -> GapReport:
    """Explains why a classifier is less accurate on `data` than it should be.

    The account is that of `guard.gap`, against a reference that you name: causes compete, each is
    undone on samples that did not choose it, and what nothing undoes is left as the rest. The rows
    add up to the gap. The model is not changed.

    Args:
        model: A built `keras.Model` that classifies.
        data: The evaluation set, exactly as the model is fed it.
            - `(x, y)`, or anything that `fit` takes with labels. The data is read once and held in
              memory. If the data is larger than 2 GiB, only an evenly spread part of it is held.
              From a generator, at most 10,000 samples are read by default.
            - A directory of raw images in class folders. The images are read as
              `keras.utils.image_dataset_from_directory` reads them: stretched bilinearly to the
              native size of the model, with channels R, G, B from 0 to 255.
            - `(directory, pipeline)`: raw images and their preprocessing, so that
              resolution, crop and resizing filter can be checked. The pipeline is either a
              function of one raw image `(height, width, channels)`, uint8, that returns the image
              as fed, or data that contains the files of the directory in order, as
              `image_dataset_from_directory(shuffle=False)` does.

        reference: The accuracy to compare with, or the data on which this accuracy is measured.
            - Labelled data, in the forms of `data`: another data set, or the same one with another
              pipeline.
            - A profile, or its path, made with `profile((x, y), model=model)`.
            - A number, such as 0.76.
            - `"published"`: the published accuracy of a network of `keras.applications`
              with its ImageNet classes.

            Defaults to `"published"` if there is a published accuracy, else to the same data
            with all removable causes removed.
        groups: Number or name of the group of each sample of `data`, if samples of one group
            depend on each other: the clip of a frame, the patient of a tile. The intervals are then
            those of so many groups. For a generator, `groups` needs entries only up to the last
            sample that is read.
        max_samples: Largest number of samples to evaluate. The samples are evenly spread over the
            data; from a generator, the first samples are taken.

    Returns:
        A `GapReport`; `print` it.

    Raises:
        BadInputError: if `model` is not a classifier, the data has no labels or does not fit it,
            the reference has no accuracy, `groups` does not have one entry for each sample, or
            `max_samples` is not a positive integer.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(400) % 2
    >>> x = rng.normal(2.0 * y[:, None] - 1.0, 0.5, (400, 3)).astype("float32")
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    >>> model.layers[0].set_weights([np.ones((3, 1)), np.zeros(1)])
    >>> report = explain_gap(model, (x, y), reference=(x, y))
    >>> report.is_sure, report.rest.kind
    (False, 'unexplained')

    Reference: Oaxaca, "Male-female wage differentials in urban labor markets", 1973.
    """
    is_number = isinstance(max_samples, (int, np.integer)) and not isinstance(max_samples, bool)
    if max_samples is not None and not (is_number and max_samples >= 1):
        raise BadInputError(
            f"`max_samples` must be a positive integer, or None. Received: {max_samples!r}"
        )
    facts = read_model_facts(model)
    resolved = resolve_reference(reference, model, facts, max_samples)
    samples = read_samples(data, facts, resolved.size(facts.channels_first), max_samples)
    if samples.labels is None:
        raise BadInputError(
            "An account needs labels: pass (x, y). Without labels, "
            "`estimate_accuracy(model, data, reference)` estimates the accuracy."
        )
    numbers = _group_numbers(groups, samples)
    share = None if numbers is None else (int(numbers.max()) + 1) / len(numbers)
    return account_of(model, samples, facts, resolved, share)


def _group_numbers(groups: Any, samples: Samples) -> np.ndarray | None:
    """Returns the number of each sample's group, `(samples,)`; None without groups.

    If reading the samples stopped at a limit, `groups` may have entries for further samples.

    Raises:
        BadInputError: if `groups` does not have one entry for each sample of the data.
    """
    if groups is None:
        return None
    ids = np.asarray(groups).reshape(-1)
    kept = np.arange(len(samples)) if samples.kept is None else samples.kept
    fits = len(ids) > kept[-1] if samples.is_cut else len(ids) == samples.total
    if not fits:
        raise BadInputError(
            f"`groups` needs one entry for each sample of `data`. Received: {len(ids)} entries "
            f"for {samples.total:,} samples."
        )
    return np.unique(ids[kept], return_inverse=True)[1].reshape(-1)
