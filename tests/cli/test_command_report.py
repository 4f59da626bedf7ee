"""`keras-shiftguard report`, which writes the page of a log directory without importing Keras."""

import json
import os
import subprocess
import sys

import pytest
from own_process import run_python
from page.results import DARKER, diagnosis, gap, report

from keras_shiftguard.io.json_files import write_json


def log_of(log_dir, **parts):
    write_json(log_dir, "shift.json", {"title": "run", **parts})
    return log_dir


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({"report": report().to_dict(), "diagnosis": {"train": diagnosis("ok").to_dict()}}, 0),
        ({"report": report(DARKER).to_dict()}, 1),
        ({"diagnosis": {"train": diagnosis().to_dict()}}, 1),
        ({"diagnosis": {"train": diagnosis("unknown").to_dict()}}, 0),
    ],
)
def test_the_status_says_what_was_found(run, tmp_path, parts, status):
    log_dir = log_of(tmp_path, **parts)
    assert run("report", log_dir) == (status, f"{log_dir / 'shift.html'}\n", "")
    assert (log_dir / "shift.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    code, out, _ = run("report", log_dir, "--json")
    assert code == status and json.loads(out)["title"] == "run"


def test_the_gap_that_was_explained_later_is_in_the_page(run, tmp_path):
    log_dir = log_of(tmp_path / "logs", report=report().to_dict())
    target = tmp_path / "x" / "p.html"
    gap().write(log_dir)
    status, out, _ = run("report", log_dir, "--output", target)
    assert status == 1 and out.startswith(f"{target}\n")
    text = target.read_text(encoding="utf-8")
    assert "wrong preprocessing" in text and "Where the accuracy went" in text
    assert not (log_dir / "shift.html").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "holds no log of a ShiftGuard"),
        (b"", "cannot be read"),
        (b'{"title": "run", "rep', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "holds no JSON object"),
        (b'{"report": {"shifted": 1}}', "does not hold what a ShiftGuard writes"),
        (b'{"report": null, "diagnosis": 3}', "does not hold what a ShiftGuard writes"),
    ],
)
def test_bad_input_is_status_2_and_says_why(run, tmp_path, content, words):
    if content is not None:
        (tmp_path / "shift.json").write_bytes(content)
    status, out, err = run("report", tmp_path)
    assert status == 2 and out == "" and err.startswith("error: ") and words in err
    assert not (tmp_path / "shift.html").exists()


def test_a_directory_of_runs_names_them(run, tmp_path):
    log_of(tmp_path / "run1")
    status, _, err = run("report", tmp_path)
    assert status == 2 and f"These do: {tmp_path / 'run1'}." in err
    assert run("report", tmp_path / "none")[0] == 2


def test_a_place_that_cannot_be_written(run, tmp_path):
    log_of(tmp_path, report=report().to_dict())
    status, _, err = run("report", tmp_path, "-o", "/dev/null/page.html")
    assert status == 2 and "cannot be written" in err


def test_it_does_not_start_keras(tmp_path):
    log_of(tmp_path, report=report(DARKER).to_dict())
    code = """
        import sys; from keras_shiftguard_cli import main
        assert main(sys.argv[1:]) == 1
        assert not {"keras", "numpy", "keras_shiftguard"} & set(sys.modules)
    """
    run_python(code, "report", tmp_path)


def test_a_reader_that_stops_early_does_not_change_the_status(tmp_path):
    log_of(tmp_path, report=report().to_dict())
    code = "import sys; from keras_shiftguard_cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", code, "report", str(tmp_path), "--json"]
    done = subprocess.run(command, env=environment, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
