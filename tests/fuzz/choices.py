"""Decisions from bytes: the bytes that a fuzzer mutates decide how a test input is built."""

import json
import math
from copy import deepcopy

# Values that a reader may not expect: other types, limits of types, words with a special meaning.
STRANGE = (
    *(None, True, False, 0, 1, -1, 3, 2**31, 2**53, 2**63, 10**30, -(2**63)),
    *(0.5, -0.0, 1e308, -1e308, math.nan, math.inf, -math.inf),
    *("", "x", "0", "train", "validation", "input", "\ud800", "\u0661", "__proto__", "=type"),
    *([], {}, [[]], [0] * 300, ["=array"], ["=triangle", 96], ["=triangle", 10**9]),
    *({"=type": "Moments"}, {"=type": "InputProfile"}, {"a": {"b": 1}}, "y" * 2000),
    json.loads("[" * 200 + "]" * 200),
)


class Choices:
    """Reads decisions from bytes. After the last byte, each decision is the first option."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def below(self, n):
        """Returns a whole number below n."""
        size = 1 if n <= 256 else 2 if n <= 65536 else 4
        found = int.from_bytes(self.chunk(size), "little")
        return found % n if n else 0

    def chunk(self, size):
        """Returns the next `size` bytes, or fewer at the end."""
        found = self.data[self.at : self.at + size]
        self.at += size
        return found

    def pick(self, options):
        return options[self.below(len(options))]

    @property
    def rest(self):
        return self.data[self.at :]


def damaged(choices, tree, times):
    """Changes a JSON tree in place, `times` times, and returns it."""
    top = [tree]
    for _ in range(times):
        place, key = top, 0
        while isinstance(place[key], (dict, list)) and place[key]:
            # The whole tree is seldom replaced, because readers refuse anything but a dict at once.
            if choices.below(30) >= (29 if place is top else 24):
                break
            place = place[key]
            key = choices.pick(sorted(place) if isinstance(place, dict) else range(len(place)))
        what = choices.below(6)
        if what == 0 and place is not top:
            del place[key]
        elif what == 1 and isinstance(place, dict):
            name = choices.pick(("x", "=type", "num_samples", "names"))
            place[name] = deepcopy(place[key])
        elif what == 2 and isinstance(place[key], int):
            place[key] = choices.pick((place[key] + 1, -place[key], place[key] * 1000))
        elif what == 3 and isinstance(place[key], list) and 0 < len(place[key]) <= 8:
            place[key] = place[key] * choices.pick((2, 40))
        else:
            place[key] = deepcopy(choices.pick(STRANGE))
    return top[0]


def scrambled(choices, data, most):
    """Returns the bytes after up to `most` changes, each of which changes or removes some bytes."""
    data = bytearray(data)
    for _ in range(choices.below(most + 1)):
        if not data:  # all were removed: a `chunk` may be empty
            break
        at = choices.below(len(data))
        what = choices.below(4)
        if what == 0:
            data[at] = choices.below(256)
        elif what == 1:
            data[at] ^= 1 << choices.below(8)
        elif what == 2:
            data[at : at + 4] = choices.pick((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
        elif choices.below(8) == 0:
            del data[at + 1 :]
        else:
            data[at : at + 2] = choices.chunk(2)
    return bytes(data)
