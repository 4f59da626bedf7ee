"""Cost of a check: CPU time and stored bytes of keras_shiftguard and other libraries (peers).

    python examples/benchmarks/detection_cost.py --cache DIR

The data are standard normal columns, d = 32 and 2048, with n = 100 to 10,000 samples to check.
The reference has m = 10,000 samples for our check and alibi-detect's KS, and 1,000 for the other
peers, because the permutations of LSDD and MMD cost (n + m)^2. Each case runs in a process of its
own with one thread. The script prints the CPU milliseconds (the median of 5 after a warm-up), the
KiB of the arrays that are kept for the reference, and the MiB by which the process grew. The cases
of MMD take seconds and are run once; frouros is run only at d = 32 and n = 100. Our check is run in
two ways. "Profiles" compares two finished profiles, as in a fit. "Samples" also makes the profile
of the samples. For our check, the KiB are those of the saved reference profile, which holds
everything that a check needs.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = ("alibi KS", "alibi LSDD", "alibi classifier", "alibi MMD", "torchdrift MMD", "frouros MMD")
SLOW = ("alibi MMD", "torchdrift MMD", "frouros MMD")
OURS = ("ours, profiles", "ours, samples")
DIMENSIONS = (32, 2048)
SIZES = (100, 1000, 10_000)


def is_run(name, d, n):
    """Returns whether a case is run: most peers to n = 1000, frouros only at n = 100 and d = 32."""
    if name in ("alibi KS", *OURS):
        return True
    return n <= 100 and d == 32 if name == "frouros MMD" else n <= 1000


def ours(args):
    """Runs one case of our check in this process, which was started for it; prints JSON."""
    import tempfile

    import numpy as np
    from peers.timing import measure

    from keras_shiftguard.detection.look import compare_profiles
    from keras_shiftguard.instrument.measure import profile

    rng = np.random.default_rng(0)
    reference = profile(rng.standard_normal((10_000, args.d)).astype("float32"))
    x = rng.standard_normal((args.n, args.d)).astype("float32")
    known = profile(x)

    def verdict(current):
        return compare_profiles(
            reference, current, stream="current", against="reference", level=0.05
        )

    if args.case == "ours, profiles":
        found = measure(lambda: verdict, known, args.repeats)
    else:
        found = measure(lambda: lambda data: verdict(profile(data)), x, args.repeats)
    with tempfile.TemporaryDirectory() as folder:
        reference.save(Path(folder) / "reference.profile")
        found["bytes"] = (Path(folder) / "reference.profile").stat().st_size
    print(json.dumps(found))


def child(command):
    libraries = ("OMP", "OPENBLAS", "MKL", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
    threads = {(f"{x}_THREADS" if "TF" in x else f"{x}_NUM_THREADS"): "1" for x in libraries}
    environment = {**os.environ, **threads, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    out = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True
    )
    if out.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{out.stderr[-2000:]}")
    return json.loads(out.stdout.strip().splitlines()[-1])


def case(args, name, d, n):
    repeats = 1 if name in SLOW else args.repeats
    size = ["-d", d, "-n", n, "--repeats", repeats]
    if name in OURS:
        return child([sys.executable, "-W", "ignore", __file__, "--case", name, *size])
    python = (args.peers or args.cache / "peers") / "bin" / "python"
    script = HERE / "peers" / "cost.py"
    return child([python, "-W", "ignore", script, "--method", name, *size])


def show(found, d):
    """Prints the table of one dimension, and the time of each peer as a multiple of ours."""
    print(f"\nd = {d}: CPU milliseconds a check; KiB kept for a reference; MiB the process grew")
    print(f"{'method':20}" + "".join(f"{f'n={n}':>12}" for n in SIZES) + f"{'KiB':>12}{'MiB':>8}")
    for name in (*PEERS, *OURS):
        rows = [found.get((name, d, n)) for n in SIZES]
        cells = [f"{1000 * row['cpu']:.1f}" if row else "-" for row in rows]
        some = [row for row in rows if row]
        if some:
            kept, grown = some[-1]["bytes"] / 1024, max(row["rss"] for row in some)
            print(f"{name:20}" + "".join(f"{c:>12}" for c in cells) + f"{kept:>12.0f}{grown:>8.0f}")
    for own in OURS:
        for name in PEERS:
            ratios = [
                f"{found[name, d, n]['cpu'] / found[own, d, n]['cpu']:.1f}"
                if (name, d, n) in found and (own, d, n) in found
                else "-"
                for n in SIZES
            ]
            print(f"{name} / {own:16}".ljust(40) + "".join(f"{ratio:>10}" for ratio in ratios))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cache", type=Path, help="folder of the results and of the peers' environment"
    )
    parser.add_argument("--peers", type=Path, help="environment of the peers; default DIR/peers")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=["peers", "ours"])
    parser.add_argument("--case", choices=OURS, help="internal")
    parser.add_argument("-d", type=int)
    parser.add_argument("-n", type=int)
    args = parser.parse_args()
    if args.case:
        return ours(args)
    path = args.cache / "cost.json"
    found = {}
    if path.exists() and args.only:  # the cases that are not run again are kept
        found = {(name, d, n): row for name, d, n, row in json.loads(path.read_text())}
    if args.only != "ours":
        subprocess.run([HERE / "peers" / "setup", args.peers or args.cache / "peers"], check=True)
    names = {"peers": PEERS, "ours": OURS}.get(args.only, (*PEERS, *OURS))
    once = ", ".join(SLOW)
    print(f"load {os.getloadavg()[0]:.1f}, 1 thread, median of {args.repeats}, of 1: {once}")
    sys.stdout.flush()
    for d in DIMENSIONS:
        for name in names:
            for n in SIZES:
                if is_run(name, d, n):
                    found[name, d, n] = case(args, name, d, n)
                    path.write_text(json.dumps([[*key, row] for key, row in found.items()]))
        show(found, d)


if __name__ == "__main__":
    main()
