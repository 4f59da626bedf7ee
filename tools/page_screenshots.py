"""Takes screenshots of a run's HTML page for docs/images, light and dark.

    python examples/shift_tab.py logs/shift_tab
    python tools/page_screenshots.py logs/shift_tab

The page is that of the run `darker` of `examples/shift_tab.py`; the tool makes it from the log.
"""

# ruff: noqa: E402 (the path of the tests is added first)

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import sync_playwright
from plugin.browser import FLAGS, chromium

from keras_shiftguard_cli import main as shiftguard

HEIGHT = 1180  # pixels of the page that are shown


def main():
    """Takes both screenshots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log_dir", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    args = parser.parse_args()
    page = (args.log_dir / "darker" / "shift.html").resolve()
    shiftguard(["report", str(page.parent)])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for theme in ("light", "dark"):
            size = {"width": 1100, "height": HEIGHT}
            shown = browser.new_page(viewport=size, color_scheme=theme)
            shown.goto(page.as_uri())
            shown.screenshot(path=args.out / f"page-to-send-{theme}.png")
        browser.close()


if __name__ == "__main__":
    main()
