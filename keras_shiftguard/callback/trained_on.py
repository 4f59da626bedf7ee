"""The profile of training after the corrections inside the fit, to attach to a saved model."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.instrument.measure import CHUNK, profile_of
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


def trained_on(
    profile: InputProfile, stream: Stream, diagnosis: Diagnosis | None, data_format: str
) -> InputProfile:
    """Returns the profile of what the model was trained on.

    The statistics of a stream are those of the data before any correction. An input that was
    corrected is therefore measured again, on the images that the stream has kept of its latest
    pass: at most `kept_samples.MAX_SAMPLES`, and fewer if the images are large.

    Args:
        profile: Profile of a pass over training, before any correction.
        stream: The stream of training.
        diagnosis: Diagnosis of the stream; None if there is none.
        data_format: Data format of the images.

    Raises:
        BadInputError: If an input has a mismatch that was not corrected, or if no whole samples
            of a corrected input were kept, for example only single frames of videos.
    """
    corrected = [name for name, each in stream.corrections.items() if each.is_on]
    for name in stream.kept_samples:
        found = None if diagnosis is None else diagnosis.by_input.get(name, diagnosis)
        if found is not None and found.status == "mismatch" and name not in corrected:
            raise BadInputError(
                "training was fed what the model does not expect. Apply the fix in the input "
                "pipeline, and train again."
            )
    if not corrected:
        return profile
    images, labels = stream.samples()
    size = len(images[corrected[0]])
    if not size or not all(stream.kept_samples[name].is_whole for name in corrected):
        raise BadInputError(
            "its input was corrected inside the fit, and no whole images were kept to measure "
            "after the correction. Apply the fix in the input pipeline, and train again."
        )

    def batches() -> Iterator[tuple[dict[str, Any], Any]]:
        for start in range(0, size, CHUNK):
            part = slice(start, start + CHUNK)
            fed = {name: stream.corrected(name, images[name][part]) for name in corrected}
            yield fed, None if labels is None else labels[part]

    measured = profile_of(batches(), data_format=data_format)
    result = replace(profile, inputs={**profile.inputs, **measured.inputs})
    if corrected[0] == next(iter(stream.sketches)):  # the input that `by_class` describes
        by_class = measured.labels.by_class
        result = replace(result, labels=replace(result.labels, by_class=by_class))
    if not profile.distinct_samples:
        return result
    return replace(result, distinct_samples=round(profile.distinct_share * result.num_samples))
