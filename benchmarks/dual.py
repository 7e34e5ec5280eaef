"""The exact value function of a program with one row against re-solving it with CBC on a grid.

Run by hand: ``python benchmarks/dual.py``.  Both in the same process, one after the other; CBC
keeps its model and only changes the right-hand side, without starting a process.

``python benchmarks/dual.py --strong FOLDER`` builds tree duals of the programs of the MIPLIB that
it finds there and of two training programs, and checks that F(b) is the known optimum z(b).
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction as Q
from pathlib import Path

import mip
from sklearn.datasets import load_digits

from tamecheck import load_program
from tamecheck.duality.training import training_program
from tamecheck.duality.tree import tree_dual
from tamecheck.duality.value.dual import value_dual
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


OPTIMA = {
    "flugpl": Q(1201500),
    "p0033": Q(3089),
    "egout": Q(5681007, 10000),
    "enigma": Q(0),
    "gt2": Q(21166),
    "lseu": Q(1120),
    "misc03": Q(3360),
    "p0201": Q(7615),
    "stein27": Q(18),
}


def digits() -> Program:
    """The least number of mistakes of 4 hidden neurons on 20 digits 3 and 5 of 8 by 8 pixels."""
    images, classes = load_digits(return_X_y=True)
    chosen = [k for k, own in enumerate(classes) if own in (3, 5)][:20]
    # two-level pixels and a constant input
    samples = [[*(1 if pixel >= 8 else -1 for pixel in images[k]), 1] for k in chosen]
    return training_program(samples, [int(classes[k] == 5) for k in chosen], (4,)).program


def strong(folder: Path) -> int:
    """Print the seconds of each strong dual and of its exact check; 1 if one is not strong."""
    found = {path.name.split(".")[0]: path for path in sorted(folder.rglob("*.mps*"))}
    xor = training_program([(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)], [0, 1, 1, 0], (2,))
    programs = [(name, load_program(found[name]), z) for name, z in OPTIMA.items() if name in found]
    programs += [("training on XOR", xor.program, Q(0)), ("training on digits", digits(), Q(0))]
    failed = 0
    for name, own, optimum in programs:
        begin, used = time.perf_counter(), time.process_time()
        function = tree_dual(own, seconds=600)
        holds = function.strong and function.checks["columns"].status is True
        wall, cpu = time.perf_counter() - begin, time.process_time() - used
        good = holds and function.dual_value == optimum
        failed += not good
        pieces = sum(map(len, function.trees))
        sys.stdout.write(
            f"{name}: F(b) = {function.dual_value}, {'strong' if good else 'NOT STRONG'},"
            f" {pieces} pieces, {wall:.1f} s ({cpu:.1f} s of this process)\n"
        )
        sys.stdout.flush()
    return int(failed > 0)


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
    sys.exit(strong(Path(sys.argv[2])) if sys.argv[1:2] == ["--strong"] else main())
