"""Recognition of larger validation images, of which those of training may be crops."""

from keras_shiftguard.profiles import InputProfile


def are_larger(training: InputProfile, validation: InputProfile) -> bool:
    """Whether all images of validation are larger than those of training, in each input."""
    before, now = training.inputs, validation.inputs
    images = [name for name in before.keys() & now.keys() if now[name].is_image]
    return bool(images) and all(
        min(now[name].smallest_size) >= max(before[name].largest_size) for name in images
    )
