"""Speed of the Shift tab in a real Chromium.

    python examples/benchmarks/shift_tab_runs.py logs/tab --features 1000 --epochs 200 --runs 4
    python examples/benchmarks/shift_tab_browser.py logs/tab

The script prints:

- the time from the click on the tab to the first paint (the band, and the heatmap with its rows)
- the time from the click to the accuracy curves
- the time from unfolding the distributions to the first histogram
- the time of a step to another epoch
- the size of the largest answer before compression
- the number of nodes and the memory of the page

Each of the `--repeats` opens the page anew.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from plugin.browser import FLAGS, chromium, tensorboard

STEPS = 60
# Returns whether the heatmap has drawn its rows: a pixel in its middle is not empty.
PAINTED = """() => {
  const canvas = document.querySelector("[data-testid=heatmap] canvas");
  if (!canvas?.width) return false;
  const place = [Math.round(canvas.width / 2), Math.round(canvas.height / 2), 8, 8];
  return canvas.getContext("2d").getImageData(...place).data.some(Boolean);
}"""
STEP = """async (steps) => {
  const heatmap = document.querySelector("[data-testid=heatmap]");
  const press = (key) => heatmap.dispatchEvent(new KeyboardEvent("keydown", { key }));
  const times = [];
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    press("ArrowLeft");
    press("Enter");
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b);
}"""


def measure(browser, address):
    """Measures one page. Another tab opens first, so the start of TensorBoard is not counted."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    sizes = []

    def answered(response):
        if "plugin/shiftguard/" in response.url and "/static/" not in response.url:
            sizes.append((response.url.split("shiftguard/")[1].split("?")[0], len(response.body())))

    page.on("response", answered)
    page.goto(f"{address}#scalars")
    tab = page.get_by_role("tab", name="Shift", exact=False)
    tab.first.wait_for(timeout=60_000)
    page.wait_for_timeout(3000)
    start = time.perf_counter()
    tab.first.click()
    frame = page.frame_locator("iframe[src*='name=shiftguard']")
    frame.get_by_test_id("todo").wait_for(timeout=60_000)
    inner = next(f for f in page.frames if "name=shiftguard" in f.url)
    inner.wait_for_function(PAINTED, timeout=60_000)
    first_paint = time.perf_counter() - start
    frame.get_by_test_id("curves").wait_for(timeout=60_000)
    curves = time.perf_counter() - start
    page.wait_for_timeout(1000)
    start = time.perf_counter()
    frame.get_by_test_id("fold-distributions").locator("summary").first.click()
    frame.get_by_test_id("histogram").wait_for(timeout=60_000)
    histogram = time.perf_counter() - start
    page.wait_for_timeout(2000)
    steps = inner.evaluate(STEP, STEPS)
    nodes = inner.evaluate("document.querySelectorAll('*').length")
    heap = inner.evaluate("performance.memory.usedJSHeapSize / 1e6")
    page.close()
    return first_paint, curves, histogram, steps, max(sizes, key=lambda s: s[1]), nodes, heap


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log_dir", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright

    flags = [*FLAGS, "--enable-precise-memory-info"]
    with tensorboard(args.log_dir) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        time.sleep(10)  # TensorBoard reads the directory
        print("paint   curves  histogram  epoch median / worst   largest answer      nodes  heap")
        for _ in range(args.repeats):
            paint, curves, histogram, steps, (route, size), nodes, heap = measure(browser, address)
            epoch = f"{steps[len(steps) // 2]:9.1f} / {steps[-1]:.1f} ms"
            answer = f"{route:>9} {size / 1e3:7.0f} kB"
            times = f"{paint:.2f} s {curves:6.2f} s {histogram:8.2f} s"
            print(f"{times} {epoch}   {answer} {nodes:6d} {heap:4.0f} MB", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
