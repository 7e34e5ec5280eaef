"""Settings that every test shares: the same examples on every run, no clock, and all cores.

The whole suite runs on every core unless ``-n`` says otherwise; a file or a folder in one process,
where a debugger works.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# generators that tests share are in corpus.py, beside this file
sys.path.insert(0, str(Path(__file__).parent))

# commands that tests start keep the bytecode of what they import, or each compiles it anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

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


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect tests and what they import; garbage is later looked for only in what came after."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _exporter_of_torch():
    """What PyTorch's exporter makes anew for each module is made once for all of them.

    That is its table of operators, from the sources of a thousand functions, and of composite ones.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "torch" in sys.modules:
            with contextlib.suppress(ImportError, AttributeError):
                # names inside of PyTorch, which another version need not have
                from torch._export import utils
                from torch.onnx._internal.exporter._registration import ONNXRegistry

                operators = functools.cache(ONNXRegistry.from_torchlib)
                composite = functools.cache(utils._collect_all_valid_cia_ops_for_namespace)
                patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(operators))
                patch.setattr(utils, "_collect_all_valid_cia_ops_for_namespace", composite)
        yield
