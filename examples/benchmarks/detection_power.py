"""Power benchmark: which method detects which shift from how many samples?

    python examples/benchmarks/detection_power.py --cache DIR [--draws 20]

The benchmark is "Failing Loudly" on Fashion-MNIST (`shifts.py` has the protocol). All methods
see the same unlabelled samples. Alpha is .05 for each method, and the first table shows whether
the false-alarm rate of a method is higher. `peers/setup` makes the environment of the peers
(other libraries). Results are kept in DIR, and another run continues from there. Use `--only ours`
after a change of our code, and `--only tables` to print the results. Run all methods with at least
20 draws before you quote a figure.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cache", type=Path, required=True, help="folder of data and results, 1.3 GB"
    )
    parser.add_argument("--peers", type=Path, help="environment of the peers; default DIR/peers")
    parser.add_argument("--draws", type=int, default=20, help="draws of each shift")
    parser.add_argument("--null-draws", type=int, default=100, help="draws without shift")
    parser.add_argument("--only", choices=["data", "peers", "ours", "tables"])
    parser.add_argument("--methods", nargs="*", default=[""], help="parts of the peers' names")
    return parser.parse_args()


def run_peers(args):
    environment = args.peers or args.cache / "peers"
    subprocess.run([HERE / "peers" / "setup", environment], check=True)
    command = [environment / "bin" / "python", "-W", "ignore", HERE / "peers" / "power.py"]
    command += ["--cache", args.cache, "--draws", str(args.draws)]
    command += ["--null-draws", str(args.null_draws), "--methods", *args.methods]
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    subprocess.run(command, check=True, env={**os.environ, **threads})


def main():
    args = parse()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if args.only != "tables":
        from peers.bench_data import prepare

        prepare(args.cache)
    if args.only in (None, "peers"):
        run_peers(args)
    if args.only in (None, "ours"):
        import power_ours

        power_ours.run(args.cache, args.draws, args.null_draws)
    if args.only != "data":
        import power_tables

        power_tables.show(args.cache)


if __name__ == "__main__":
    main()
