"""Random piecewise linear systems through `implicit`, beside brute force: a sample of 500.

All 500 run in ``benchmarks/implicit.py``.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

BENCHMARK = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "implicit.py"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(11, marks=pytest.mark.slow)])
def test_verdicts_are_those_of_brute_force(seed):
    seen = set()
    for system in BENCHMARK["systems"](16, seed):
        answer, _ = BENCHMARK["verdict"](system)
        assert answer == ("proved" if system.invertible else "refuted"), system.text
        seen.add(answer)
    assert seen == {"proved", "refuted"}
