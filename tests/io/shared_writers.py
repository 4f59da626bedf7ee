"""Program: eight writers write a profile, a model's profile and a JSON file at the same time.

Writers are threads, or processes that have process number 1 in PID namespaces of their own, as in
containers. Where namespaces are not allowed, `os.getpid` returns 1 in each process.

    python tests/io/shared_writers.py FOLDER threads --writes 50
    python tests/io/shared_writers.py FOLDER processes --kills 40

FOLDER holds `model.keras`, and two profiles `a` and `b`. With `--kills`, all writers are killed
again and again, and one more write of each file follows. The last line of the output is JSON.
"""

import argparse
import ctypes
import errno
import fcntl
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from keras_shiftguard import InputProfile
from keras_shiftguard.io.json_files import write_json

CLONE_NEWPID = 0x20000000
WRITERS = 8


def write(folder, profile, number):
    profile.save(folder / "saved.profile")
    profile.attach(folder / "model.keras")
    write_json(folder, "report.json", {"numbers": [number] * 5000})


def write_often(folder, profiles, writes, number):
    """Writes so many times, without an end for None; raises the last error when it is done."""
    failure = None
    for i in range(writes or sys.maxsize):
        try:
            write(folder, profiles[(number + i) % 2], number)
        except Exception as error:
            traceback.print_exc()
            failure = error
    if failure:
        raise failure


def check_whole(folder, members):
    """Raises an error if one of the files is damaged; `members` are those of the model."""
    InputProfile.load(folder / "saved.profile")
    with zipfile.ZipFile(folder / "model.keras") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(members), archive.namelist()
    InputProfile.load(folder / "model.keras")
    numbers = json.loads((folder / "report.json").read_text())["numbers"]
    assert len(numbers) == 5000 and len(set(numbers)) == 1


def hidden(folder):
    """Returns the names of temporary files."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def start_process(target):
    """Forks a process that has number 1, and returns its number as this process sees it."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/pid", os.O_RDONLY)
    is_new = libc.unshare(CLONE_NEWPID) == 0
    number = os.fork()
    if number:
        if is_new:
            assert libc.setns(home, CLONE_NEWPID) == 0
        os.close(home)
        return number
    status = 1
    try:
        if not is_new:
            os.getpid = lambda: 1
        assert os.getpid() == 1
        target()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def without_locks():
    """Makes locking fail, as on a network volume without locks."""

    def flock(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    fcntl.flock = flock


def kill_again_and_again(folder, writers, times, profile, members):
    """Returns how many temporaries there were after each kill, and after the next writes."""
    left, after = [], []
    for _ in range(times):
        numbers = [start_process(each) for each in writers]
        time.sleep(random.uniform(0.05, 0.3))
        for each in numbers:
            os.kill(each, signal.SIGKILL)
        for each in numbers:
            os.waitpid(each, 0)
        left.append(len(hidden(folder)))
        check_whole(folder, members)
        write(folder, profile, 0)
        after.append(len(hidden(folder)))
    return {"left": left, "after": after}


def write_and_read(folder, kind, writers, members):
    """Runs the writers beside a reader; returns how many failed, and what the reader found."""
    is_done, results = threading.Event(), []

    def check():
        try:
            check_whole(folder, members)
            results.append("whole")
        except Exception as error:
            results.append(repr(error)[:200])

    def read():
        while not is_done.is_set():
            check()

    reader = threading.Thread(target=read)
    if kind == "threads":
        reader.start()
        with ThreadPoolExecutor(WRITERS) as pool:
            submitted = [pool.submit(each) for each in writers]
        failed = sum(each.exception() is not None for each in submitted)
    else:
        # Processes are forked first, because a forked process has only one thread.
        numbers = [start_process(each) for each in writers]
        reader.start()
        failed = sum(os.waitpid(each, 0)[1] != 0 for each in numbers)
    is_done.set()
    reader.join()
    check()
    damaged = [each for each in results if each != "whole"]
    found = {"failed": failed, "reads": len(results), "damaged": damaged, "last": results[-1]}
    return found | {"hidden": hidden(folder)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", choices=["threads", "processes", "processes-without-locks"])
    parser.add_argument("--writes", type=int)
    parser.add_argument("--kills", type=int, default=0)
    given = parser.parse_args()
    profiles = [InputProfile.load(given.folder / name) for name in "ab"]
    write(given.folder, profiles[0], 0)
    with zipfile.ZipFile(given.folder / "model.keras") as archive:
        members = archive.namelist()
    writer = partial(write_often, given.folder, profiles, given.writes)
    writers = [partial(writer, number) for number in range(WRITERS)]
    if given.kind == "processes-without-locks":
        without_locks()
    if given.kills:
        found = kill_again_and_again(given.folder, writers, given.kills, profiles[0], members)
    else:
        found = write_and_read(given.folder, given.kind, writers, members)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
