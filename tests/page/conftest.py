"""A fixture that opens files from the disk in a real Chromium."""

import pytest
from plugin.browser import AXE, PATIENCE


class Opened:
    """A file in its own browser page, with its requests and console errors."""

    def __init__(self, browser, path, **look):
        self.context = browser.new_context(viewport={"width": 1100, "height": 900}, **look)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.complaints, self.asked = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def audit(self):
        """Returns every problem that axe-core finds, low contrast included, one line each.

        The page forbids all scripts, so axe-core is run by `evaluate`.
        """
        self.page.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
        found = self.page.evaluate("axe.run(document).then(r => r.violations)")
        return [f"{v['id']}: {v['help']}: {[n['html'][:120] for n in v['nodes']]}" for v in found]


@pytest.fixture
def opened(browser):
    """Opens files, and checks after the test that there were no requests and no errors."""
    pages = []

    def opened(path, **look):
        pages.append((Opened(browser, path, **look), path))
        return pages[-1][0]

    yield opened
    for each, path in pages:
        each.context.close()
        asked = [url for url in each.asked if not url.startswith(("data:", "about:srcdoc"))]
        assert asked == [path.as_uri()] and each.complaints == []
