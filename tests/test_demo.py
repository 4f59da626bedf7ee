"""The demo makes the same claims when it runs on fewer crops."""

import contextlib
import io
import re
from pathlib import Path

import demo
import pytest

pytestmark = pytest.mark.slow_on_tensorflow


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Runs the demo; returns its exit status, its output and the folder of its photos and logs."""
    root = tmp_path_factory.mktemp("demo")
    options = ["--epochs", "3", "--train-crops", "3", "--validation-crops", "1"]
    places = ["--work-dir", str(root / "photos"), "--log-dir", str(root / "logs")]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = demo.main(options + places)
    return status, out.getvalue(), root


def test_the_mistake_is_found_and_named(small):
    status, out, _ = small
    assert status == 0, out
    assert "found and named in 2 of 2 looks" in out.splitlines()[-1]
    assert out.splitlines()[-1].startswith("Verdict: the mistake costs")
    assert "tensorboard --logdir" in out.splitlines()[-2]


def test_the_verdict_stands_before_any_training(small):
    _, out, _ = small
    verdict, _, training = out.partition("model.fit")
    assert "Preprocessing mismatch" in verdict and "caffe" in verdict and "BGR" in verdict
    assert "Preprocessing mismatch" not in training


def test_nobody_can_take_the_guard_for_the_cause(small):
    """The output says that the low accuracy is that of a fit without a guard."""
    _, out, _ = small
    table = out[out.index("Validation accuracy with the wrong rescale") :].splitlines()
    assert [line.split("  ")[1] for line in table[1:3]] == ["no guard", demo.RUNS["repaired"]]
    alone, repaired = (float(line.split("%")[0].split()[-1]) for line in table[1:3])
    assert repaired > alone + 30, out


def test_the_readme_shows_the_lines_of_the_demo(small):
    _, out, _ = small
    start = "Validation accuracy with the wrong rescale (seeds: 1)\n"
    here, there = (
        text.partition(start)[2].splitlines()[:2]
        for text in (out, (Path(demo.__file__).parents[1] / "README.md").read_text())
    )
    assert [re.sub(r"[\d.]+%", "%", line) for line in here] == [
        re.sub(r"[\d.]+%", "%", line) for line in there
    ]
