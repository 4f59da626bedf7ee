"""Files that several threads, processes and containers write at the same time."""

import json
import os
import stat
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from keras_shiftguard import BadInputError, InputProfile, profile
from keras_shiftguard.io.json_files import write_json

PROGRAM = Path(__file__).with_name("shared_writers.py")
HOURS_AGO = time.time() - 2 * 3600


def network(value=0.0):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(64), layers.Dense(2)])
    model.layers[0].bias.assign(np.full(64, value))
    return model


def images(scale=1.0):
    return (np.random.default_rng(0).random((32, 8, 8, 3)) * scale).astype("float32")


@pytest.fixture
def saved(tmp_path):
    network().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def run(folder, *arguments):
    """Runs the program in a folder with a model and two profiles; returns what it found."""
    network().save(folder / "model.keras")
    for name, scale in {"a": 1.0, "b": 255.0}.items():
        profile(images(scale)).save(folder / name)
    command = [sys.executable, "-W", "ignore", str(PROGRAM), str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stdout, done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


LONG = pytest.mark.thorough


@pytest.mark.parametrize(
    ("kind", "writes"),
    [
        pytest.param("processes", 5, marks=LONG),
        pytest.param("threads", 5, marks=LONG),
        pytest.param("processes", 50, marks=LONG),
        pytest.param("processes-without-locks", 50, marks=LONG),
    ],
)
def test_what_eight_write_at_the_same_time_is_whole(tmp_path, kind, writes):
    found = run(tmp_path, kind, "--writes", str(writes))
    assert found["failed"] == 0 and found["damaged"] == [], found
    assert found["reads"] > 5 and found["last"] == "whole"
    assert found["hidden"] == []


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.thorough)])
def test_the_next_writer_cleans_up_after_killed_ones(tmp_path, kills):
    found = run(tmp_path, "processes", "--kills", str(kills))
    assert sum(found["left"]) > 0, "no kill came while a file was being written"
    assert found["after"] == [0] * kills


def test_a_writer_that_lives_loses_nothing(tmp_path):
    """A slow writer is overtaken by a quick one, which must not remove the slow one's file."""
    from keras_shiftguard.io.atomic_files import replacing

    target = tmp_path / "report.json"
    with replacing(target) as file:
        file.write(b'"slow"')
        (temporary,) = hidden(tmp_path)
        os.utime(tmp_path / temporary, (HOURS_AGO, HOURS_AGO))
        write_json(tmp_path, target.name, "quick")
        assert json.loads(target.read_text()) == "quick"
    assert json.loads(target.read_text()) == "slow"
    assert hidden(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        ".model.keras.71.tmp",  # of version 0.2
        ".model.keras.71.profile",
        "..model.keras.71.profile.71.tmp",
        ".model.keras.0123abcd-0123456789ab.tmp",  # of another machine
    ],
)
def test_a_writer_who_cannot_be_seen_has_an_hour(saved, name):
    temporary = saved.with_name(name)
    temporary.write_bytes(b"PK")
    profile(images()).attach(saved)
    assert temporary.exists()
    os.utime(temporary, (HOURS_AGO, HOURS_AGO))
    profile(images()).attach(saved)
    assert hidden(saved.parent) == []


def test_files_that_only_look_alike_are_left_alone(tmp_path):
    others = [
        ".report.json.tmp",
        ".report.json.old.tmp",
        ".other.json.71.tmp",
        "report.json.71.tmp",
    ]
    for name in others:
        (tmp_path / name).write_text("mine")
        os.utime(tmp_path / name, (HOURS_AGO, HOURS_AGO))
    (tmp_path / ".report.json.72.tmp").symlink_to("report.json.7.tmp")
    write_json(tmp_path, "report.json", {})
    assert {*others, "report.json"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_a_file_keeps_its_permissions(tmp_path):
    path = write_json(tmp_path, "report.json", {})
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    path.chmod(0o640)
    write_json(tmp_path, "report.json", {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_model_that_keras_saves_meanwhile_keeps_its_new_weights(saved, monkeypatch):
    fsync, saves = os.fsync, []

    def slow_fsync(file):
        if not saves:
            saves.append(network(7.0).save(saved))
        fsync(file)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    profile(images()).attach(saved)
    assert saves
    assert (
        keras.ops.convert_to_numpy(keras.saving.load_model(saved).layers[0].bias).tolist()
        == [7.0] * 64
    )
    assert InputProfile.load(saved).num_samples == 32
    assert hidden(saved.parent) == []


def test_a_model_that_is_half_saved_is_waited_for(saved):
    content = saved.read_bytes()
    saved.write_bytes(content[: len(content) // 2])

    def save_the_rest():
        time.sleep(0.05)
        with saved.open("ab") as file:
            file.write(content[len(content) // 2 :])

    training, rest = profile(images()), threading.Thread(target=save_the_rest)
    rest.start()
    training.attach(saved)
    rest.join()
    with zipfile.ZipFile(saved) as archive:
        assert archive.testzip() is None
    assert InputProfile.load(saved).num_samples == 32


def test_half_a_model_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(BadInputError, match="is no saved model"):
        profile(images()).attach(saved)
    assert hidden(saved.parent) == []
