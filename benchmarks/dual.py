"""The exact value function of a program with one row against re-solving it with CBC on a grid.

Run by hand: ``python benchmarks/dual.py``.  Both in the same process, one after the other; CBC
keeps its model and only changes the right-hand side, without starting a process.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction as Q
from pathlib import Path

import mip

from tamecheck.dual.value import value_dual
from tamecheck.ir.program import Column, Kind, Program, Row

COSTS = (Q(3), Q(7, 2), Q(3), Q(6), Q(7))
ROW = (Q(6), Q(5), Q(-4), Q(2), Q(-7))
GRID = 1_000


def program() -> Program:
    """The instance of Ralphs and Hassanzadeh: the first three variables are integer."""
    columns = tuple(
        Column(f"x{j}", kind=Kind.INTEGER if j < 3 else Kind.CONTINUOUS, cost=cost)
        for j, cost in enumerate(COSTS)
    )
    return Program(columns, (Row("r", tuple(enumerate(ROW)), Q(0), Q(0)),))


def resolving(points: list[Q]) -> tuple[list[float], float]:
    """CBC's values on the grid, and the seconds it took."""
    model = mip.Model(solver_name=mip.CBC)
    model.verbose = 0
    # CBC stops at a relative gap of 1e-4 by default
    model.max_mip_gap = model.max_mip_gap_abs = 1e-9
    x = [
        model.add_var(var_type=mip.INTEGER if j < 3 else mip.CONTINUOUS, obj=float(cost))
        for j, cost in enumerate(COSTS)
    ]
    row = model.add_constr(mip.xsum(float(a) * v for a, v in zip(ROW, x, strict=True)) == 0)
    begin = time.perf_counter()
    found: list[float] = []
    for point in points:
        row.rhs = float(point)
        model.optimize()
        found.append(model.objective_value)
    return found, time.perf_counter() - begin


def main() -> int:
    """Print times, the ratio, and the largest difference."""
    function = value_dual(program())
    length = Q(465)
    begin = time.perf_counter()
    pieces = function.along("r", -length, length)
    ours = time.perf_counter() - begin
    points = [-length + 2 * length * k / (GRID - 1) for k in range(GRID)]
    found, theirs = resolving(points)
    difference = max(abs(float(pieces(p)) - v) for p, v in zip(points, found, strict=True))
    sys.stdout.write(
        f"{Path(__file__).name}: {len(pieces.pieces)} pieces in {ours:.3f} s;"
        f" CBC on {GRID} points {theirs:.3f} s; ratio 1/{theirs / ours:.1f};"
        f" largest difference {difference:.2e}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
