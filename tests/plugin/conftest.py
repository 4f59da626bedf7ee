"""The Shift tab opened in a real Chromium."""

import pytest
from plugin.browser import Tab


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
