"""JAX: two processes train one model, and their guards reach the same verdict.

    python examples/distribution/jax_processes.py [workflow ...]

Each process has its own half of every batch. Both guards measure the whole batches, so their
numbers and their verdicts are the same. Only the first process writes the log. The workflows are
the fits of `workload.py`.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from processes import in_processes


def worker(rank, port, names):
    keras.distribution.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=rank)
    import workload
    from workload import WORKFLOWS, agree

    whole_batch, half_batch = workload.BATCH, workload.BATCH // 2

    def half(part):
        def of(a):
            batches = [a[i : i + whole_batch] for i in range(0, len(a), whole_batch)]
            return np.concatenate([np.array_split(batch, 2)[rank] for batch in batches])

        return tuple(of(a) for a in part)

    both = keras.distribution.DataParallel(
        devices=keras.distribution.list_devices(), auto_shard_dataset=False
    )
    for name in names or WORKFLOWS:
        workload.BATCH = whole_batch
        keras.distribution.set_distribution(None)
        one = WORKFLOWS[name]()
        workload.BATCH = half_batch
        keras.distribution.set_distribution(both)
        # Both processes get the same log directory, and only the first one writes.
        more = {"log_dir": os.environ["LOG_DIR"]} if name == "count" else {}
        two = WORKFLOWS[name](share=half, **more)
        print(f"process {rank} of 2, {name}: {agree(one, two)}", flush=True)


if len(sys.argv) > 2 and sys.argv[1].isdigit():
    worker(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
else:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOG_DIR"] = folder
        printed, statuses = in_processes(__file__, sys.argv[1:])
        print(*printed, sep="\n")
        print("log files:", len(list(Path(folder).rglob("*tfevents*"))))
    sys.exit(0 if statuses == [0, 0] else 1)
