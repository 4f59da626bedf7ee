"""Sentences of a verdict on what batch norm, the trial and the structure say."""

from keras_shiftguard.preprocessing.case import Case
from keras_shiftguard.preprocessing.expected.batch_norm_reading import Reading
from keras_shiftguard.preprocessing.expected.hypotheses import STANDARDISED, Kind
from keras_shiftguard.preprocessing.expected.hypothesis_names import Suspicion, as_convention
from keras_shiftguard.preprocessing.limits import MIN_IMAGES, MIN_OK
from keras_shiftguard.preprocessing.posterior import Posterior


def without_fix_in_words(kind: Kind) -> str:
    """Returns the sentence on what may explain the images beside another convention."""
    if kind == STANDARDISED:
        return (
            "The training images seem to have been standardised one by one, as by "
            "tf.image.per_image_standardization. If so, do the same with these: "
            "x = (x - x.mean((1, 2, 3), keepdims=True)) / x.std((1, 2, 3), keepdims=True)."
        )
    if kind[1]:
        return "With dark and bright exchanged, the images fit as well: they may be negatives."
    return "The training images may have been paler than these, with larger numbers for a pixel."


def evidence_of(
    case: Case, reading: Reading, found: Posterior, suspicion: Suspicion
) -> tuple[str, ...]:
    """Returns the sentences on batch norm, the trial, the structure and the feed."""
    index = suspicion.index
    kind = reading.hypotheses[index].kind
    trial = found.trials.get(kind if kind != found.fed else found.rival)
    words = (trial.in_words(),) if trial is not None and kind != found.fed else ()
    published = case.structure.evidence if case.trusted else ()
    of_structure = case.structure.convention
    disagree = kind != (of_structure.mode, False) and found.probability[kind] > MIN_OK
    if case.trusted and disagree and reading.num_images >= MIN_IMAGES:
        text = (
            f"The structure and the weights disagree: {case.made_for(of_structure)}, but the batch "
            f"norm fits images in {as_convention(reading.hypotheses[index], 'unknown')} better."
        )
        published = (text, *published)
    return (
        batch_norm_in_words(reading, index, found),
        *words,
        *published,
        *case.observation.evidence,
    )


def batch_norm_in_words(reading: Reading, index: int, found: Posterior) -> str:
    """Returns a sentence that compares the misfits, with the probability."""
    choice = reading.hypotheses[index]
    misfit = reading.misfit(index)
    is_best = misfit <= reading.misfit(reading.best)
    fits = "fits best" if is_best else "is possible, though another fits better"
    changed = " with red and blue swapped" if choice.swap else ""
    changed += " with dark and bright exchanged" if choice.inverted else ""
    number = f"{reading.num_images} image{'s' if reading.num_images != 1 else ''}"
    kind = found.fed if choice.is_identity else choice.kind
    other = f"as fed {100 * found.of_fed:.0f} %"
    if kind == found.fed:
        mode = f"inverted {found.rival[0]}" if found.rival[1] else found.rival[0]
        other = f"{mode} {100 * found.of_rival:.0f} %"
    levels = ""
    if reading.is_levelled:
        levels = (
            "These images are unusually pale, dark, hazy or tinted, so they are compared with the "
            "levels of ordinary photos. "
        )
    return (
        f"{levels}The model's first batch-norm layers remember how its training images were "
        f"prepared: {as_convention(choice, 'unknown')}{changed} {fits} (probability "
        f"{100 * found.probability[kind]:.0f} %, {other}; misfit {misfit:.2f}, as fed "
        f"{reading.misfit(reading.as_fed):.2f}; {number})."
    )


def scaled_twice(case: Case) -> str:
    """Returns the sentence that images are scaled before the model and in it."""
    layers = " and ".join(repr(name) for name in case.structure.scaling[:2])
    where = f"in its layer {layers}" if layers else "by its own layers"
    return (
        f"The images are scaled twice: once before the model, and once {where}. Remove one of the "
        "two."
    )
