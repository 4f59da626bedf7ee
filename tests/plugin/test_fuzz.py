"""Fuzz tests: any request about any log is answered, with data or with an error message."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from plugin.logs import (
    Tab,
    as_json,
    histograms,
    histograms_content,
    opened,
    scores,
    scores_content,
    state,
    strict_json,
    write_small_run,
)
from plugin.test_gap import REPORT
from tensorboard.data import provider

pytestmark = pytest.mark.thorough

RUN = "first/shiftguard"
ROUTES = (
    *("runs", "overview", "verdict", "curves", "feature", "adaptation", "gap"),
    *("pictures", "picture"),
)
# The same examples in every run, so that a failure can be reproduced.
FIXED = {"deadline": None, "derandomize": True, "database": None}


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs")
    write_small_run(path / "first" / "shiftguard")
    with opened(path) as tab:
        yield tab


def check(answer):
    """Checks an answer. Status 503 is not allowed, because the data can be read here."""
    assert answer.status_code in {200, 400, 404, 422}, answer.text
    assert answer.content_type == "application/json"
    body = strict_json(answer.text)
    if answer.status_code != 200:
        assert set(body) == {"error"} and len(body["error"]) > 10
    assert len(answer.data) <= 1_000_000


anything = st.text(max_size=30)
arguments = st.dictionaries(
    st.sampled_from(["run", "pair", "step", "name", "epoch", "row", "number", "x"]),
    st.one_of(
        anything,
        st.sampled_from(
            [RUN, "a", "labels", "0", "1", "-1", "9" * 400, "1.5", "\u0661", "", "nan"]
        ),
        st.lists(st.sampled_from(["a", "b", "labels", "zz"]), max_size=40),
    ),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], **FIXED)
@given(route=st.sampled_from(ROUTES), arguments=arguments)
def test_any_question(tab, route, arguments):
    check(tab.get(route, **arguments))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], **FIXED)
@given(route=st.sampled_from(ROUTES), query=st.binary(max_size=60))
def test_any_bytes_as_a_question(tab, route, query):
    query = "".join(f"%{byte:02x}" if byte > 126 or byte < 33 else chr(byte) for byte in query)
    check(tab.client.get(f"{tab.root}{route}?run=first%2Fshiftguard&{query}"))


class FakeData:
    """A data provider with one run, whose series the test chooses."""

    def __init__(self, series, scalars):
        self.series, self.scalars = series, scalars

    def list_runs(self, **_):
        return [SimpleNamespace(run_name=RUN)]

    def list_tensors(self, run_tag_filter, **_):
        return {RUN: {tag: self._listed(content) for tag, (content, _) in self.series.items()}}

    def list_scalars(self, **_):
        return {RUN: {tag: self._listed(b"") for tag in self.scalars}}

    def read_tensors(self, run_tag_filter, downsample, **_):
        found = {tag: points[-downsample:] for tag, (_, points) in self.series.items()}
        return {RUN: {tag: found[tag] for tag in run_tag_filter.tags or found if tag in found}}

    def read_scalars(self, run_tag_filter, **_):
        return {RUN: {tag: self.scalars[tag] for tag in run_tag_filter.tags}}

    def _listed(self, content):
        return provider.TensorTimeSeries(
            max_step=0, max_wall_time=0, plugin_content=content, description="", display_name=""
        )


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=10),
        st.sampled_from([-1, 0, 2**53, 10**30, 1e308, "train", "a", "\ud800", "__proto__"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw, good):
    """Draws valid JSON with up to three values replaced at random places, or random bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=40))
    value = {"all": copy.deepcopy(good)}
    for _ in range(draw(st.integers(0, 3))):
        place, key = value, "all"
        while isinstance(place[key], (dict, list)) and place[key] and draw(st.booleans()):
            place = place[key]
            key = draw(
                st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
            )
        place[key] = draw(json_values)
    return as_json(value["all"])


def points(good):
    """Generates points of a series, with valid arrays and with arrays of other types and shapes."""
    numbers = st_numpy.arrays(
        st.sampled_from([np.float32, np.int16, np.float64, np.bool_, np.complex64]),
        st.sampled_from([good.shape, (), (0,), (1, 9), good.shape[::-1]]),
    )
    same = st_numpy.arrays(good.dtype, good.shape) if good.dtype != object else st.nothing()
    texts = st.binary(max_size=20).map(lambda text: np.array(text, object))
    value = st.one_of(st.just(good), same, numbers, texts)
    step = st.one_of(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1))
    datum = st.builds(provider.TensorDatum, step=step, wall_time=st.floats(), numpy=value)
    return st.lists(datum, max_size=4)


def words(good):
    """Generates points that hold JSON text, which may be damaged."""
    value = damaged(good).map(lambda text: np.array(text, object))
    datum = st.builds(
        provider.TensorDatum, step=st.integers(0, 3), wall_time=st.floats(), numpy=value
    )
    return st.lists(datum, max_size=3)


FINDING = {
    "feature": "a",
    "kind": "covariate",
    "effect_size": 1.0,
    "interval": [0.5, 1.5],
    "since": 1,
    "stream": "validation",
    "against": "train",
    "explanation": "Validation images are darker: mean brightness 1 against 2 in training",
    "cost": 0.02,
    "cost_interval": [0.01, 0.03],
}
LABELS = FINDING | {"kind": "label", "cost": None}
DIAGNOSIS = {"status": "mismatch", "expected": {"mode": "tf", "scale": [1.0]}, "evidence": ["x"]}
DIAGNOSIS |= {"value_range": [0, 255], "by_input": {}}
STATE = strict_json(state().decode()) | {
    "report": {"findings": [FINDING, LABELS], "notes": ["x"]},
    "columns": {"input": ["age", "bmi"]},
    "tolerance": 0.01,
    "adapts": True,
}
WRONG = STATE | {"diagnosis": {"train": DIAGNOSIS}, "corrected": {"train": 1}}
GAP = strict_json(as_json({**REPORT.to_dict(), "v": 1}).decode())
CLASSES = {"v": 1, "name": "labels", "classes": ["0", "other"], "streams": ["train", "validation"]}
series = st.fixed_dictionaries(
    {},
    optional={
        "shiftguard/state": st.tuples(st.just(b""), words(STATE) | words(WRONG)),
        "shiftguard/gap": st.tuples(st.just(b""), words(GAP)),
        "shiftguard/curves": st.tuples(st.just(b""), words({"accuracy": 0.5, "val_accuracy": 0.4})),
        "shiftguard/scores/validation-train/0": st.tuples(
            damaged(scores_content()), points(scores(1, 2))
        ),
        "shiftguard/scores/train-the-first-epoch/0": st.tuples(
            damaged(scores_content(pair=["train", "the first epoch"])), points(scores(1, 2))
        ),
        "shiftguard/histograms/0": st.tuples(
            damaged(histograms_content()), points(histograms([0, 1], [2, 3]))
        ),
        "shiftguard/classes/0": st.tuples(damaged(CLASSES), points(np.ones((2, 2), np.float32))),
    },
)
curves = st.dictionaries(
    st.text(max_size=5).map("shiftguard/adaptation/".__add__),
    st.lists(
        st.builds(
            provider.ScalarDatum,
            step=st.integers(-1, 3),
            wall_time=st.floats(),
            value=st.one_of(st.floats(), st.binary(max_size=3), st.booleans(), st.integers()),
        ),
        max_size=3,
    ),
    max_size=2,
)


@pytest.fixture(scope="module")
def empty_tab():
    return Tab(None)


@pytest.mark.thorough
@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    **FIXED,
)
@given(series=series, scalars=curves)
def test_any_log(empty_tab, series, scalars):
    tab = empty_tab
    tab.plugin._data = FakeData(series, scalars)
    check(tab.get("runs"))
    for arguments in ({}, {"pair": 1}):
        check(tab.get("overview", run=RUN, **arguments))
    for name in ("a", "b", "labels"):
        check(tab.get("feature", run=RUN, name=name))
    for route in ("adaptation", "curves", "gap"):
        check(tab.get(route, run=RUN))
    check(tab.get("verdict", run=RUN, step=1))
