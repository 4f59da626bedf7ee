"""Load: memory, threads and files of long fits, large models, shared and broken log directories.

    python examples/benchmarks/load.py --backends tensorflow jax torch

Each case of `load_cases.py` has a process of its own, with the guard and without it, so the peak of
its memory is its own. Eight fits in eight processes write to one log directory; a ninth process
reads the files all the while. With `unshare`, which needs root, each of the eight also gets the
process number 1, as in a container. `load_log.py` measures the log of a million steps. The script
prints one table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CASES = {
    "steps": "3,000 steps",
    "left": "threads and files",
    "inputs": "300 inputs",
    "classes": "100,000 classes",
    "faults": "faults of the directory",
    "writers": "eight guards, one directory",
    "containers": "eight with the same process number",
}
PROCESSES = 8
SAME_NUMBER = ("unshare", "--pid", "--fork", "--mount-proc")


def started(backend, *arguments, before=()):
    """Starts a case in a process of its own."""
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    script = str(Path(__file__).with_name("load_cases.py"))
    command = [*before, sys.executable, "-W", "ignore", script, *arguments]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def result(process):
    """Returns what a case printed; None if it failed."""
    out, problems = process.communicate()
    if process.returncode:
        print(problems[-2000:], file=sys.stderr)
        return None
    return json.loads(out.strip().splitlines()[-1])


def one(backend, case, small):
    """Returns the rows of a case: their words, and the value with the guard (without it)."""
    options = ["--small"] if small else []
    with_guard = result(started(backend, case, "--guard", *options)) or {"the case": "FAILED"}
    without = {} if case == "faults" else result(started(backend, case, *options)) or {}
    return {
        words: f"{value} ({without[words]})" if words in without else str(value)
        for words, value in with_guard.items()
    }


def eight(backend, small, before=()):
    """Returns the rows of eight guards that write to one directory."""
    # Imported here: it loads Keras.
    from load_log_dir import broken_files, whole_records

    with tempfile.TemporaryDirectory() as log_dir:
        options = ["--log-dir", log_dir, *(["--small"] if small else [])]
        fits = [
            started(backend, "one_writer", "--guard", "--number", str(i), *options, before=before)
            for i in range(PROCESSES)
        ]
        while len(list(Path(log_dir).glob("ready-*"))) < PROCESSES:
            if any(each.poll() for each in fits):
                break
            time.sleep(0.1)
        Path(log_dir, "go").touch()
        reads = broken = 0
        while any(each.poll() is None for each in fits):
            found = [name for name in broken_files(log_dir) if not name.startswith(".")]
            reads, broken = reads + 1, broken + bool(found)
            time.sleep(0.02)
        ended = [result(each) for each in fits]
        told = [text for each in ended if each for text in each["warnings"]]
        for text in sorted(set(told)):
            print(f"{backend}: {text}", file=sys.stderr)
        left = broken_files(log_dir)
        files = list(Path(log_dir, "shiftguard").iterdir())
        records = len(whole_records(log_dir))
    return {
        "fits that ended as usual, warnings": f"{len(ended) - ended.count(None)}, {len(told)}",
        "reads of all files, with a broken file": f"{reads}, {broken}",
        "broken or temporary files at the end": len(left),
        "event files, their records": f"{len(files)}, {records:,}",
    }


def measured(backend, case, small):
    if case == "writers":
        return eight(backend, small)
    if case == "containers":
        allowed = not subprocess.run([*SAME_NUMBER, "true"], capture_output=True).returncode
        rows = {"eight with the same process number": "only root can do this"}
        return eight(backend, small, SAME_NUMBER) if allowed else rows
    return one(backend, case, small)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = [os.environ.get("KERAS_BACKEND", "tensorflow")]
    parser.add_argument("--backends", nargs="+", default=default)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--small", action="store_true", help="less of everything, to try it out")
    args = parser.parse_args()
    print("| with the guard (without) | " + " | ".join(args.backends) + " |")
    print("|---" * (1 + len(args.backends)) + "|")
    for case in args.cases:
        columns = [measured(backend, case, args.small) for backend in args.backends]
        print(f"| **{CASES[case]}** |" + " |" * len(columns))
        for words in dict.fromkeys(words for column in columns for words in column):
            values = [str(column.get(words, "")) for column in columns]
            print(f"| {words} | " + " | ".join(values) + " |", flush=True)


if __name__ == "__main__":
    main()
