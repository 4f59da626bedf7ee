"""What the guard does in a run, and when: functions of a `Run`, one for each moment of Keras."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from keras_shiftguard.callback.repair import log_alignment
from keras_shiftguard.callback.runs.run import Run
from keras_shiftguard.callback.runs.run_comparison import compare
from keras_shiftguard.callback.runs.run_verdict import last_words, tell
from keras_shiftguard.instrument.keras_private import validation_steps
from keras_shiftguard.instrument.undisturbed import undisturbed


def start_epoch(run: Run, epoch: int) -> None:
    """Starts a pass over training; epochs count from 0."""
    run.epoch = epoch
    run.gap.start_epoch()
    start_pass(run, "train")


def start_validation(run: Run) -> None:
    """Starts a pass over validation."""
    # Other callbacks may have called `model.evaluate` since the last validation. The batches of
    # that call are not part of this validation.
    start_pass(run, "validation")
    if run.measurement.target_outputs is not None:
        run.measurement.target_outputs.restart()
    run.correct_validation()


def start_pass(run: Run, name: str) -> None:
    """Starts a pass over the stream with this name."""
    stream, steps = run.stream(name), None
    if name == run.kind:
        steps = (run.run_key or {}).get("steps")
    elif name == "validation":
        steps = validation_steps(run.model)
    run.passes.counters[name].start(stream, steps)
    # The diagnosis needs many samples from the first batches.
    stream.measures_every_step = not run.preprocessing.is_settled(name)


def count(run: Run, name: str, batch: int) -> None:
    """Counts the batches of a pass; checks the preprocessing and writes profiles when due."""
    run.measurement.end_batch()
    counter = run.passes.counters[name]
    if batch <= counter.position:  # threads of Keras may end batches in another order
        return
    counter.advance(batch)
    if run.measurement.has_failed:
        return
    must_check = run.preprocessing.is_due(name, counter.batches)
    writes_by_batches = isinstance(run.update_freq, int) and name == "train"
    must_write = writes_by_batches and counter.crossed(int(run.update_freq))
    if not (must_check or must_write or counter.must_drain):
        return
    run.passes.drain(run.stream(name))
    if must_check and _check_preprocessing(run, name):
        run.stream(name).measures_every_step = False
    if must_write:
        _write_profiles(run)


def finish_epoch(run: Run, epoch: int, logs: dict[str, Any] | None) -> str:
    """Compares the streams after an epoch (from 0), adds to `logs`, and updates the augmentation.

    Returns the changes of the augmentation as text. After the first epoch, the text also says
    whether augmentation is likely to help.
    """
    if not run.measurement.has_failed:
        _finish_pass(run, "train")
    if run.measurement.has_failed:
        run.log.write_curves(epoch, logs or {})
        return ""
    compare(run, epoch + 1, logs)
    profiles, wanted = run.passes.profiles, run.passes.wanted
    lines = []
    if wanted is not None:
        lines = [run.repair.augment(profiles["train"], wanted, run.log, run.epoch)]
        if epoch == 0:
            lines.insert(0, run.repair.expect(run.shift.report, profiles, run.log, epoch))
    tell(run)
    log_alignment(run.model, run.log, run.epoch, logs or {})
    return "\n".join(line for line in lines if line)


def save_epoch(run: Run) -> None:
    """Writes the profiles, and the state from which the next epoch can resume, to the log."""
    _write_profiles(run)
    if run.log.log_dir is not None:
        run.log.write_epoch_state(run.epoch + 1, run.state())


def finish_validation(run: Run, logs: dict[str, Any] | None) -> str:
    """Finishes a validation pass; returns the verdict, or "" in a fit or after a failure."""
    if run.training and not run.measurement.has_failed:
        _finish_pass(run, "validation")
    return "" if run.training else finish_alone(run, "validation", logs)


def finish_alone(run: Run, name: str, losses: Mapping[str, Any] | None = None) -> str:
    """Finishes an evaluation or a prediction; returns the verdict, or "" after a failure."""
    if not run.measurement.has_failed:
        _finish_pass(run, name)
    if run.measurement.has_failed:
        return ""
    compare(run, None, None, losses)
    _write_profiles(run)
    return last_words(run)


def _finish_pass(run: Run, name: str) -> None:
    other = {"train": "validation", "validation": "train"}.get(name)
    other = other if run.training else None
    run.passes.finish(run.stream(name), None if other is None else run.stream(other))
    if not run.preprocessing.is_settled(name):
        _check_preprocessing(run, name, final=True)


def _write_profiles(run: Run) -> None:
    step = run.epoch + 1 if run.update_freq == "epoch" else run.passes.num_batches
    run.log.write_profiles(run.passes.profiles, step)


def _check_preprocessing(run: Run, name: str, final: bool = False) -> bool:
    """Diagnoses a stream; acts on a final diagnosis, and then returns True."""
    watch, stream = run.preprocessing, run.stream(name)
    if stream.kept_samples:  # without images, the check does not run the model
        run.measurement.sync()
    with undisturbed(run.model) if stream.kept_samples else nullcontext():
        is_final = watch.check(run.model, stream, run.passes.counters[name].batches, final)
    if not is_final:
        return False
    content = {each: diagnosis.to_dict() for each, diagnosis in watch.diagnoses.items()}
    tell(run)
    run.log.write_diagnosis(name, str(watch.diagnoses[name]), content, run.epoch)
    watch.act(stream)
    if name in watch.corrected:
        run.since_corrected.setdefault(name, run.epoch + 1)
        tell(run)
        run.log.write_correction(name, run.epoch)
    return True
