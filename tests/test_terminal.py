"""Text in the terminal: file names, errors and warnings cannot control it."""

import warnings

import pytest

import keras_shiftguard as sg
from keras_shiftguard import terminal
from keras_shiftguard.errors import warn
from keras_shiftguard.profiles.storage import UnreadableFile

NASTY = "a\x1b[2Jb\rc\x9bd\u202ee\udcff"
ESCAPED = r"a\x1b[2Jb\rc\x9bd\u202ee\udcff"


@pytest.mark.parametrize("kind", [sg.ShiftGuardError, sg.BadInputError, UnreadableFile])
def test_errors_escape_control_characters(kind):
    assert str(kind(f"{NASTY} is bad.\n\tTry another.")) == f"{ESCAPED} is bad.\n\tTry another."


def test_warnings_escape_control_characters():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(NASTY)
        warnings.warn(NASTY, sg.ShiftWarning, stacklevel=1)
    assert [str(each.message) for each in caught] == [ESCAPED, ESCAPED]


def test_what_is_said_escapes_control_characters(capsys):
    terminal.say(f"{NASTY}\nüß\N{MULTIPLICATION SIGN}")
    assert capsys.readouterr().out.strip() == f"{ESCAPED}\nüß\N{MULTIPLICATION SIGN}"


def test_a_file_name_has_no_second_line(tmp_path):
    assert terminal.shown("a\nb\tc") == r"a\nb\tc"
    assert terminal.shown(tmp_path) == str(tmp_path)


def test_an_error_of_a_missing_profile_is_harmless(tmp_path):
    with pytest.raises(sg.BadInputError) as error:
        sg.compare(str(tmp_path / NASTY[:-1]), tmp_path)
    assert "\x1b" not in str(error.value) and r"\x1b" in str(error.value)
