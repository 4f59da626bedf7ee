"""Fuzzes one reader with atheris, coverage-guided, from the corpus beside this file.

    python tests/fuzz/run.py events --inputs 1000000

Atheris 3 runs on Python 3.11: `pip install atheris`. The run ends at a crash, or if one input takes
more than ten seconds or 2 GB. That input is left in a file.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
READERS = ("profile", "array", "events", "images", "model")
# The modules whose branches guide the fuzzer: those that read, not those that compute.
WATCHED = [
    *("keras_shiftguard.io.npz", "keras_shiftguard.io.images", "keras_shiftguard.profiles"),
    *("keras_shiftguard_cli.reading", "tensorboard_plugin_shiftguard"),
]
SHARED_MEMORY = "/dev/shm"  # for the files of an input, if this folder exists


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    import atheris  # not needed to run the corpus

    if arguments.reader == "events":
        sys.modules["tensorflow"] = None  # neither the tab nor TensorBoard needs it
    place = SHARED_MEMORY if os.path.isdir(SHARED_MEMORY) else None
    folder = Path(tempfile.mkdtemp(dir=place))
    with atheris.instrument_imports(include=WATCHED):
        from fuzz.readers import reader

        read = reader(arguments.reader, folder)
        # Imports at the first use take seconds, so the corpus is read once before the fuzzing.
        for path in sorted((HERE / "corpus" / arguments.reader).iterdir()):
            read(path.read_bytes())
    count, past, start = 0, 0, time.monotonic()

    def one_input(data):
        nonlocal count, past
        past += bool(read(data))
        count += 1
        if count % 10_000 == 0 or count == arguments.inputs:
            print(
                f"{arguments.reader}: {count:,} inputs, {past:,} past the header check, "
                f"{time.monotonic() - start:.0f} s",
                flush=True,
            )

    # libFuzzer writes new inputs to the first folder.
    grown = folder / "grown"
    grown.mkdir()
    options = [f"-runs={arguments.inputs}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"]
    options += [f"-seed={arguments.seed}", "-verbosity=0"]
    corpus = HERE / "corpus" / arguments.reader
    atheris.Setup([sys.argv[0], *options, str(grown), str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
