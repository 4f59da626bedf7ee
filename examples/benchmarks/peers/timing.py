"""CPU seconds, bytes and memory of a check, measured alike for our check and for the peers."""

import resource
import time
import types

import numpy as np


def cpu():
    """Returns the CPU seconds of this process and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(r.ru_utime + r.ru_stime for r in used)


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bytes_of(thing, seen=None):
    """Returns the bytes of the arrays and tensors that an object holds, each counted once."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if hasattr(thing, "element_size"):  # a tensor
        return thing.element_size() * thing.nelement()
    if isinstance(thing, (type, types.ModuleType)):
        return 0
    if isinstance(thing, dict):
        parts = list(thing.values())
    elif isinstance(thing, (list, tuple)):
        parts = thing
    elif isinstance(thing, types.FunctionType):
        parts = [cell.cell_contents for cell in thing.__closure__ or ()]
    elif isinstance(thing, types.MethodType):
        parts = [thing.__self__]
    else:
        parts = list(vars(thing).values()) if hasattr(thing, "__dict__") else ()
    return sum(bytes_of(part, seen) for part in parts)


def measure(make, check_data, repeats):
    """Times `make()` once, and its check `repeats` times after a warm-up."""
    start, before = cpu(), peak_mib()
    check = make()
    fit = cpu() - start
    times = []
    for _ in range(repeats + 1):
        wall, start = time.perf_counter(), cpu()
        check(check_data)
        times.append((cpu() - start, time.perf_counter() - wall))
    median = np.median(times[1:], axis=0)
    return {
        "cpu": float(median[0]),
        "wall": float(median[1]),
        "fit": fit,
        "bytes": bytes_of(check),
        "rss": peak_mib() - before,
    }
