"""One Chromium for the browser tests of a file."""

import pytest
from plugin.browser import FLAGS, Tab, chromium


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = chromium()
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_at(browser):
    """Opens the tab at an address, and checks after the test that the console has no error."""
    opened = []

    def open_at(address, query="", width=1400, link="", height=1000):
        opened.append(Tab(browser, address, query, width, link, height))
        return opened[-1]

    yield open_at
    for tab in opened:
        errors, foreign = tab.errors, tab.foreign
        tab.close()
        assert not errors and not foreign
