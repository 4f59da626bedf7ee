"""Injected faults of the log.

A fault changes neither the training nor what the log already holds. It gives one warning, or an
error if the log cannot be opened. Every test belongs to a row of docs/faults.md.
"""

import json
import os
import resource
import shutil

import pytest
from faults.fits import (
    After,
    X,
    new_model,
    numbers,
    opened_event_file,
    quiet,
    records,
    run,
    same,
    watched,
)

import keras_shiftguard as sg
from keras_shiftguard.log.resume import read_epoch_state

pytestmark = pytest.mark.eager

NOBODY = 65534


def check_log(log_dir, before, warned, weights, unwatched, guard, words="cannot write"):
    assert same(weights, unwatched)
    assert len(warned) == 1 and words in warned[0]
    assert guard.profiles["train"].num_samples == len(X)  # the guard kept measuring
    if before is not None:
        assert len(before) > 10 and records(log_dir)[: len(before)] == before
        assert json.loads((log_dir / "report.json").read_text())["shifted"] is False
        assert read_epoch_state(log_dir, 1)["passes"]["train"]["batches"] == 2


@pytest.mark.thorough
def test_no_file_may_grow(tmp_path, unwatched):
    """A limit on file sizes cuts off a record in the middle, as a full disk does."""
    before, (soft, hard) = [], resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit():
        before.extend(records(tmp_path))
        size = os.fstat(opened_event_file(tmp_path)).st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))

    guard = quiet(log_dir=tmp_path)
    try:
        weights, warned = watched(guard, After(limit))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    check_log(tmp_path, before, warned, weights, unwatched, guard)


def test_the_disk_is_full_from_the_start(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    model = new_model()
    start = numbers(model)
    try:
        with pytest.raises(sg.BadInputError, match="log_dir"):
            run(model, [quiet(log_dir=tmp_path)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert same(numbers(model)[: len(start)], start)


@pytest.mark.thorough
def test_the_log_directory_is_deleted(tmp_path, unwatched):
    log_dir = tmp_path / "logs"
    guard = quiet(log_dir=log_dir)
    weights, warned = watched(guard, After(lambda: shutil.rmtree(log_dir)))
    check_log(log_dir, None, warned, weights, unwatched, guard)
    assert not log_dir.exists()  # the guard does not create it again


@pytest.mark.thorough
def test_the_log_directory_becomes_read_only(tmp_path, unwatched):
    before = []

    def forbid():
        before.extend(records(tmp_path))
        tmp_path.chmod(0o555)
        if root:  # root can write in spite of the mode
            os.seteuid(NOBODY)

    root = os.geteuid() == 0
    guard = quiet(log_dir=tmp_path)
    try:
        weights, warned = watched(guard, After(forbid))
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o755)
    check_log(tmp_path, before, warned, weights, unwatched, guard)


@pytest.mark.thorough
def test_the_event_writer_dies(tmp_path, unwatched):
    before = []

    def die():
        before.extend(records(tmp_path))
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, opened_event_file(tmp_path))  # a pipe without a reader
        os.close(writer)

    guard = quiet(log_dir=tmp_path)
    weights, warned = watched(guard, After(die))
    check_log(tmp_path, before, warned, weights, unwatched, guard)
