"""A fixture that opens the Shift tab in a real Chromium."""

import pytest
from plugin.browser import Tab


@pytest.fixture
def open_at(browser):
    """Opens the tab; checks after the test for console errors and requests to other hosts."""
    opened = []

    def open_at(address, query="", width=1400, link="", height=1000):
        opened.append(Tab(browser, address, query, width, link, height))
        return opened[-1]

    yield open_at
    for tab in opened:
        errors, foreign = tab.errors, tab.foreign
        tab.close()
        assert not errors and not foreign
