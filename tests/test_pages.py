"""The guide pages show what their code prints: each page is run from top to bottom."""

import difflib
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("page_outputs", ROOT / "tools" / "page_outputs.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

PAGE = """<!-- run first
x = 3
-->
```python
print(f"{x} of 200, 0.97")
```

    3 of 200, 0.96

The rest.
"""


@pytest.mark.thorough
@pytest.mark.parametrize("page", tool.pages(), ids=lambda page: page.name)
def test_a_page_shows_what_its_code_prints(page):
    text = page.read_text()
    today = tool.renewed(text)
    lines = difflib.unified_diff(text.splitlines(), today.splitlines(), "shown", "printed")
    assert tool.agrees(text, today), "\n".join(lines)


def test_small_differences_of_numbers_are_none_and_words_are():
    assert tool.agrees(PAGE, tool.renewed(PAGE))
    for old, new in (("3 of", "4 of"), ("200", "230"), ("of 200", "in 200"), ("0.96", "0.96 more")):
        assert not tool.agrees(PAGE, PAGE.replace(old, new))


def test_lines_that_a_page_leaves_out_are_marked():
    code = "print('first, and more\\nsecond\\n  third line: 0.97\\nfourth')"
    page = PAGE.replace('print(f"{x} of 200, 0.97")', code)
    page = page.replace("    3 of 200, 0.96\n", "    [...]\n      third line: 0.96\n    [...]\n")
    today = tool.renewed(page)
    assert "\n    [...]\n      third line: 0.97\n    [...]\n\nThe rest.\n" in today
    assert tool.agrees(page, today)
    changed = page.replace("third line: 0.96", "third limb: 0.96")
    assert not tool.agrees(changed, tool.renewed(changed))


def test_a_session_runs_the_command_itself():
    page = (
        "<!-- run first\n-->\n```console\n$ keras-shiftguard compare no.profile x\n$ echo $?\n```\n"
    )
    assert tool.renewed(page).endswith("$ echo $?\n2\n```\n")
