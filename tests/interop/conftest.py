"""The shared files of real models; without them the tests here are left out, but never in CI.

All of them count as slow.
"""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DATA = Path(os.environ.get("TAMECHECK_DATA", HERE.parents[1].parent / "shared" / "data"))
IN_CI = os.environ.get("CI") == "true"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)
    if DATA.is_dir() or IN_CI:
        return
    outside = [item for item in items if HERE not in item.path.parents]
    config.hook.pytest_deselected(items=[item for item in items if item not in outside])
    items[:] = outside


@pytest.fixture(scope="session")
def data():
    if not DATA.is_dir():
        pytest.fail(f"{DATA} is missing; set TAMECHECK_DATA to the folder of real models.")
    return DATA
