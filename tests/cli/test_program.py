"""The program: help, completion, unexpected errors, progress bars."""

import io
import re
import sys

import numpy as np
import pytest
from own_process import run_python

from keras_shiftguard.io import images
from keras_shiftguard_cli import main, reading
from keras_shiftguard_cli.output import steps


def test_a_bug_is_not_taken_for_a_mismatch(monkeypatch, capsys, model_file, folder):
    def broken(*arguments, **more):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("keras_shiftguard.preprocessing.diagnose.diagnose_loaded", broken)
    assert main(["diagnose", str(model_file), str(folder)]) == 2
    assert "ZeroDivisionError: ours" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["diagnose", "profile", "compare", "explain", "report", "demo"])
def test_help_teaches_with_an_example(run, command):
    status, out, _ = run(command, "--help")
    assert status == 0 and re.search(rf"^ +keras-shiftguard {command}( \w.*)?$", out, re.MULTILINE)
    assert "Exit status: 0" in out and "--json" in out


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("keras-shiftguard di", "diagnose"), ("keras-shiftguard demo --js", "--json")],
)
def test_a_shell_completes_without_starting_keras(words, wanted):
    code = """
        import sys
        from keras_shiftguard_cli import main
        try:
            main()
        finally:
            assert "keras" not in sys.modules and "numpy" not in sys.modules
    """
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    asked["_KERAS_SHIFTGUARD_COMPLETE"] = "bash_complete"
    done = run_python(code, status=None, **asked)
    assert wanted in done.stdout and "AssertionError" not in done.stderr, done.stderr


def test_a_backend_that_is_not_installed_is_bad_input(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 8, 8, 3), "float32"))
    code = """
        import sys
        from keras_shiftguard_cli import main
        sys.modules["jax"] = None
        sys.exit(main())
    """
    arguments = "profile", tmp_path / "x.npy", "-o", tmp_path / "file"
    told = run_python(code, *arguments, status=2, KERAS_BACKEND="jax").stderr
    assert "pip install" in told and "Traceback" not in told


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "drawn"), [(Terminal, True), (io.StringIO, False)])
def test_bars_are_for_terminals_and_on_standard_error(monkeypatch, capsys, stream, drawn):
    monkeypatch.setattr(sys, "stderr", stream())
    assert list(steps([1, 2, 3], "Reading images")) == [1, 2, 3]
    assert ("Reading images" in sys.stderr.getvalue()) == drawn
    assert capsys.readouterr().out == ""


NASTY = "a\x1b[2Jb\rc\nd\x9be\u202ef"  # clears the screen, goes back, and reverses the text


def is_harmless(text):
    return all(c.isprintable() or c in "\n\t" for c in text) and "c\nd" not in text


@pytest.mark.parametrize("case", ["error", "warning", "written", "missing"])
def test_a_file_name_cannot_control_the_terminal(case, run, tmp_path, folder):
    nasty = tmp_path / NASTY
    nasty.mkdir()
    photo = next(folder.rglob("*.png")).read_bytes()
    (nasty / f"{NASTY}.png").write_bytes(b"no picture")
    output = tmp_path / "p"
    if case in ("warning", "written"):
        (nasty / "0.png").write_bytes(photo)
    if case == "written":
        output = nasty / "p".join(NASTY.split("\n"))
    if case == "missing":
        nasty = nasty / NASTY
    arguments = ["profile", nasty, "-o", output]
    status, out, err = run(*arguments)
    assert status == (0 if case in ("warning", "written") else 2)
    assert "\\x1b[2J" in out + err
    assert all(c.isprintable() or c in "\n\t" for c in out + err)
    if case in ("warning", "error"):
        assert is_harmless(out + err)


@pytest.mark.parametrize("command", ["diagnose", "compare", "explain", "profile"])
def test_arguments_are_looked_at_before_keras_starts(tmp_path, command):
    """An empty folder, and a file that is no model, are answered at once."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "one.npy").write_bytes(b"")
    wrong = {
        "diagnose": [("text.keras", "one.npy"), ("text.keras", "empty")],
        "compare": [("empty", "one.npy"), ("text.keras", "one.npy")],
        "explain": [("text.keras", "one.npy"), ("text.keras", "empty")],
        "profile": [("empty",), ("text.keras",)],
    }
    code = "import sys; sys.modules['keras'] = None; from keras_shiftguard_cli import main; "
    code += "sys.exit(main())"
    for names in wrong[command]:
        output = ["-o", tmp_path / "new.profile"] if command == "profile" else []
        told = run_python(code, command, *(tmp_path / name for name in names), *output, status=2)
        assert told.stderr.startswith("error: "), told.stderr
        assert "Keras is" not in told.stderr and "ModuleNotFound" not in told.stderr


def test_the_suffixes_of_files_are_those_of_the_library():
    assert reading.IMAGE_SUFFIXES == images.IMAGE_SUFFIXES
    assert reading.ARRAY_SUFFIXES == images.ARRAY_SUFFIXES
