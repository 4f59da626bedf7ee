"""Fixtures for the tests of several folders: a random generator, a few images, and a browser."""

import numpy as np
import pytest
from plugin.browser import FLAGS, chromium

from keras_shiftguard.callback import spending

PLENTY = 3600.0  # seconds


@pytest.fixture(autouse=True)
def time_for_experiments(monkeypatch, request):
    """Gives each fit time for all its experiments, so that no cost depends on the clock."""
    if request.path.stem != "test_spending":
        monkeypatch.setattr(spending, "FREE_SECONDS", PLENTY)
        monkeypatch.setattr(spending, "MAX_SHARE", float("inf"))


@pytest.fixture
def rng():
    """A new random generator with the same seed for each test."""
    return np.random.default_rng(0)


@pytest.fixture
def raw_images(rng):
    """Sixteen smooth 8-bit RGB images of 32x32, as uint8."""
    coarse = rng.integers(0, 256, (16, 4, 4, 3))
    smooth = np.kron(coarse, np.ones((1, 8, 8, 1)))
    return np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype("uint8")


@pytest.fixture(scope="module")
def browser():
    """A real Chromium for the tests of a file.

    It closes after the tests of the file, because a pytest worker can run only one Playwright at a
    time, and no event loop of another library beside it.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    path = chromium()
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
