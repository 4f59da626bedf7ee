"""Runs Keras's own tests without a guard and with one in every `fit`, `evaluate` and `predict`.

    python tools/keras_tests.py --backend jax  # as `make test-keras BACKEND=jax`
    python tools/keras_tests.py --sample       # takes a minute, on TensorFlow by default
    python tools/keras_tests.py callbacks trainers/trainer_test.py --guards adapt

A test that passes without a guard must pass with one. The guard must count every sample, or warn
why it cannot. `tools/keras_tests.toml` lists the allowed differences. Tests that call none of the
three methods run only once; those that fail without a guard are only listed.
"""

import argparse
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from keras_differences import judge, read_allowed, read_results, table, tell, with_calls

ROOT = Path(__file__).parents[1]
BACKENDS = ("tensorflow", "jax", "torch")
# By default, a file is run if its text has one of these; `run_layer_test` calls `fit`.
CALLS = (".fit(", ".evaluate(", ".predict(", "run_layer_test(")
# These need weights from the internet, or several processes; or they have thousands of tests, of
# which a handful call `fit`.
LEFT_OUT = ("applications/", "backend/jax/jax_multi_process_distribution_test.py", "ops/")
# Words in files for several devices, and in files that set the number of devices.
DEVICES = ("multi_device", "device_count", "set_logical_device_configuration")
FILES_PER_PROCESS = 10
# On JAX and PyTorch a guard is not part of the compiled code, and compiling would take nearly all
# of the time (on PyTorch, half a minute for each test). So JAX optimizes less, and PyTorch does not
# compile, unless TORCHDYNAMO_DISABLE=0 is set.
ENVIRONMENT = {
    "tensorflow": {"TF_CPP_MIN_LOG_LEVEL": "3"},
    "jax": {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_backend_optimization_level=0"},
    "torch": {"OMP_NUM_THREADS": "1", "TORCHDYNAMO_DISABLE": "1"},
}
EIGHT_DEVICES = " --xla_force_host_platform_device_count=8"
SAMPLE = [
    f"trainers/trainer_test.py::TestTrainer::{name}"
    for name in (
        "test_fit_flow_graph_fn",
        "test_evaluate_flow_graph_fn",
        "test_predict_flow_graph_fn",
        "test_callback_methods_keys",
        "test_evaluate_with_custom_test_step_flat",
        "test_fit_sparse_tf_graph",
        "test_fit_with_custom_train_step",
        "test_fit_with_data_adapter_tf_dataset",
        "test_nested_input_predict",
    )
]
INI = "[pytest]\naddopts =\nconsider_namespace_packages = false\n"
# Keras's `conftest.py` is not in its wheel. `CONFTEST` has the names that test files import.
CONFTEST = """
import keras, pytest
def skip_if_backend(given, reason):
    return pytest.mark.skipif(keras.backend.backend() == given, reason=reason)
"""


def chosen_files(source, wanted):
    """Returns the test files of the folders and files `wanted`.

    If `wanted` is empty, returns the files that have one of `CALLS`, except those in `LEFT_OUT`.
    """
    files = []
    for path in sorted(source.rglob("*_test.py")):
        name = path.relative_to(source).as_posix()
        named = any(name == each or name.startswith(each.rstrip("/") + "/") for each in wanted)
        calls = any(call in path.read_text(encoding="utf-8") for call in CALLS)
        if named or (not wanted and calls and not name.startswith(LEFT_OUT)):
            files.append(name)
    return files


def groups(source, files):
    """Returns the files in groups, one for each process. A file for several devices is alone."""
    others = [file for file in files if not wants_devices(source / file)]
    starts = range(0, len(others), FILES_PER_PROCESS)
    alone = [[file] for file in files if file not in others]
    return [others[i : i + FILES_PER_PROCESS] for i in starts] + alone


def wants_devices(path):
    """Whether a test file is for several devices, or sets their number."""
    return any(word in path.read_text(encoding="utf-8") for word in DEVICES)


def environment_of(backend, several_devices):
    """Returns the environment variables for a process that runs tests."""
    environment = {**ENVIRONMENT[backend], **os.environ, "KERAS_BACKEND": backend}
    environment.pop("PYTEST_ADDOPTS", None)  # those of our own tests, with other plugins
    if several_devices and backend == "jax":
        environment["XLA_FLAGS"] += EIGHT_DEVICES
    return environment


def run(source, files, backend, guards, folder, only, limit):
    """Runs the tests of some files; returns the results by the name of the test.

    Args:
        source: Folder `keras/src`.
        files: Names of the files.
        backend: Keras's backend.
        guards: `"plain"`, `"guard"` or `"adapt"`.
        folder: Folder for the results.
        only: Names or patterns of the tests to run; None runs all.
        limit: Seconds after which a test or an import is stopped.
    """
    results = folder / f"{guards}.jsonl"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "guarded_fits", "--noconftest"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "--continue-on-collection-errors"]
    command += [f"-c={folder}/pytest.ini", f"--rootdir={source.parents[1]}"]
    command += [f"--guards={guards}", f"--results={results}"]
    if only is not None:
        (folder / "only").write_text("\n".join(only))
        command.append(f"--only={folder}/only")
    command += [str(source / file) for file in files]
    environment = environment_of(backend, wants_devices(source / files[0]))
    paths = [str(folder), str(ROOT / "tools"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    while True:
        outcome = watched(command, environment, folder, results, limit)
        found = read_results(results)
        in_progress = [test for test, result in found.items() if result["outcome"] == "began"]
        if not in_progress:
            if outcome:
                print(f"    pytest {outcome} outside of tests: {' '.join(files)}", flush=True)
            return found
        # The test in progress ended the process. The next process runs the tests after it.
        with results.open("a") as file:
            for test in in_progress:
                message = f"{outcome or 'crashed'}, see {folder}/{guards}.log"
                line = {"test": test, "outcome": "crashed", "message": message, "calls": []}
                file.write(json.dumps(line) + "\n")


def watched(command, environment, folder, results, limit):
    """Runs a command until it ends, or stops it after `limit` seconds without a new result.

    Returns "" if it ended with an exit status of pytest, else a description of its end.
    """
    with results.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        size, since = -1, time.monotonic()
        try:
            while process.poll() is None:
                time.sleep(0.2)
                now = results.stat().st_size if results.exists() else 0
                if now != size:
                    size, since = now, time.monotonic()
                if time.monotonic() - since > limit:
                    return f"timed out after {limit} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    # 0 to 5 are exit statuses of pytest: tests failed, none were selected, and the like.
    return "" if 0 <= process.returncode <= 5 else f"ended with status {process.returncode}"


def results_of(backend, guards, source, files, folder, only, limit):
    """Runs files on one backend; returns the results without guards, and with each of `guards`."""
    folder = folder / backend
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").write_text(INI)
    (folder / "conftest.py").write_text(CONFTEST)
    plain, guarded = {}, {each: {} for each in guards}
    for group in groups(source, files):
        print(f"  {backend}: {' '.join(group)}", flush=True)
        plain = run(source, group, backend, "plain", folder, only, limit)
        names = [test for test in with_calls(plain) if test.partition("::")[0] in group]
        for each in guards if names else ():
            guarded[each] = run(source, group, backend, each, folder, names, limit)

    def of_these(results):
        return {test: r for test, r in results.items() if test.partition("::")[0] in files}

    return of_these(plain), {each: of_these(results) for each, results in guarded.items()}


def main():
    """Compares on each backend; the exit status is 1 if a difference is not allowed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", help="folders or files of keras/src; default: all")
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--guards", action="append", choices=["guard", "adapt"])
    parser.add_argument("--sample", action="store_true", help="a few telling tests")
    parser.add_argument("--only", action="append", help="names or patterns of tests")
    parser.add_argument(
        "--keep",
        type=Path,
        help="folder for the results; if some are there, these tests do not run again",
    )
    parser.add_argument("--limit", type=int, default=300, help="seconds for one test")
    parser.add_argument(
        "--side-by-side", type=int, default=1, help="backends at a time; about 1 GB each"
    )
    arguments = parser.parse_args()
    only, wanted = arguments.only, arguments.files
    backends, guards = arguments.backend or BACKENDS, arguments.guards or ["guard", "adapt"]
    if arguments.sample:
        only, wanted = SAMPLE, ["trainers/trainer_test.py"]
        backends, guards = arguments.backend or ["tensorflow"], arguments.guards or ["guard"]
    source = Path(importlib.util.find_spec("keras").origin).parent / "src"
    files = chosen_files(source, wanted)
    if not files:
        parser.error(f"no test files in {source} are named {' '.join(wanted)}")
    rows, good = [], True
    folder = (arguments.keep or Path(tempfile.mkdtemp(prefix="keras-tests-"))).resolve()

    def results(backend):
        return results_of(backend, guards, source, files, folder, only, arguments.limit)

    # The tests run in processes of their own, so the backends can run side by side.
    with ThreadPoolExecutor(arguments.side_by_side) as pool:
        found = list(pool.map(results, backends))
    for backend, (plain, guarded) in zip(backends, found, strict=True):
        for each in guards:
            complete = not wanted and only is None
            judgement = judge(plain, guarded[each], read_allowed(), backend, each, complete)
            tell(f"{backend}, {each}", judgement)
            good = good and judgement.is_good and bool(plain)
            rows.append(
                (backend, each, len(files), judgement.tests, len(judgement.failed_plain))
                + (len(with_calls(plain)), len(judgement.allowed), len(judgement.faults))
            )
    print(f"\n== summary\n{table(rows)}")
    if not good:
        sys.exit(f"The logs of pytest are in {folder}.")
    if arguments.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
