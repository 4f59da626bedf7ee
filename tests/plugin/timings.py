"""Measures the time of each route on a log, with both of TensorBoard's readers.

    python examples/benchmarks/shift_tab_runs.py logs/tab --features 1000 --epochs 200 --runs 4
    PYTHONPATH=tests python tests/plugin/timings.py logs/tab

Each time is the best of five requests. The plugin runs in this process, without a network; the data
server runs in a process of its own. Bytes are counted before compression.
"""

import sys
import time
from pathlib import Path

from plugin.logs import PROVIDERS, opened


def main(log_dir):
    for kind in PROVIDERS:
        with opened(log_dir, kind) as tab:
            # The data server goes on reading after its first answers.
            time.sleep(5 if kind == PROVIDERS[0] else 0)
            run = tab.ask("runs")["runs"][0]["id"]
            answer = tab.ask("overview", run=run)
            names = [feature["name"] for feature in answer["features"]]
            print(f"{kind}: {len(names)} features x {len(answer['steps'])} steps")
            for route, arguments in (
                ("runs", {}),
                ("overview", {}),
                ("feature", {"name": names[0]}),
                ("adaptation", {}),
            ):
                best, size = min(once(tab, route, run, arguments) for _ in range(5))
                print(f"  {route:10} {1000 * best:6.0f} ms {size:9,} bytes", *sorted(arguments))


def once(tab, route, run, arguments):
    start = time.perf_counter()
    answer = tab.get(route, run=run, **arguments)
    return time.perf_counter() - start, len(answer.data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
