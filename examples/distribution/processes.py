"""Starts a script once for each rank, and kills processes that would never end."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def in_processes(script, arguments=(), count=2, seconds=590, grace=10):
    """Runs `python script RANK PORT arguments...` for each rank.

    A process may wait forever for another process that has ended. So all processes are killed after
    `seconds`, or `grace` seconds after one of them failed.

    Returns:
        The output of each process, and the exit status of each; None for a process
        that had to be killed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The output goes to files and not to pipes, because a process stops while its pipe is full.
    files = [tempfile.TemporaryFile("w+") for _ in range(count)]
    running = [
        subprocess.Popen(
            [sys.executable, script, str(rank), str(port), *arguments],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        for rank, file in enumerate(files)
    ]
    last, has_failed = time.monotonic() + seconds, False
    while None in (statuses := [process.poll() for process in running]):
        if any(statuses) and not has_failed:
            last, has_failed = min(last, time.monotonic() + grace), True
        if time.monotonic() > last:
            break
        time.sleep(0.1)
    printed = []
    for process, file in zip(running, files, strict=True):
        process.kill()  # does nothing to a process that has ended
        process.wait()
        with file:
            file.seek(0)
            printed.append(file.read())
    return printed, statuses


def last_line(text):
    """Returns the last line that the example itself printed; else the last error or line."""
    lines = [line for line in text.splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith(("worker ", "process ", "a plain fit"))]
    errors = [line for line in lines if "Error: " in line[:40]]
    return next(iter([*ours[-1:], *errors[-1:], *lines[-1:]]), "nothing")[:300]


def profiled(script, worker):
    """Runs `worker(rank, port, control)` in two processes, and exits.

    Each process saves a profile in the folder that the environment variable FOLDER names, and
    these profiles are added up. With the argument `control` there are no profiles.
    """
    control = "control" in sys.argv
    if sys.argv[1:] and sys.argv[1].isdigit():
        worker(int(sys.argv[1]), int(sys.argv[2]), control)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FOLDER"] = folder
        printed, statuses = in_processes(script, sys.argv[1:])
        print(*map(last_line, printed), sep="\n")
        print("exit status of each process:", *statuses)
        if statuses == [0, 0] and not control:
            from workload import merged

            merged(Path(folder), rows=49)
    sys.exit(0 if statuses == [0, 0] else 1)
