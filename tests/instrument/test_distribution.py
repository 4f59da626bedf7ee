"""The scripts of examples/distribution: several devices and processes measure the same as one."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

pytestmark = [pytest.mark.backend, pytest.mark.thorough]
BACKEND = keras.backend.backend()
SCRIPTS = Path(__file__).parents[2] / "examples" / "distribution"
# Without optimisation, XLA compiles in half the time; the scripts run for only a second.
UNOPTIMISED = os.environ.get("XLA_FLAGS", "--xla_backend_optimization_level=0")


def run(script, *arguments, backend):
    """Runs a script and returns its output; fails if it hangs."""
    if backend != BACKEND:
        pytest.skip(f"a script for {backend}")
    done = subprocess.run(
        [sys.executable, SCRIPTS / script, *arguments],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "XLA_FLAGS": UNOPTIMISED, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_jax_four_devices():
    output = run("jax_devices.py", "count", backend="jax")
    assert "data_parallel, count: 3822 counts the same" in output
    assert "model_parallel, count: 3822 counts the same" in output


def test_jax_two_processes_one_writer():
    output = run("jax_processes.py", "count", "adversarial", backend="jax")
    for rank in (0, 1):
        assert f"process {rank} of 2, count: 3822 counts the same" in output
        assert f"process {rank} of 2, adversarial: 3821 counts the same" in output
    assert "log files: 1" in output


def test_tensorflow_two_replicas():
    output = run("mirrored.py", "count", backend="tensorflow")
    assert "MirroredStrategy, count: 3822 counts the same" in output


def test_tensorflow_two_workers_each_with_a_profile():
    output = run("multi_worker.py", backend="tensorflow")
    assert "worker 0: 25 rows" in output and "worker 1: 24 rows" in output
    assert "merged: 3819 counts the same" in output and "images are darker" in output


def test_torch_two_processes_each_with_a_profile():
    output = run("torch_processes.py", backend="torch")
    assert "process 0: 25 rows, 25 answers" in output and "process 1: 24 rows" in output
    assert "merged: 3819 counts the same" in output and "images are darker" in output
