"""Log of a million training steps: its size, and what it costs to show it.

    python examples/benchmarks/load_log.py --steps 1000000

The log is that of a fit with `update_freq=1`, in epochs of 1,000 steps: the package's own writer
writes a histogram after each step, and all else after each epoch, without a fit. A TensorBoard
process then reads it, with each of its two readers of logs. The script prints the time until the
last epoch is shown, the time and size of each answer to the Shift tab, and the largest memory of
the process with its children. `keras-shiftguard report` makes the page from the same directory.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np
from plugin.browser import tensorboard
from shift_tab_runs import SAMPLES, profile

from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.log.event_writer import histogram_buckets
from keras_shiftguard.log.run_log import RunWriter
from keras_shiftguard.profiles.grid import NUM_BINS

AN_EPOCH = 1000
RUN = "shiftguard"
FEATURE = "input/1"


def new_profile(rng):
    """Returns the profile of an epoch, four columns of numbers, with values for histograms."""
    new = profile(rng.normal(size=(SAMPLES, 4)), rng.integers(0, 10, SAMPLES))
    middle = NUM_BINS // 2
    new.inputs["input"].counts[0, middle - 100 : middle + 100] = rng.integers(1, 20, 200)
    return new


def write(log_dir, steps):
    """Writes the log; returns the number of epochs, and the CPU seconds of the
    first tenth of them and of the last."""
    rng, epochs, times = np.random.default_rng(0), max(steps // AN_EPOCH, 10), []
    writer, monitor = RunWriter(log_dir), ShiftMonitor(0.05, [("validation", "train")])
    for epoch in range(epochs):
        start = time.process_time()
        streams = {"train": new_profile(rng), "validation": new_profile(rng)}
        buckets = histogram_buckets(streams["train"].inputs["input"], 0)
        for step in range(steps // epochs):
            number = epoch * (steps // epochs) + step + 1
            writer._open.events.write_histogram("shiftguard/train/input/all", buckets, number)
        monitor.compare("validation", "train", *reversed(streams.values()), epoch + 1)
        logs = {"accuracy": 0.9, "val_accuracy": 0.8, "loss": 0.1, "val_loss": 0.2}
        writer.write_curves(epoch, logs)
        writer.write_comparison(
            epoch, monitor.pairs, streams, monitor.report(), {"val_shift": 0.0}, logs
        )
        times.append(time.process_time() - start)
    writer.close()
    tenth = epochs // 10
    return epochs, sum(times[:tenth]), sum(times[-tenth:])


def descendants(pid):
    """Returns a process and its children, and theirs."""
    found = [pid]
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in tasks.read_text().split():
            found += descendants(int(child))
    return found


def peak(status):
    """Returns the largest memory so far, in MiB, from the text of /proc/PID/status."""
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def largest_memory():
    """Returns the largest memory so far of the children of this process together, in MiB."""
    children = descendants(os.getpid())[1:]
    return sum(peak(Path(f"/proc/{pid}/status").read_text()) for pid in children)


def ask(address, route, **arguments):
    """Asks the Shift tab; returns the answer, its bytes and the seconds it took."""
    start = time.perf_counter()
    url = f"{address}data/plugin/shiftguard/{route}?{urllib.parse.urlencode(arguments)}"
    with urllib.request.urlopen(url, timeout=600) as answer:
        content = answer.read()
    return json.loads(content), len(content), time.perf_counter() - start


def shown(log_dir, epochs, reader, patience):
    """Prints what a reader of TensorBoard takes for the log."""
    start = time.perf_counter()
    with tensorboard(log_dir, "--load_fast", reader) as address:
        while time.perf_counter() < start + patience:
            runs = ask(address, "runs")[0]["runs"]
            if runs and runs[0]["last_step"] == epochs - 1:
                break
            time.sleep(1)
        last = runs[0]["last_step"] if runs else None
        name = "data server" if reader == "true" else "Python reader"
        seconds = time.perf_counter() - start
        print(f"{name}: shows epoch {(last or 0) + 1:,} of {epochs:,} after {seconds:.0f} s")
        for route, arguments in {
            "runs": {},
            "overview": {"run": RUN},
            "curves": {"run": RUN},
            "verdict": {"run": RUN, "step": epochs - 1},
            "feature": {"run": RUN, "name": FEATURE},
            "adaptation": {"run": RUN},
            "pictures": {"run": RUN},
        }.items():
            try:
                _, size, seconds = ask(address, route, **arguments)
                print(f"    /{route}: {1000 * seconds:.0f} ms, {size / 1000:.1f} kB")
            except urllib.error.HTTPError as error:
                print(f"    /{route}: {error.code} {error.read()[:100]}")
        print(f"    largest memory: {largest_memory():,.0f} MiB", flush=True)


def report(log_dir):
    """Prints what `keras-shiftguard report` takes."""
    code = (
        "import sys; from keras_shiftguard_cli import main\n"
        "try: main()\n"
        "finally: print(open('/proc/self/status').read(), file=sys.stderr)"
    )
    start = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-c", code, "report", str(log_dir)]
    done = subprocess.run(command, capture_output=True, text=True)
    seconds, memory = time.perf_counter() - start, peak(done.stderr)
    print(
        f"keras-shiftguard report: {seconds:.1f} s, {memory:.0f} MiB, exit status {done.returncode}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--patience", type=int, default=900, help="seconds to wait for a reader")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log_dir = Path(folder)
        epochs, first, last = write(log_dir, args.steps)
        size = sum(path.stat().st_size for path in (log_dir / RUN).iterdir()) / 1e6
        page = (log_dir / "shift.json").stat().st_size + (log_dir / "shift.html").stat().st_size
        print(f"{args.steps:,} steps, {epochs:,} epochs: {size:,.0f} MB, page {page / 1e3:.0f} kB")
        print(f"written: first tenth of the epochs {first:.1f} s, last tenth {last:.1f} s of CPU")
        report(log_dir)
        for reader in ("true", "false"):
            shown(log_dir, epochs, reader, args.patience)


if __name__ == "__main__":
    main()
