"""Large images: the statistics equal NumPy, and the memory is a few times that of the image."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import numpy_reference
import pytest

import keras_shiftguard as sg

pytestmark = pytest.mark.backend

SCRIPT = Path(__file__).parents[2] / "examples" / "benchmarks" / "large_images.py"
SHAPE = (901, 1003, 3)


def noise(number, dtype="float32"):
    rng = np.random.default_rng(0)
    return (rng.random((number, *SHAPE)) * 255 + np.arange(3)).clip(0, 255).astype(dtype)


def assert_same(got, want):
    for name in ("minimum", "maximum", "lattice_hits"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name), name)
    for name in ("channels", "sample_mean", "sample_std", "fingerprint"):
        a, b = getattr(got, name), getattr(want, name)
        np.testing.assert_array_equal(a.count, b.count)
        np.testing.assert_allclose(a.mean, b.mean, rtol=1e-5, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(a.std, b.std, rtol=1e-3, atol=1e-3, err_msg=name)
    assert np.abs(got.counts - want.counts).sum() <= 0.01 * want.counts.sum()


@pytest.mark.parametrize("dtype", ["uint8", pytest.param("float32", marks=pytest.mark.thorough)])
def test_the_statistics_equal_numpy(dtype):
    x = noise(2, dtype)
    got = sg.profile(x).inputs["input"]
    assert (got.num_samples, got.nonfinite_samples) == (2, 0)
    assert (got.smallest_size, got.largest_size) == (SHAPE[:2], SHAPE[:2])
    assert_same(got, numpy_reference.summarise(x))
    assert got.embedding.count == 2


@pytest.mark.each_backend
@pytest.mark.eager
def test_a_fit_with_large_images_is_watched():
    x, y = noise(4, "uint8"), np.arange(4) % 2
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((None, None, 3)), *layers])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    guard = sg.ShiftGuard(verbose=0, on_mismatch="ignore", on_shift="ignore")
    model.fit(x, y, batch_size=3, callbacks=[guard], shuffle=False, verbose=0)
    got, want = guard.profiles["train"].inputs["input"], numpy_reference.summarise(x)
    assert got.num_samples == 4
    np.testing.assert_allclose(got.mean, want.mean, rtol=1e-5)
    np.testing.assert_allclose(got.std, want.std, rtol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_one_image_costs_a_few_times_its_size(dtype, capsys):
    """The size is large enough that compiled functions, up to 60 MiB on JAX, matter little."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells the largest memory since a moment")
    arguments = ["--sides", "4000", "--dtypes", dtype]
    command = [sys.executable, str(SCRIPT), *arguments, "--backends", keras.backend.backend()]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with capsys.disabled():
        print(f"\n{out.strip()}")
    assert float(re.search(r"([\d.]+) times its size", out)[1]) <= 4
