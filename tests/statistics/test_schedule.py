"""A long or repeated pass over data is measured at every k-th step, and counted at all steps."""

import numpy as np
import pytest
from keras import ops

from keras_shiftguard.statistics.batch import InputSpec, spec_for
from keras_shiftguard.statistics.spread import spread, spread_groups
from keras_shiftguard.statistics.stream import Stream

pytestmark = pytest.mark.backend


def stream_and_step(stride=1):
    """Returns a stream of a table with two columns, and a function that feeds it a batch."""
    stream = Stream("test")
    stream.measure_every(stride)  # before the variables exist
    stream.build([spec_for("input", (None, 2), "channels_last", "float32")])

    def update(x, y):
        stream.update({"input": x}, x, y)

    return stream, update


def run(stream, step, steps, batch=40):
    """Feeds batches filled with the step number; returns the profile and its feature table."""
    for i in range(steps):
        x = np.full((batch, 2), i, "float32")
        step(ops.convert_to_tensor(x), ops.convert_to_tensor(np.full(batch, i % 3, "int32")))
    stream.drain()
    histogram = stream.profile.inputs["input"].features
    return stream.profile, histogram


@pytest.mark.each_backend
def test_every_kth_step():
    stream, step = stream_and_step()
    for stride in (1, 3, 4):
        stream.restart()
        stream.forget_samples()
        stream.measure_every(stride)
        profile, table = run(stream, step, 10)
        measured = np.arange(0, 10, stride)
        assert table.num_samples == 32 * len(measured)  # 32 rows of each batch
        assert table.mean("0") == pytest.approx(measured.mean(), rel=1e-6)
        assert profile.inputs["input"].embedding.count == 32 * len(measured)
        kept = stream.buffers["input"].positions
        assert set(kept // 40) == set(measured) and len(set(kept)) == len(kept)
        assert profile.labels.by_class.count[:, 0].sum() == 32 * len(measured)
        # The moments of the pixels use all samples of these steps, the counts those of all steps.
        summary = profile.inputs["input"]
        assert summary.num_measured == 40 * len(measured)
        assert summary.mean[0] == pytest.approx(measured.mean(), rel=1e-6)
        assert profile.num_samples == profile.labels.num_samples == 400
        np.testing.assert_array_equal(summary.fingerprint.count, [400, 400])
        assert summary.fingerprint.mean[0] == pytest.approx(4.5, rel=1e-6)
        np.testing.assert_array_equal(profile.labels.counts[:3], [160, 120, 120])


@pytest.mark.each_backend
@pytest.mark.parametrize("order", ["sorted", "in turns"])
@pytest.mark.parametrize("size", [500, 55])
def test_the_measured_samples_of_a_batch_are_spread_over_it(size, order):
    """A validation set may be sorted by class and be a single batch, or be made of two files."""
    stream = Stream("validation")
    stream.build([InputSpec("input", "features", channels=1)])
    labels = np.arange(size) * 5 // size if order == "sorted" else np.arange(size) % 2
    for i, y in enumerate((labels, labels[: size // 2])):  # JAX pads the second batch
        x = (1000 * y[:, None] + np.arange(len(y))[:, None]).astype("float32")
        stream.update({"input": ops.convert_to_tensor(x)}, x, ops.convert_to_tensor(y))
        rows = min(32, len(y))
        positions = spread(len(y), rows, seed=i)
        found = stream.drain()
        table = found.inputs["input"].features
        assert table.num_samples == rows
        assert table.mean("0") == pytest.approx(x[positions].mean(), rel=1e-4)
        by_class = found.labels.by_class.count[:5, 0]
        np.testing.assert_array_equal(by_class, np.bincount(y[positions], minlength=5))
        share = np.bincount(y[positions], minlength=5) / rows - np.bincount(y, minlength=5) / len(y)
        assert np.abs(share).max() < 0.12
    kept, ids = stream.buffers["input"].read()
    assert set(ids) == set(labels)
    np.testing.assert_array_equal(kept[:, 0] // 1000, ids)


@pytest.mark.each_backend
@pytest.mark.parametrize(("size", "at_most"), [(20, 100), (50, 32), (512, 100)])
def test_a_part_larger_than_32_samples_is_measured_in_parts(size, at_most):
    stream, step = stream_and_step()
    stream.measure_every(1, at_most)
    for number in (size, size // 2):  # JAX pads the second batch
        x = np.arange(number, dtype="float32").repeat(2).reshape(-1, 2)
        y = np.arange(number) % 3
        step(ops.convert_to_tensor(x), ops.convert_to_tensor(y))
        stream.drain()
    chosen = [spread(size, at_most), spread(size // 2, at_most, seed=1)]
    table = stream.profile.inputs["input"].features
    assert table.num_samples == sum(map(len, chosen))
    assert table.mean("0") == pytest.approx(np.concatenate(chosen).mean(), rel=1e-5)
    by_class = stream.profile.labels.by_class.count[:3, 0]
    np.testing.assert_array_equal(by_class, np.bincount(np.concatenate(chosen) % 3))


@pytest.mark.parametrize("chosen", [spread, spread_groups])
@pytest.mark.parametrize("at_most", [1, 3, 4, 32, 64])
def test_no_sample_is_chosen_twice(chosen, at_most):
    for number in range(1, 4 * at_most + 3):
        positions = chosen(number, at_most)
        assert np.all(np.diff(positions) > 0) and np.all(positions < number)
        assert min(number, at_most) - 3 <= len(positions) <= at_most
