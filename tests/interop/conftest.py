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
    here = [item for item in items if str(item.path).startswith(f"{HERE}{os.sep}")]
    for item in here:
        item.add_marker(pytest.mark.slow)
    known = set(here)
    items[:] = [item for item in items if item not in known]
    if DATA.is_dir() or IN_CI:
        # the longest first, so that at the end no process waits for another
        items[:0] = here
    else:
        config.hook.pytest_deselected(items=here)


@pytest.fixture(scope="session")
def data():
    if not DATA.is_dir():
        pytest.fail(f"{DATA} is missing; set TAMECHECK_DATA to the folder of real models.")
    return DATA
