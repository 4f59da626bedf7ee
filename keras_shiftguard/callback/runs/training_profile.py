"""The profile of training for the user, and to attach to a saved model."""

from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from typing import Any

from keras_shiftguard.callback.runs.run import Run
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.instrument.measure import CHUNK, profile_of
from keras_shiftguard.instrument.model_inputs import image_data_format
from keras_shiftguard.instrument.steps.processes import is_first_process
from keras_shiftguard.preprocessing.diagnosis import Diagnosis
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.stream import Stream


def marked_profiles(run: Run) -> dict[str, InputProfile]:
    """Returns the profiles for the user; that of training remembers whether it is augmented.

    If the input of training is a mismatch, `InputProfile.attach` refuses the profile, because it
    describes the images before a correction.
    """
    profiles = run.passes.profiles
    if run.kind != "train" or "train" not in profiles:
        return profiles
    train = _augmented(run, profiles["train"])
    if run.diagnosis is not None and run.diagnosis.status == "mismatch":
        state = "Training was fed what the model does not expect"
        way_out = "Apply the fix in the input pipeline and train again"
        if "train" in run.preprocessing.corrected:
            state = "This profile describes the images before they were corrected inside the fit"
            way_out = "Use ShiftGuard(attach_to=path)"
        refusal = (
            f"{state}, so the profile is not attached. {way_out}, or attach the profile to the "
            "saved file of `guard.diagnosis.apply(model)`."
        )
        train = replace(train, refusal=refusal)
    return {**profiles, "train": train}


def attach_profile(run: Run, path: str | PathLike[str]) -> str:
    """Attaches the profile of training to a saved model; returns a message for the user.

    The attached profile describes the input that the model was trained on, so it is measured
    after a correction. No profile is attached if a mismatch was not corrected, or if it was
    corrected in fewer than half of the batches: the profile would state the wrong preprocessing
    to the users of the model.
    """
    if not is_first_process():
        return ""
    why = _why_not(run)
    if not why:
        data_format = image_data_format(run.model)
        try:
            profile = _trained_on(
                run.passes.profiles["train"], run.stream("train"), run.diagnosis, data_format
            )
            _augmented(run, profile).attach(path)
        except (BadInputError, OSError) as error:
            why = str(error)
    if why:
        warn(f"ShiftGuard attached no profile to {path}: {why}")
        return ""
    is_corrected = "train" in run.preprocessing.corrected
    after = " after the correction" if is_corrected else ""
    line = f"The profile of training{after} is attached to {path}."
    if run.shift.is_augmented:
        is_unchanged = "validation" in run.passes.profiles and not run.preprocessing.corrected
        such_as = ", such as `guard.profiles['validation']`" if is_unchanged else ""
        line += (
            " Training was augmented, so other data differ from this profile: compare them "
            f"with a profile of data without augmentation{such_as}."
        )
    return line


def _augmented(run: Run, profile: InputProfile) -> InputProfile:
    return replace(profile, augmented=bool(run.shift.is_augmented))


def _why_not(run: Run) -> str:
    """Returns why the run has no profile to attach; "" if it has one."""
    if "train" not in run.passes.profiles:  # a resumed fit that has no epoch left
        return "this fit has trained no epoch."
    number = run.passes.num_batches
    corrected = number - run.preprocessing.uncorrected_batches("train")
    if 2 * corrected < number:
        return (
            f"only {corrected} of {number} batches were corrected. Apply the fix in the input "
            "pipeline, and train again."
        )
    return ""


def _trained_on(
    profile: InputProfile, stream: Stream, diagnosis: Diagnosis | None, data_format: str
) -> InputProfile:
    """Returns the profile of what the model was trained on.

    The statistics of a stream are those of the data before any correction. An input that was
    corrected is therefore measured again, on the images that the stream has kept of its latest
    pass: at most `kept_samples.MAX_SAMPLES`, and fewer if the images are large.
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
