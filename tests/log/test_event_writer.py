"""Event files are written without TensorFlow, and read back with TensorBoard's own reader."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy_reference import profile
from own_process import run_python
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.util import tensor_util

from keras_shiftguard.errors import BadInputError
from keras_shiftguard.io.json_files import write_json
from keras_shiftguard.log.event_writer import MAX_BUCKETS, EventWriter, histogram_buckets
from keras_shiftguard.profiles import InputProfile, InputSummary

STEPS = 3


IMAGES = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3))


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    """The log of three steps of a drifting stream."""
    path = tmp_path_factory.mktemp("log")
    with EventWriter(path) as writer:
        for step in range(STEPS):
            seen = profile(IMAGES / 255 + step).with_values({"my_metric": step / 4})
            writer.write_profile("train", seen, step)
            writer.write_scalar("shiftguard/shift", step / 10, step)
        writer.write_text("shiftguard/verdict", "# first line\nsecond line", 0)
    return path


@pytest.fixture(scope="module")
def found(log_dir):
    """The series of that log, as TensorBoard's multiplexer reads them."""
    return read_back(log_dir)


def read_back(log_dir):
    """Returns `{"run|plugin|tag": [(step, value), ...]}`, as TensorBoard's multiplexer reads it."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(log_dir))
    multiplexer.Reload()
    return {
        f"{run}|{plugin}|{tag}": [
            (event.step, tensor_util.make_ndarray(event.tensor_proto))
            for event in multiplexer.Tensors(run, tag)
        ]
        for plugin in ("scalars", "histograms", "text")
        for run, tags in multiplexer.PluginRunToTagToContent(plugin).items()
        for tag in tags
    }


def test_tensorboard_finds_every_series_in_its_own_run(found):
    """Only the shift and the user's metrics are scalars: features would fill a hundred cards."""
    expected = {"shiftguard|scalars|shiftguard/train/my_metric"}
    expected |= {"shiftguard|scalars|shiftguard/shift", "shiftguard|text|shiftguard/verdict"}
    expected |= {f"shiftguard|histograms|shiftguard/train/input/{c}" for c in range(3)}
    assert set(found) == expected


def test_histograms_come_back_with_the_count_of_the_sketch(found):
    series = found["shiftguard|histograms|shiftguard/train/input/2"]
    assert [step for step, _ in series] == list(range(STEPS))
    for step, value in series:
        left, right, count = value.T
        assert len(count) <= MAX_BUCKETS
        assert count.sum() == profile(IMAGES).inputs["input"].counts[2].sum()
        assert step <= left[0] and right[-1] <= step + 1
        assert np.array_equal(left[1:], right[:-1])


def test_text_keeps_its_lines_and_is_no_markdown(found):
    [(step, value)] = found["shiftguard|text|shiftguard/verdict"]
    assert (step, value.item().decode()) == (0, "    # first line\n    second line")


def test_writing_imports_no_tensorflow_and_no_backend(tmp_path):
    code = """
        import sys
        sys.path.insert(0, sys.argv[2])
        for name in ("tensorflow", "jax", "torch"):
            sys.modules[name] = None
        # The parent package imports Keras to register layers; keras_shiftguard.log does not.
        import importlib.util, types
        package = types.ModuleType("keras_shiftguard")
        package.__path__ = [sys.argv[2] + "/keras_shiftguard"]
        sys.modules["keras_shiftguard"] = package
        from keras_shiftguard.log.event_writer import EventWriter
        with EventWriter(sys.argv[1]) as writer:
            writer.write_scalar("a/b", 1.0, 0)
        print("keras" in sys.modules)
    """
    assert run_python(code, tmp_path, Path(__file__).parents[2]).stdout == "False\n"
    assert "shiftguard|scalars|a/b" in read_back(tmp_path)


def test_numbers_that_are_not_finite_are_left_out_of_a_profile(tmp_path):
    with EventWriter(tmp_path) as writer:
        writer.write_profile("train", InputProfile(values={"a": 1.0, "b": -np.inf}), 0)
    assert set(read_back(tmp_path)) == {"shiftguard|scalars|shiftguard/train/a"}


def test_a_log_directory_that_cannot_be_written_is_refused_at_once(tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("not a directory")
    with pytest.raises(BadInputError, match=r"`log_dir` must be a directory.*Pass another"):
        EventWriter(occupied)


# --- buckets -------------------------------------------------------------------


def summary_of(values):
    return profile(np.reshape(values, (-1, 1, 1, 1))).inputs["input"]


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(-2.1, 2.6, 500),
        np.array([-3e7, 0.0, 5e9]),
        np.array([1e-9, 1e-4, 1.0, 1e5]),
    ],
    ids=["torch", "beyond the grid", "decades"],
)
def test_buckets_cover_the_values_exactly_once(values):
    left, right, count = histogram_buckets(summary_of(values), 0).T
    assert 1 <= len(count) <= MAX_BUCKETS
    assert count.sum() == len(values)
    assert (right > left).all()
    assert np.array_equal(left[1:], right[:-1])
    assert left[0] == pytest.approx(values.min()) and right[-1] == pytest.approx(values.max())
    # NumPy may count a value on an edge in the other bucket.
    edges = np.concatenate([left, right[-1:]])
    reference = np.histogram(values, edges)[0]
    assert np.abs(np.cumsum(reference) - np.cumsum(count)).max() <= 1


def test_nothing_counted_is_no_bucket():
    summary = summary_of(np.zeros(1))
    empty = InputSummary(**{**vars(summary), "counts": summary.counts * 0})
    assert histogram_buckets(empty, 0).shape == (0, 3)


# --- JSON ----------------------------------------------------------------------


def test_json_is_plain_and_readable_by_anyone(tmp_path):
    payload = {"a": np.float32(0.5), "b": np.arange(2), "c": (1, np.nan), "d": float("inf")}
    path = write_json(tmp_path / "new" / "folder", "report.json", payload)
    expected = {"a": 0.5, "b": [0, 1], "c": [1, None], "d": None}
    assert json.loads(path.read_text()) == expected
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]


def test_a_failed_json_leaves_the_old_one(tmp_path):
    path = write_json(tmp_path, "report.json", {"run": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path, "report.json", {"run": object()})
    os.makedirs(tmp_path / "taken")
    with pytest.raises(OSError):
        write_json(tmp_path, "taken", {"run": 2})
    assert json.loads(path.read_text()) == {"run": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.json", "taken"]
