"""Figures of pyplot, which others may have imported, are closed after each test."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _closed():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def coarse(monkeypatch):
    """Grids of fewer points."""
    monkeypatch.setattr("tamecheck.plots.scene._PIXELS", 160)
