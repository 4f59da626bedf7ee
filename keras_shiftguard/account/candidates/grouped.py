"""The candidates for one input, in the groups in which an experiment tries them."""

from keras_shiftguard.account.candidates.candidates import (
    Candidate,
    image_candidates,
    input_candidates,
    nearing,
    wrapped_candidates,
)
from keras_shiftguard.account.candidates.code_candidates import code_candidates, text_candidates
from keras_shiftguard.account.candidates.kinds import are_texts, scale_of
from keras_shiftguard.account.candidates.table_candidates import table_candidates
from keras_shiftguard.account.candidates.targets import are_inputs, with_masks, with_targets
from keras_shiftguard.account.labelled import Labelled
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.rows import Rows


def grouped_candidates(
    current: Labelled, training: Labelled | None, spec: InputSpec, may_be_augmented: bool
) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
    """Returns the candidates, those for all columns at once, and those that nothing shows.

    `current` are samples of validation, and `training` those of training.
    """
    known = training if training is not None and len(training.labels) else None
    if spec.layout == "features":
        found = [] if known is None else _of_rows(current, known, spec)
    else:
        found = _of_images(current, known, spec, may_be_augmented)
    if are_inputs(current.images, current.labels):
        found = with_targets(found, current.input(spec.name), spec.name)
    if isinstance(current.images, Rows):
        found = [candidate.of_input(spec.name) for candidate in found]
        others = None if training is None else training.images
        found += input_candidates(current.images, others, spec.name)
    several = [each for each in found if each.choice.name in ("units", "refills")]
    guesses = [each for each in found if each.rival or each.choice.name == "blank"]
    rest = [each for each in found if each not in several and each not in guesses]
    return rest, several, guesses


def _of_rows(current: Labelled, known: Labelled, spec: InputSpec) -> list[Candidate]:
    x, rows = current.input(spec.name), known.input(spec.name)
    found = text_candidates(x, rows) if are_texts(spec, x) else table_candidates(x, rows)
    return [*found, *(code_candidates(x, rows) if not spec.series else ())]


def _of_images(
    current: Labelled, known: Labelled | None, spec: InputSpec, may_be_augmented: bool
) -> list[Candidate]:
    # What overflows loses information, so it undoes nothing.
    left_out = ("overflow", "zoom_in") if may_be_augmented else ("overflow",)
    x, scale = (
        current.input(spec.name),
        scale_of(current.input(spec.name), None if known is None else known.input(spec.name), spec),
    )
    found = image_candidates(scale)
    if known is not None:
        rows = known.input(spec.name)
        found = nearing(found, x, rows)
        found += wrapped_candidates(scale, x, rows)
    if not are_inputs(current.images, current.labels):
        found = with_masks(found, x, current.labels, spec.layout == "channels_first")
    return [candidate for candidate in found if candidate.choice.name not in left_out]
