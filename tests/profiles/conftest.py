"""A model file for the tests of attached profiles."""

import pytest
from attached_models import network


@pytest.fixture
def saved(tmp_path):
    network().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"
