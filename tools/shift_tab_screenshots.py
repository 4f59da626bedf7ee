"""Screenshots of the Shift tab for docs/images, light and dark.

    python examples/shift_tab.py logs/shift_tab
    python tools/shift_tab_screenshots.py logs/shift_tab

The runs are the real fits of `examples/shift_tab.py`.
"""

# ruff: noqa: E402 (the path of the tests is added first)

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import sync_playwright
from plugin.browser import FLAGS, Tab, chromium, tensorboard

VIEWS = {  # name: (selected run, test id of the part)
    "verdict": ("darker", "verdict"),
    "heatmap": ("darker", "heatmap"),
    "cards": ("darker", "cards"),
    "detail": ("darker", "detail"),
    "preprocessing": ("photos", "preprocessing"),
    "adaptation": ("adapted", "adaptation"),
}


def main():
    """Takes all screenshots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log_dir", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    runs = {path.name for path in args.log_dir.iterdir()}
    with tensorboard(args.log_dir) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for theme in ("light", "dark"):
            query = f"darkMode={str(theme == 'dark').lower()}"
            for run in sorted({run for run, _ in VIEWS.values()} & runs):
                pair = "target%2Ftrain" if run == "adapted" else "validation%2Ftrain"
                link = f"runs=%5B%22{run}%2Fshiftguard%22%5D&p.shiftguard.pair={pair}"
                tab = Tab(browser, address, query, width=1280, link=link)
                tab("card").first.wait_for()
                tab("detail").wait_for()
                tab.page.wait_for_timeout(3000)
                if run == "darker":
                    tab.page.set_viewport_size({"width": 1280, "height": 1500})
                    tab.page.wait_for_timeout(500)
                    tab.page.screenshot(path=args.out / f"shift-tab-{theme}.png")
                for name, (chosen, part) in VIEWS.items():
                    if chosen == run:
                        tab(part).screenshot(path=args.out / f"shift-{name}-{theme}.png")
                tab.close()
        browser.close()


if __name__ == "__main__":
    main()
