"""Settings that every test shares: the same examples on every run, no clock, and all cores.

The whole suite runs on every core unless ``-n`` says otherwise; a file or a folder in one process,
where a debugger works.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import math
import os
import sys
import time
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
    max_examples=int(os.environ.get("TAMECHECK_EXAMPLES", "25")),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tamecheck")

with contextlib.suppress(ImportError, AttributeError):
    # numbers in the sources of whatever modules are there would be examples too: other ones for
    # each selection of tests, after all of these sources were parsed
    providers = importlib.import_module("hypothesis.internal.conjecture.providers")
    local = providers._local_constants
    providers._get_local_constants = lambda: local


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


UNTIL = float(os.environ.get("TAMECHECK_UNTIL", "inf"))
"""When slow tests end, in seconds of the epoch: CI has a time limit, and machines differ."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Where slow tests may have to be left out, they come last."""
    if math.isfinite(UNTIL):
        items.sort(key=_is_slow)


def _is_slow(item):
    return item.get_closest_marker("slow") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Run no slow test when the time for them is over; the summary names those left out."""
    if time.time() > UNTIL and _is_slow(item):
        pytest.skip("The time for slow tests is over (TAMECHECK_UNTIL).")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect tests and what they import; garbage is later looked for only in what came after.

    A pass over all objects costs a fifth of a second once the libraries have been used, so passes
    are rare.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(2_000, 20, 200)
        gc.enable()


def _made_once(override, fakes):
    """PyTorch's stand-ins for five hundred composite operators, made once for each rule."""
    made = {}

    @contextlib.contextmanager
    def overridden(rules):
        before = {operator: dict(operator.py_kernels) for operator in rules}
        keys = {operator: (operator, _meaning(rule)) for operator, rule in rules.items()}
        known = {o: made[key] for o, key in keys.items() if key in made}
        known = {o: found for o, found in known.items() if found[0] == before[o]}
        with override({o: rule for o, rule in rules.items() if o not in known}):
            for operator, key in keys.items():
                if operator not in known:
                    made[key] = before[operator], dict(operator.py_kernels), fakes[operator]
            for operator, (_, kernels, fake) in known.items():
                _exchange(operator, kernels)
                fakes.setdefault(operator, fake)
            try:
                yield
            finally:
                for operator in known:
                    _exchange(operator, before[operator])
                    fakes.pop(operator)

    return overridden


def _meaning(rule):
    """What tells rules apart; some are made anew, from the same lines with the same arguments."""
    if isinstance(rule, functools.partial) and rule.func.__closure__ is None:
        return rule.func.__code__, rule.args, tuple(rule.keywords.items())
    return rule


def _exchange(operator, kernels):
    operator.py_kernels.clear()
    operator.py_kernels.update(kernels)
    operator._dispatch_cache.clear()


@pytest.fixture(scope="session", autouse=True)
def _exporter_of_torch():
    """What PyTorch's exporters make anew for each module is made once for all of them.

    That is the table of operators, from the sources of a thousand functions, and of composite ones.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "torch" in sys.modules:
            with contextlib.suppress(ImportError, AttributeError):
                # names inside of PyTorch, which another version need not have
                from torch._export import utils
                from torch._subclasses.fake_impls import op_implementations_dict
                from torch.export import exported_program
                from torch.onnx._internal.exporter._registration import ONNXRegistry

                operators = functools.cache(ONNXRegistry.from_torchlib)
                composite = functools.cache(utils._collect_all_valid_cia_ops_for_namespace)
                override = exported_program._override_composite_implicit_decomp
                kept = _made_once(override, op_implementations_dict)
                patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(operators))
                patch.setattr(utils, "_collect_all_valid_cia_ops_for_namespace", composite)
                patch.setattr(exported_program, "_override_composite_implicit_decomp", kept)
        yield
