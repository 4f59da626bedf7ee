"""Hostile contents of a log, and the problem that the Shift tab shows for each."""

import numpy as np
from plugin.logs import GRID, as_json, histograms, histograms_content, scores, scores_content, state
from tensorboard.compat.proto import summary_pb2, tensor_pb2, types_pb2
from tensorboard.util import tensor_util

BAD_SCORES = "shiftguard/scores/validation-train/1"
BAD_BARS = "shiftguard/histograms/1"
DEEP = b"[" * 60_000


def proto(dtype, shape, **fields):
    """Returns a tensor whose fields may contradict each other."""
    tensor = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


# Each case has a function that adds bad content to a good run, and the text of the problem that
# the tab must show. With None, the tab need not show a problem, but must not break.
CASES = {
    "scores float64": (
        lambda log: log.add(BAD_SCORES, scores(1, 2).astype(float), 0, scores_content()),
        "not float32",
    ),
    "scores text": (
        lambda log: log.add(BAD_SCORES, b"one, two", 0, scores_content()),
        "not float32",
    ),
    "scores shape": (
        lambda log: log.add(BAD_SCORES, scores(1, 2, 3), 0, scores_content()),
        "1 of 1 points",
    ),
    "scores scalar": (
        lambda log: log.add(BAD_SCORES, np.float32(1), 0, scores_content()),
        "not float32",
    ),
    "scores infinite": (
        lambda log: log.add(BAD_SCORES, scores(np.inf, 1e38) * -1, 0, scores_content(["c", "d"])),
        None,
    ),
    "scores huge": (
        lambda log: log.add(BAD_SCORES, np.zeros((8, 250_000), np.float32), 0, scores_content()),
        "not float32",
    ),
    "content none": (lambda log: log.add(BAD_SCORES, scores(1, 2), 0), "not JSON"),
    "content broken": (lambda log: log.add(BAD_SCORES, scores(1), 0, b'{"v": 1'), "not JSON"),
    "content bytes": (lambda log: log.add(BAD_SCORES, scores(1), 0, b"\xff\xfe{}"), "not JSON"),
    "content deep": (lambda log: log.add(BAD_SCORES, scores(1), 0, DEEP), "not JSON"),
    "content list": (lambda log: log.add(BAD_SCORES, scores(1), 0, b"[1]"), "no JSON object"),
    "content large": (
        lambda log: log.add(BAD_SCORES, scores(1), 0, scores_content(["x"], more="y" * 300_000)),
        "larger than",
    ),
    "content newer": (
        lambda log: log.add(BAD_SCORES, scores(1, 2), 0, scores_content(v=2)),
        "another layout",
    ),
    "names many": (
        lambda log: log.add(
            BAD_SCORES, scores(*[0] * 1500), 0, scores_content(list(map(str, range(1500))))
        ),
        "1 to 1,000 names",
    ),
    "names numbers": (
        lambda log: log.add(BAD_SCORES, scores(1, 2), 0, scores_content([1, None])),
        "names",
    ),
    "names none": (lambda log: log.add(BAD_SCORES, scores(1), 0, scores_content([])), "names"),
    "names an object": (
        lambda log: log.add(BAD_SCORES, scores(1), 0, scores_content({"a": 1})),
        "names",
    ),
    "names twice": (
        lambda log: log.add(BAD_SCORES, scores(1, 2), 0, scores_content(["a", "a"])),
        None,
    ),
    "names equal when cut": (
        lambda log: log.add(
            BAD_SCORES, scores(1, 2), 0, scores_content(["x" * 300, "x" * 200 + "y"])
        ),
        None,
    ),
    "pair missing": (
        lambda log: log.add(BAD_SCORES, scores(1, 2), 0, scores_content(pair=["train"])),
        "which two streams",
    ),
    "numbers absurd": (
        lambda log: log.add(
            BAD_SCORES,
            scores(1, 2),
            0,
            b'{"v":1,"pair":["validation","train"],"names":["c","d"],"negligible":1e999,"total":-7}',
        ),
        None,
    ),
    "number endless": (
        lambda log: log.add(BAD_SCORES, scores(1), 0, b'{"v":1' + b"0" * 9000 + b"}"),
        "not JSON",
    ),
    "bars int32": (
        lambda log: log.add(
            BAD_BARS, histograms([0, 0], [1, 1]).astype(np.int32), 0, histograms_content(["c", "d"])
        ),
        "not int16",
    ),
    "bars of no stream": (
        lambda log: log.add(BAD_BARS, histograms([0, 0]), 0, histograms_content(["c"], [])),
        "names",
    ),
    "bars beyond the grid": (
        lambda log: log.add(
            BAD_BARS, histograms([0, 0]) + np.int16(30_000), 0, histograms_content(["c"])
        ),
        None,
    ),
    "bars downhill": (
        lambda log: log.add(BAD_BARS, histograms([0, 0])[:, ::-1], 0, histograms_content(["c"])),
        None,
    ),
    "bars negative": (
        lambda log: log.add(
            BAD_BARS, histograms([0, 0]) * np.int16(-1), 0, histograms_content(["c"])
        ),
        None,
    ),
    "bins a million": (
        lambda log: log.add(BAD_BARS, histograms([0, 0]), 0, histograms_content(["c"], bins=10**6)),
        "1 to 64 bins",
    ),
    "grid endless": (
        lambda log: log.add(
            BAD_BARS,
            histograms([0, 0]),
            0,
            histograms_content(["c"], grid={**GRID, "bins_per_sign": 10**9}),
        ),
        "no grid",
    ),
    "grid overflowing": (
        lambda log: log.add(
            BAD_BARS,
            histograms([0, 0]),
            0,
            histograms_content(["c"], grid={**GRID, "gamma": 99.0}),
        ),
        "no grid",
    ),
    "grid of nothing": (
        lambda log: log.add(
            BAD_BARS, histograms([0, 0]), 0, histograms_content(["c"], grid={"gamma": float("nan")})
        ),
        "no grid",
    ),
    "classes many": (
        lambda log: log.add(
            "shiftguard/classes/1",
            np.zeros((1, 65), np.float32),
            0,
            {"v": 1, "name": "c", "classes": list(map(str, range(65))), "streams": ["train"]},
        ),
        "1 to 64 classes",
    ),
    "classes without counts": (
        lambda log: log.add(
            "shiftguard/classes/1",
            np.array([[-1, np.nan], [0, np.inf]], np.float32),
            0,
            {"v": 1, "name": "c", "classes": ["x", "y"], "streams": ["train", "validation"]},
        ),
        None,
    ),
    "tags without end": (
        lambda log: [
            log.add(f"shiftguard/classes/{i}", np.float32(1), 0, {"v": 2}) for i in range(300)
        ],
        "more than 256 tags",
    ),
    "tag of many words": (
        lambda log: log.add("shiftguard/scores/" + "<b>" * 500, scores(1), 0, b"{}"),
        "another layout",
    ),
    "tensor contradicts itself": (
        lambda log: log.add(
            BAD_SCORES,
            proto(types_pb2.DT_FLOAT, [2, 9], tensor_content=b"1234567"),
            0,
            scores_content(),
        ),
        "numbers",
    ),
    "tensor of no type": (
        lambda log: log.add(
            BAD_SCORES,
            proto(types_pb2.DT_VARIANT, [2, 9], tensor_content=b"x"),
            0,
            scores_content(),
        ),
        None,
    ),
    "tensor of negative size": (
        lambda log: log.add(
            BAD_SCORES, proto(types_pb2.DT_FLOAT, [-2, 9], float_val=[1.0]), 0, scores_content()
        ),
        None,
    ),
    "tensor of four terabytes": (
        lambda log: log.add(
            BAD_SCORES, proto(types_pb2.DT_FLOAT, [2**40], float_val=[1.0]), 0, scores_content()
        ),
        "not float32",
    ),
    "no tensor at all": (lambda log: log.add(BAD_SCORES, None, 0, scores_content()), None),
    "no metadata": (
        lambda log: (log._described.add("stray"), log.add("stray", scores(1), 0)),
        None,
    ),
    "no data class": (
        lambda log: log.add(
            BAD_SCORES, scores(1), 0, scores_content(), data_class=summary_pb2.DATA_CLASS_UNKNOWN
        ),
        None,
    ),
    "scalar of text": (
        lambda log: log.add(
            "shiftguard/adaptation/strength/x",
            b"high",
            0,
            b"",
            "scalars",
            summary_pb2.DATA_CLASS_SCALAR,
        ),
        None,
    ),
    "state of numbers": (
        lambda log: log.add("shiftguard/state", np.ones(3), 9),
        "no single text",
    ),
    "state broken": (lambda log: log.add("shiftguard/state", b"{", 9), "not JSON"),
    "state deep": (lambda log: log.add("shiftguard/state", DEEP, 9), "not JSON"),
    "state large": (
        lambda log: log.add("shiftguard/state", state(9, more="x" * 70_000), 9),
        "larger than 65,536 bytes",
    ),
    "state list": (lambda log: log.add("shiftguard/state", b"[]", 9), "no JSON object"),
    "state newer": (
        lambda log: log.add("shiftguard/state", state(9, v=2, version="7.0"), 9),
        "keras-shiftguard 7.0",
    ),
    "state of texts": (
        lambda log: log.add("shiftguard/state", tensor_util.make_tensor_proto([b"{}", b"{}"]), 9),
        "no single text",
    ),
    "state of other types": (
        lambda log: log.add(
            "shiftguard/state",
            as_json(
                {
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
            ),
            9,
        ),
        None,
    ),
    "steps beyond counting": (
        lambda log: [
            log.add("shiftguard/state", state(0), step, wall_time=float("nan"))
            for step in (-5, 2**62)
        ],
        None,
    ),
}
