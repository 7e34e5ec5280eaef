"""Settings that every test shares: the same examples on every run, no clock, and all cores.

The whole suite runs on every core unless ``-n`` says otherwise; a file or a folder in one process,
where a debugger works.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# generators that tests share are in corpus.py, beside this file
sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile(
    "tamecheck",
    derandomize=True,
    deadline=None,
    print_blob=True,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tamecheck")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Run the whole suite in parallel, where pytest-xdist is there and not told anything."""
    if hasattr(config, "workerinput"):
        return  # a worker of pytest-xdist runs what it is given, and starts no workers of its own
    whole = {Path(arg).resolve() for arg in config.args} == {Path(__file__).parent}
    if whole and getattr(config.option, "numprocesses", 0) is None:
        config.option.numprocesses = "auto"
    if whole and getattr(config.option, "dist", None) == "no":
        # neighbours stay on one worker, so that what a module makes is made once
        config.option.dist = "worksteal"
