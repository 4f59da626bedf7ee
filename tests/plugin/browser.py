"""A TensorBoard server and a real Chromium for tests of the Shift tab."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PATIENCE = 60_000  # milliseconds; test machines may be busy


def chromium():
    """Returns the path of Chromium. Without it, the test is skipped, or fails if it is required."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None and os.environ.get("SHIFTGUARD_REQUIRE_BROWSER"):
        pytest.fail("Chromium is missing: apt-get install chromium")
    if path is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    return path


@contextmanager
def tensorboard(log_dir, *options):
    """Starts TensorBoard on a free port of this machine; yields its address."""
    with tensorboard_process(log_dir, *options) as (address, _):
        yield address


@contextmanager
def tensorboard_process(log_dir, *options):
    """Starts TensorBoard on a free port of this machine; yields its address and its `Popen`."""
    code = "from tensorboard.main import run_main; run_main()"
    # TensorFlow cannot be imported, as on a machine that has only JAX or PyTorch.
    code = f"import sys; sys.modules['tensorflow'] = None; {code}"
    arguments = ["--logdir", str(log_dir), "--host", "127.0.0.1", "--port", "0", *options]
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        lines = []
        for line in server.stderr:
            lines.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/\S*", line):
                yield found[0], server
                break
        else:
            pytest.fail(f"TensorBoard did not start:\n{''.join(lines)}")
    finally:
        server.terminate()
        server.wait(timeout=30)
        server.stderr.close()


def asker(address):
    """Returns a function that asks TensorBoard for JSON; an error has a JSON of its own."""

    def ask(route, **arguments):
        try:
            url = f"{address}data/{route}?{urlencode(arguments)}"
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    return ask


def patiently(question, seconds=60):
    """Repeats a question until its answer is true, and returns the answer."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return answer


class Tab:
    """The Shift tab in its own browser page.

    Args:
        browser: Playwright's browser.
        address: The address of TensorBoard.
        query: The query of the page, such as `"darkMode=true"`.
        width: The width of the window, in pixels.
        height: The height of the window, in pixels.
        link: The fragment of a deep link, such as `"pair=validation%2Ftrain"`.
    """

    def __init__(self, browser, address, query="", width=1400, link="", height=1000):
        self.address = address
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.page.set_default_timeout(PATIENCE)
        self.errors = []
        self.foreign = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._asked)
        self.page.goto(f"{address}?{query}#shiftguard{link and '&p.shiftguard.' + link}")
        self.frame = self.page.frame_locator("iframe[src*='name=shiftguard']")

    def _heard(self, message):
        # Only errors of the Shift tab count: under a prefix, TensorBoard does not find its fonts.
        if message.type == "error" and "shiftguard" in message.location.get("url", "shiftguard"):
            self.errors.append(message.text)

    def _asked(self, request):
        if not request.url.startswith(
            (self.address.split("/", 3)[2], "http://127.0.0.1:", "data:")
        ):
            self.foreign.append(request.url)

    def __call__(self, testid):
        return self.frame.get_by_test_id(testid)

    def feature(self, name):
        """Returns the entry of a feature in the choice of the distributions."""
        return self("feature").locator(f"option[value='{name}']")

    def fold(self, key):
        """Unfolds a folded part of the tab, and returns the part."""
        part = self(f"fold-{key}")
        part.wait_for()
        if part.get_attribute("open") is None:
            part.locator("summary").first.click()
        return part

    def run(self, name):
        """Returns the entry of a run in the list."""
        return self("run-picker").locator(f"button[data-run='{name}/shiftguard']")

    def eventually(self, is_so, seconds=30):
        """Waits until a condition of the page is true."""
        for _ in range(10 * seconds):
            if is_so():
                return
            self.page.wait_for_timeout(100)
        assert is_so()

    def evaluate(self, code):
        """Runs JavaScript inside the frame of the tab."""
        frame = next(f for f in self.page.frames if "name=shiftguard" in f.url)
        return frame.evaluate(code)

    def audit(self):
        """Returns the serious and critical problems that axe-core finds, one line each."""
        self.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
        found = self.evaluate("axe.run(document).then(r => r.violations)")
        return [
            f"{v['id']} ({v['impact']}): {v['help']}: {[n['html'][:120] for n in v['nodes'][:3]]}"
            for v in found
            if v["impact"] in ("serious", "critical")
        ]

    def close(self):
        self.page.close()
