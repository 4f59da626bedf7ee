"""Hostile contents of a log, and the problem that the Shift tab shows for each."""

import numpy as np
from plugin.logs import GRID, as_json, histograms, histograms_content, scores, scores_content, state
from tensorboard.compat.proto import summary_pb2, tensor_pb2, types_pb2
from tensorboard.util import tensor_util

DEEP = b"[" * 60_000
DT_FLOAT, DT_VARIANT = types_pb2.DT_FLOAT, types_pb2.DT_VARIANT
CLASSES = {"v": 1, "name": "c", "streams": ["train", "validation"]}
SCALAR = summary_pb2.DATA_CLASS_SCALAR
NO_CLASS = summary_pb2.DATA_CLASS_UNKNOWN


def proto(dtype, shape, **fields):
    """Returns a tensor whose fields may contradict each other."""
    tensor = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def point(tag, value, message, content=b"", step=0, **more):
    """Returns a case in which one point is bad, or the description of its series."""
    return lambda log: log.add(f"shiftguard/{tag}", value, step, content, **more), message


def scored(value, message, content=None, **more):
    """Returns a case of a second series of scores."""
    content = scores_content() if content is None else content
    return point("scores/validation-train/1", value, message, content, **more)


def named(names, message, number=2):
    """Returns a case of scores with bad names of the features."""
    return scored(scores(*[1] * number), message, scores_content(names))


def binned(value, message, names=("c",), **content):
    """Returns a case of a second series of histograms."""
    return point("histograms/1", value, message, histograms_content(names, **content))


def classes(value, message, names):
    """Returns a case of a series of class counts."""
    return point("classes/1", np.float32(value), message, CLASSES | {"classes": names})


def last_state(value, message):
    """Returns a case of a bad last state."""
    return point("state", value, message, step=9)


BARS = histograms([0, 0])
NUMBERS_ABSURD = (
    b'{"v":1,"pair":["validation","train"],"names":["c","d"],"negligible":1e999,"total":-7}'
)
OTHER_TYPES = {
    "v": 1,
    "version": 7,
    "step": "x",
    "looks": -1,
    "alpha": [],
    "verdict": "all is well",
    "report": {"findings": {"a": 1}, "notes": [1, ["x"]], "kinds": None},
    "diagnosis": {"train": {"hints": 3, "by_input": {"train": DEEP.decode()[:50]}}},
    "columns": {"input": ["many", 10**400], "x" * 1000: None},
}
CONTRADICTION = proto(DT_FLOAT, [2, 9], tensor_content=b"1234567")
# Each case has a function that adds bad content to a good run, and the text of the problem that
# the tab must show. With None, the tab need not show a problem, but must not break.
CASES = {
    "scores float64": scored(scores(1, 2).astype(float), "not float32"),
    "scores text": scored(b"one, two", "not float32"),
    "scores shape": scored(scores(1, 2, 3), "1 of 1 points"),
    "scores scalar": scored(np.float32(1), "not float32"),
    "scores infinite": scored(scores(np.inf, 1e38) * -1, None, scores_content(["c", "d"])),
    "scores huge": scored(np.zeros((8, 250_000), np.float32), "not float32"),
    "content none": scored(scores(1, 2), "not JSON", b""),
    "content broken": scored(scores(1), "not JSON", b'{"v": 1'),
    "content bytes": scored(scores(1), "not JSON", b"\xff\xfe{}"),
    "content deep": scored(scores(1), "not JSON", DEEP),
    "content list": scored(scores(1), "no JSON object", b"[1]"),
    "content large": scored(scores(1), "larger than", scores_content(["x"], more="y" * 300_000)),
    "content newer": scored(scores(1, 2), "reads layout 1", scores_content(v=2)),
    "names many": named(list(map(str, range(1500))), "1 to 1,000 names", 1500),
    "names numbers": named([1, None], "names"),
    "names none": named([], "names", 1),
    "names an object": named({"a": 1}, "names", 1),
    "names twice": named(["a", "a"], None),
    "names equal when cut": named(["x" * 300, "x" * 200 + "y"], None),
    "pair missing": scored(scores(1, 2), "which two streams", scores_content(pair=["train"])),
    "numbers absurd": scored(scores(1, 2), None, NUMBERS_ABSURD),
    "number endless": scored(scores(1), "not JSON", b'{"v":1' + b"0" * 9000 + b"}"),
    "bars int32": binned(histograms([0, 0], [1, 1]).astype(np.int32), "not int16", ["c", "d"]),
    "bars of no stream": binned(BARS, "names", streams=[]),
    "bars beyond the grid": binned(BARS + np.int16(30_000), None),
    "bars downhill": binned(BARS[:, ::-1], None),
    "bars negative": binned(BARS * np.int16(-1), None),
    "bins a million": binned(BARS, "1 to 64 bins", bins=10**6),
    "grid endless": binned(BARS, "no grid", grid={**GRID, "bins_per_sign": 10**9}),
    "grid overflowing": binned(BARS, "no grid", grid={**GRID, "gamma": 99.0}),
    "grid of nothing": binned(BARS, "no grid", grid={"gamma": float("nan")}),
    "classes many": classes(np.zeros((2, 65)), "1 to 64 classes", list(map(str, range(65)))),
    "classes without counts": classes([[-1, np.nan], [0, np.inf]], None, ["x", "y"]),
    "tags without end": (
        lambda log: [
            log.add(f"shiftguard/classes/{i}", np.float32(1), 0, {"v": 2}) for i in range(300)
        ],
        "more than 256 tags",
    ),
    "tag of many words": point("scores/" + "<b>" * 500, scores(1), "reads layout 1", b"{}"),
    "tensor contradicts itself": scored(CONTRADICTION, "numbers"),
    "tensor of no type": scored(proto(DT_VARIANT, [2, 9], tensor_content=b"x"), None),
    "tensor of negative size": scored(proto(DT_FLOAT, [-2, 9], float_val=[1.0]), None),
    "tensor of four terabytes": scored(proto(DT_FLOAT, [2**40], float_val=[1.0]), "not float32"),
    "no tensor at all": scored(None, None),
    "no metadata": (
        lambda log: (log._described.add("stray"), log.add("stray", scores(1), 0)),
        None,
    ),
    "no data class": scored(scores(1), None, data_class=NO_CLASS),
    "scalar of text": point(
        "adaptation/strength/x", b"high", None, plugin="scalars", data_class=SCALAR
    ),
    "state of numbers": last_state(np.ones(3), "no single text"),
    "state broken": last_state(b"{", "not JSON"),
    "state deep": last_state(DEEP, "not JSON"),
    "state large": last_state(state(9, more="x" * 70_000), "larger than 65,536 bytes"),
    "state list": last_state(b"[]", "no JSON object"),
    "state newer": last_state(state(9, v=2, version="7.0"), "keras-shiftguard 7.0"),
    "state of texts": last_state(tensor_util.make_tensor_proto([b"{}", b"{}"]), "no single text"),
    "state of other types": last_state(as_json(OTHER_TYPES), None),
    "steps beyond counting": (
        lambda log: [
            log.add("shiftguard/state", state(0), step, wall_time=float("nan"))
            for step in (-5, 2**62)
        ],
        None,
    ),
}
