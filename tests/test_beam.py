"""Profiles that Apache Beam makes in several processes equal the profile of one pass over data."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import keras_shiftguard as sg

needs_beam = pytest.mark.skipif(
    find_spec("apache_beam") is None, reason='needs pip install "keras-shiftguard[beam]"'
)

PIPELINE = """
import sys
import apache_beam as beam
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from keras_shiftguard.beam import ProfileSamples

if __name__ == "__main__":
    data = np.load("data.npz")
    workers = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(workers)) as pipeline:
        (
            pipeline
            | beam.Create(list(zip(data["x"], data["y"])))
            | beam.Reshuffle()
            | ProfileSamples()
            | beam.Map(lambda profile: profile.save("beam.profile"))
        )
"""


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, 30.0, (700, 8, 8, 3)).clip(0, 255).astype("uint8")
    return x, rng.integers(0, 4, len(x))


@pytest.fixture(scope="module")
def by_beam(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("beam")
    np.savez(folder / "data.npz", x=data[0], y=data[1])
    (folder / "pipeline.py").write_text(PIPELINE)
    done = subprocess.run(
        [sys.executable, "pipeline.py"], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("Python sdk harness exiting") == 2  # two processes took part
    return folder / "beam.profile"


@pytest.mark.thorough
@needs_beam
def test_several_processes_are_one_pass(data, by_beam):
    one, many = sg.profile(data), sg.InputProfile.load(by_beam)
    assert many.num_samples == one.num_samples == 700
    mine, other = one.inputs["input"], many.inputs["input"]
    np.testing.assert_array_equal(mine.counts, other.counts)
    np.testing.assert_array_equal(mine.features.counts, other.features.counts)
    np.testing.assert_allclose(mine.mean, other.mean, rtol=1e-6)
    np.testing.assert_allclose(mine.std, other.std, rtol=1e-6)
    np.testing.assert_array_equal(one.labels.counts, many.labels.counts)


@pytest.mark.thorough
@needs_beam
def test_compare_reads_it(data, by_beam):
    x, y = data
    assert not sg.compare(by_beam, data).shifted
    report = sg.compare((x // 2, y), by_beam)
    assert report.shifted and "covariate" in report.kinds


@pytest.mark.thorough
@needs_beam
def test_what_cannot_be_measured_is_refused():
    from keras_shiftguard.beam import MeasureBatch

    measure = MeasureBatch()
    measure.setup()
    with pytest.raises(sg.BadInputError, match="nothing to measure.*Received: str"):
        list(measure.process(["a", "b"]))
    x = np.zeros((4, 4, 3))
    for samples, words in (
        ([(x,), (x,)], "Received: tuples of \\[1\\] members"),
        ([(x, 0), x], "all samples are alike"),
        ([x, x[:2]], "one shape"),
        ([{"a": x}, {"b": x}], "must have the inputs \\['a'\\]"),
    ):
        with pytest.raises(sg.BadInputError, match=words):
            list(measure.process(samples))
