"""Shift detection benchmarks: one command for each table.

    python examples/benchmarks/detection.py calibration single
    python examples/benchmarks/detection.py calibration fit --fits 500 --epochs 100
    python examples/benchmarks/detection.py fits --runs 50
    python examples/benchmarks/detection.py power --cache DIR --draws 20
    python examples/benchmarks/detection.py cost --cache DIR
    python examples/benchmarks/detection.py causes CLEAN.npz CORRUPTED.npz
    python examples/benchmarks/detection.py pipelines --runs 2 --right 20
    python examples/benchmarks/detection.py overhead --variants plain,guard

Each command runs a script of its own beside this one, and takes `--help`.
"""

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = {
    "calibration": "detection_calibration.py",
    "fits": "detection_fits.py",
    "power": "detection_power.py",
    "cost": "detection_cost.py",
    "causes": "detection_causes.py",
    "pipelines": "detection_pipelines.py",
    "overhead": "step_overhead.py",
}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in SCRIPTS:
        sys.exit(f"{__doc__}\nThe first argument must be one of: {', '.join(SCRIPTS)}")
    script = HERE / SCRIPTS[sys.argv[1]]
    sys.argv = [str(script), *sys.argv[2:]]
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
