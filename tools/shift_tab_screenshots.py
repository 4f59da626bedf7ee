"""Takes screenshots of the Shift tab for docs/images, light and dark.

    python examples/shift_tab.py logs/shift_tab
    python tools/shift_tab_screenshots.py logs/shift_tab

The runs are the real fits of `examples/shift_tab.py`. With `--first-screens DIRECTORY` the tool
only takes the first screen of each run, for a five-second test with users.
"""

# ruff: noqa: E402 (the path of the tests is added first)

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import sync_playwright
from plugin.browser import FLAGS, Tab, chromium, tensorboard

WINDOW = "window"  # in place of test ids: the whole window, with the list of runs
# Name of a picture: (run, section to unfold, test ids of the elements to take). Without test ids,
# `first_parts` takes the picture.
VIEWS = {
    "window": ("darker", "", WINDOW),
    "tab": ("darker", "", ""),
    "short": ("darker", "", ""),
    "mismatch": ("mismatch", "", "verdict"),
    "fixed": ("fixed", "", "verdict"),
    "labels": ("labels", "", "verdict"),
    "healthy": ("healthy", "", "verdict"),
    "pictures": ("darker", "pictures", "fold-pictures"),
    "distributions": ("darker", "distributions", "fold-distributions"),
    "preprocessing": ("mismatch", "preprocessing", "fold-preprocessing"),
    "adaptation": ("adapted", "adaptation", "fold-adaptation"),
    "gap": ("gap", "gap", "verdict fold-gap"),
}
SETTLED = 2500  # milliseconds until everything is drawn
TALL = 3600  # pixels: a window in which an unfolded section is shown in full
ROWS = 5  # rows of the heatmap in the picture that `first_parts` takes
# The picture for the README has no chart and fewer rows, so that it fits on the first screen.
SHORT_ROWS, SHORT_WIDTH = 2, 1290
ROW, HEAD, EDGE = 28, 22, 12  # pixels: height of a row, height of the heatmap's head, margin


def opened(browser, address, run, part, theme, height, width=1366):
    """Returns the tab showing a run, after everything is drawn."""
    query = f"darkMode={str(theme == 'dark').lower()}"
    link = f"run={run}%2Fshiftguard" + (f"&p.shiftguard.open={part}" if part else "")
    tab = Tab(browser, address, query, width=width, height=height, link=link)
    tab.run(run).wait_for()
    tab.page.wait_for_timeout(SETTLED)
    return tab


def first_parts(tab, path, rows=ROWS):
    """Takes a picture of the verdict, chart and first rows of the heatmap, without the runs."""
    band, heat = tab("verdict").bounding_box(), tab("heatmap").bounding_box()
    bottom = heat["y"] + HEAD + rows * ROW
    clip = {"x": band["x"] - EDGE, "y": band["y"] - EDGE, "width": band["width"] + 2 * EDGE}
    tab.page.screenshot(path=path, clip={**clip, "height": bottom - clip["y"]})


def elements(tab, testids, path):
    """Takes a picture of the elements and of what is between them."""
    boxes = [tab(testid).bounding_box() for testid in testids]
    left, top = (min(box[side] for box in boxes) - EDGE for side in "xy")
    right = max(box["x"] + box["width"] for box in boxes) + EDGE
    bottom = max(box["y"] + box["height"] for box in boxes) + EDGE
    # Playwright cuts what is below the window, without a word.
    assert bottom <= tab.page.viewport_size["height"], f"{path}: the window is too low"
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    tab.page.screenshot(path=path, clip=clip)


def main():
    """Takes all screenshots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log_dir", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--first-screens", type=Path, metavar="DIRECTORY")
    args = parser.parse_args()
    runs = sorted(path.name for path in args.log_dir.iterdir())
    with tensorboard(args.log_dir) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        if args.first_screens:
            args.first_screens.mkdir(parents=True, exist_ok=True)
            for run in runs:
                tab = opened(browser, address, run, "", "light", 900)
                tab.page.screenshot(path=args.first_screens / f"{run}.png")
                tab.close()
            return
        args.out.mkdir(parents=True, exist_ok=True)
        for theme in ("light", "dark"):
            for name, (run, part, taken) in VIEWS.items():
                if run not in runs:
                    continue
                height = TALL if part else 1000
                is_short = name == "short"
                width = SHORT_WIDTH if is_short else 1366
                tab = opened(browser, address, run, part, theme, height, width)
                path = args.out / f"shift-{name}-{theme}.png"
                if taken == WINDOW:
                    tab.page.screenshot(path=path)
                elif taken:
                    elements(tab, taken.split(), path)
                elif is_short:
                    tab.evaluate("document.querySelector('[data-testid=curves]').remove()")
                    first_parts(tab, path, SHORT_ROWS)
                else:
                    first_parts(tab, path)
                tab.close()
        browser.close()


if __name__ == "__main__":
    main()
