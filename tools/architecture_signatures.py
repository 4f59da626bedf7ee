"""Writes or checks the structural signatures in `preprocessing/expected/architectures.py`.

The tool builds each network of `keras.applications` without weights and takes fingerprints of its
trunk (the network without its top), which make up its signature. Run the tool when Keras changes a
network or adds one.

    python tools/architecture_signatures.py            # writes
    python tools/architecture_signatures.py --check    # exit status 1 if any differs
"""

import argparse
import gc
import inspect
import sys
import textwrap
from pathlib import Path

import keras

from keras_shiftguard.instrument.graph import flatten
from keras_shiftguard.preprocessing.expected.architectures import (
    ARCHITECTURES,
    SIGNATURES,
    Signature,
)
from keras_shiftguard.preprocessing.expected.recognition import (
    IMAGE,
    body,
    fingerprints,
    is_convolution,
)

ROOM = Path(__file__).parents[1] / "keras_shiftguard" / "preprocessing" / "expected"
TABLE = ROOM / "architectures.py"
BEGIN, END = "# <signatures>\n", "# </signatures>\n"
# With fewer convolutions that agree, a network is not recognized. A convention.
MIN_CONVOLUTIONS = 12
# Families of which half a trunk is no evidence: half of a VGG is just a chain of 3x3 convolutions.
WHOLE_ONLY = ("VGG",)
# Other forms in which Keras builds networks, with the arguments for them. NASNet wires its cells
# differently if it does not know the size of the image.
VARIANTS: list[tuple[str, str, dict[str, object]]] = [
    ("MobileNet", "width", {}),
    ("MobileNetV2", "width", {}),
    ("MobileNetV3Large", "width", {}),
    ("MobileNetV3Small", "width", {}),
    ("MobileNetV3Large", "minimalistic", {"minimalistic": True}),
    ("MobileNetV3Small", "minimalistic", {"minimalistic": True}),
    ("NASNetMobile", "any-size", {"input_shape": (None, None, 3)}),
    ("NASNetLarge", "any-size", {"input_shape": (None, None, 3)}),
]


def sign(name: str, variant: str | None = None, **kwargs: object) -> tuple[Signature, set[str]]:
    """Returns the signature of one network, and all of its fingerprints."""
    size = ARCHITECTURES[name].size
    kwargs = {"input_shape": (size, size, 3), **kwargs}
    model = getattr(keras.applications, name)(weights=None, include_top=False, **kwargs)
    steps = flatten(model)
    prints = fingerprints(steps, filters=variant is None)
    counts = [sum(is_convolution(steps[i]) for i in body(steps, n)) for n in range(len(steps))]
    total = counts[-1]
    enough = max(MIN_CONVOLUTIONS, -(-total // 2))
    half = None
    if ARCHITECTURES[name].family not in WHOLE_ONLY:
        merges = any(len(s.parents) > 1 for s in steps)
        half = next(
            p
            for p, s, count in zip(prints, steps, counts, strict=True)
            if count >= enough and (len(s.parents) > 1 or not merges)
        )
    found = Signature(name, variant, total, prints[-1], half)
    del model
    keras.utils.clear_session()
    gc.collect()
    return found, set(prints) - {IMAGE}


def sign_all(only: list[str] | None = None) -> list[Signature]:
    """Returns the signatures of all networks, or of those named, in the table's order."""
    jobs = [(n, None, {}) for n in ARCHITECTURES] + VARIANTS
    made = []
    for name, variant, kwargs in jobs:
        if only and name not in only:
            continue
        made.append(sign(name, variant, **kwargs))
        print(made[-1][0], file=sys.stderr, flush=True)
    signatures = []
    for signature, _ in made:
        others = tuple(
            other.name
            for other, prints in made
            if other.variant == signature.variant != "width"
            and other.name != signature.name
            and signature.half in prints
        )
        signatures.append(signature._replace(half_shared_with=others))
    trunks = [s.trunk for s in signatures]
    assert len(set(trunks)) == len(trunks), "two networks cannot be told apart"
    return signatures


def main() -> int:
    """Writes the signatures or checks them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", nargs="*", help="with --check: these networks")
    args = parser.parse_args()
    known = {n for n, f in vars(keras.applications).items() if inspect.isfunction(f)}
    if known != set(ARCHITECTURES):
        print("keras.applications and the table differ:", known ^ set(ARCHITECTURES))
        return 1
    signatures = sign_all(args.only)
    if args.check:
        # `half_shared_with` is not compared, because it is complete only if all networks are built.
        known_signatures = [s._replace(half_shared_with=()) for s in SIGNATURES]
        wrong = [s for s in signatures if s._replace(half_shared_with=()) not in known_signatures]
        print(f"{len(signatures) - len(wrong)} of {len(signatures)} signatures agree", wrong or "")
        return 1 if wrong else 0
    rows = []
    for s in signatures:
        row = ", ".join(map(repr, s[:5])).replace("'", '"')
        if s.half_shared_with:
            row += ", " + repr(s.half_shared_with).replace("'", '"')
        rows.append(f"Signature({row}),")
    lines = textwrap.indent("\n".join(rows), "    ")
    block = f"SIGNATURES: tuple[Signature, ...] = (\n{lines}\n)\n"
    text = TABLE.read_text()
    head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    TABLE.write_text(head + block + tail)
    return 0


if __name__ == "__main__":
    sys.exit(main())
