"""Random badly scaled programs against enumeration in fractions; files of programs beside HiGHS.

Run by hand: ``python benchmarks/programs.py [--count 500] [--first 0] [--seconds S]``.
Answers are those without ``certify``.  Costs, rows, columns and bounds are scaled by powers of ten
from -15 to 15; some rows miss a point by such a power, and whether a program is infeasible or
unbounded is left to chance.

``python benchmarks/programs.py FILE...`` solves the continuous relaxations of files, and prints
CPU seconds beside those of HiGHS with one thread and its own options, in one process, the least of
three runs each.  ``solve`` includes the certificate and the kernel's check of it, and on both sides
making a solver; the ratios are those of solving alone, and of reading and solving.  Semi columns
are relaxed to the hulls of their values on our side; HiGHS may relax them otherwise.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import highspy

from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.kernel_mip import check
from tamecheck.programs import Infeasible, Optimal, Unbounded, read, solve

F = Fraction
T = TypeVar("T")
Half = tuple[list[Fraction], Fraction]
"""A half-space ``a·x <= b``."""

FAR = F(10) ** 250
"""Beyond every vertex: coordinates are quotients of determinants of small matrices."""


class Maker:
    """A random program, and its status and optimum by enumeration."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 (programs, not keys)
        self.program = self._program()

    def _power(self) -> Fraction:
        return F(10) ** self.random.choice([0, self.random.randint(-15, 15)])

    def _number(self) -> Fraction:
        return F(self.random.randint(-5, 5), self.random.choice([1, 1, 1, 2, 3]))

    def _column(self, j: int, kind: Kind, unit: Fraction, costs: Fraction) -> Column:
        cost = self._number() * costs / unit
        if kind is Kind.INTEGER:
            low = self.random.randint(-2, 2) + self.random.choice([0, 0, 0, 2**53, -(10**12)])
            return Column(f"x{j}", F(low), F(low + self.random.randint(0, 3)), kind, cost)
        low, high = sorted((self._number(), self._number()))
        ends = [(low, high)] * 5 + [(F(0), None), (low, None), (None, high), (None, None)]
        lower, upper = (None if end is None else end * unit for end in self.random.choice(ends))
        return Column(f"x{j}", lower, upper, kind, cost)

    def _program(self) -> Program:
        count = self.random.randint(2, 6)
        share = self.random.choice([0, 0.5, 1])
        kinds = [
            Kind.INTEGER if self.random.random() < share else Kind.CONTINUOUS for _ in range(count)
        ]
        # enumeration tries every vertex for every integer part
        while kinds.count(Kind.CONTINUOUS) > 3:
            kinds[kinds.index(Kind.CONTINUOUS)] = Kind.INTEGER
        units = [F(1) if kind is Kind.INTEGER else self._power() for kind in kinds]
        costs = self._power()
        columns = [self._column(j, k, units[j], costs) for j, k in enumerate(kinds)]
        inside = [self._inside(column, unit) for column, unit in zip(columns, units, strict=True)]
        rows = [self._row(i, units, inside) for i in range(self.random.randint(0, 3))]
        sense = self.random.choice(list(Sense))
        return Program(tuple(columns), tuple(rows), sense, self.random.choice([F(0), costs]))

    def _inside(self, column: Column, unit: Fraction) -> Fraction:
        low = -5 * unit if column.lower is None else column.lower
        high = max(low, 5 * unit) if column.upper is None else column.upper
        low = min(low, high)
        if column.kind is Kind.INTEGER:
            return F(self.random.randint(int(low), int(high)))
        return low + (high - low) * F(self.random.randint(0, 4), 4)

    def _row(self, i: int, units: Sequence[Fraction], inside: Sequence[Fraction]) -> Row:
        """A row near a point of the box: through it, beside it, or missing it by little."""
        scale = self._power()
        terms = tuple(
            (j, a * scale / unit) for j, unit in enumerate(units) if (a := self._number())
        )
        value = sum((a * inside[j] for j, a in terms), F(0))
        shift = self.random.choice([F(0), F(0), self._number(), self._power() * F(1, 10)]) * scale
        side = value + shift
        match self.random.randint(0, 4):
            case 0:
                return Row(f"r{i}", terms, side, side)
            case 1:
                return Row(f"r{i}", terms, side, None)
            case 2:
                return Row(f"r{i}", terms, side, side + abs(self._number()) * scale)
            case _:
                return Row(f"r{i}", terms, None, side)

    def truth(self) -> tuple[str, Fraction | None]:
        """``optimal`` with the value, ``infeasible``, or ``unbounded``, by enumeration."""
        best: Fraction | None = None
        columns, sign = self.program.columns, self.program.sense.sign
        continuous = [j for j, c in enumerate(columns) if c.kind is Kind.CONTINUOUS]
        ranges = [
            range(int(c.lower), int(c.upper) + 1)
            for c in columns
            if c.kind is Kind.INTEGER and c.lower is not None and c.upper is not None
        ]
        costs = [sign * columns[j].cost for j in continuous]
        falling: bool | None = None
        for integers in itertools.product(*ranges):
            point = self._filled(integers)
            halves = self._halves(point, continuous, directions=False)
            found = least(halves, costs, FAR)
            if found is None:
                continue
            if falling is None:
                # the same directions for every integer part
                cone = self._halves(point, continuous, directions=True)
                falling = (least(cone, costs, F(1)) or F(0)) < 0
            if falling:
                return "unbounded", None
            value = found + sum(
                (sign * c.cost * x for c, x in zip(columns, point, strict=True)), F(0)
            )
            best = value if best is None else min(best, value)
        if best is None:
            return "infeasible", None
        return "optimal", sign * best + self.program.constant

    def _filled(self, integers: Sequence[int]) -> list[Fraction]:
        """The point with the integers, and 0 where the columns are continuous."""
        values = iter(integers)
        return [F(next(values)) if c.kind is Kind.INTEGER else F(0) for c in self.program.columns]

    def _halves(
        self, point: Sequence[Fraction], continuous: Sequence[int], *, directions: bool
    ) -> list[Half]:
        """What the rows and bounds leave to the continuous columns, or to their directions."""
        place = {j: k for k, j in enumerate(continuous)}
        limited: list[tuple[list[Fraction], Fraction, Fraction | None, Fraction | None]] = []
        for row in self.program.rows:
            form = [F(0)] * len(continuous)
            known = F(0)
            for j, a in row.terms:
                if j in place:
                    form[place[j]] = a
                else:
                    known += a * point[j]
            limited.append((form, known, row.lower, row.upper))
        for j in continuous:
            form = [F(int(k == place[j])) for k in range(len(continuous))]
            column = self.program.columns[j]
            limited.append((form, F(0), column.lower, column.upper))
        halves: list[Half] = []
        for form, known, low, high in limited:
            if low is not None:
                halves.append(([-a for a in form], F(0) if directions else known - low))
            if high is not None:
                halves.append((form, F(0) if directions else high - known))
        return halves


def least(halves: Sequence[Half], costs: Sequence[Fraction], far: Fraction) -> Fraction | None:
    """The least cost of a vertex of the polyhedron within the box of size ``far``."""
    size = len(costs)
    ends: list[Half] = []
    for k in range(size):
        unit = [F(int(i == k)) for i in range(size)]
        ends += [(unit, far), ([-a for a in unit], far)]
    every = [*halves, *ends]
    best: Fraction | None = None
    for x in vertices(every, size):
        if all(sum((a * v for a, v in zip(form, x, strict=True)), F(0)) <= b for form, b in every):
            cost = sum((c * v for c, v in zip(costs, x, strict=True)), F(0))
            best = cost if best is None else min(best, cost)
    return best


def vertices(halves: Sequence[Half], size: int) -> Iterator[list[Fraction]]:
    """The points where ``size`` independent half-spaces are tight."""
    for chosen in itertools.combinations(halves, size):
        rows = [[*form, b] for form, b in chosen]
        x = solution(rows)
        if x is not None:
            yield x


def solution(rows: list[list[Fraction]]) -> list[Fraction] | None:
    """Gauss elimination, None if singular."""
    size = len(rows)
    for k in range(size):
        pivot = next((i for i in range(k, size) if rows[i][k]), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [a / rows[k][k] for a in rows[k]]
        for i in range(size):
            if i != k and rows[i][k]:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def judged(seed: int, seconds: float | None = None) -> tuple[str, str]:
    """The true status, and ``right``, ``open`` or what is wrong about the answer."""
    maker = Maker(seed)
    status, value = maker.truth()
    answer = solve(maker.program, seconds=seconds).answer
    objective: Fraction | None = None
    match answer:
        case Optimal():
            said, objective = "optimal", answer.objective
        case Infeasible():
            said = "infeasible"
        case Unbounded():
            said = "unbounded"
        case _:
            bound = answer.bound
            sign = maker.program.sense.sign
            if bound is not None and value is not None and sign * bound > sign * value:
                return status, "WRONG: a bound beyond the optimum"
            return status, "open"
    if (said, objective) != (status, value):
        return status, f"WRONG: {said} {objective}, not {value}"
    if check(json.dumps(answer.certificate)).verdict != "valid":
        return status, "WRONG: the kernel refuses the certificate"
    return status, "right"


def least_time(run: Callable[[], T]) -> tuple[float, T]:
    """The least CPU seconds of three runs, or of fewer if they are long, and the result."""
    spent: list[float] = []
    while True:
        start = time.process_time()
        found = run()
        spent.append(time.process_time() - start)
        if len(spent) == 3 or sum(spent) > 5:
            return min(spent), found


def in_floats(path: Path) -> tuple[float, float, str, float]:
    """The seconds in which HiGHS reads and solves a relaxation, its status and value."""
    start = time.process_time()
    solver: Any = highspy.Highs()
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("solve_relaxation", True)  # noqa: FBT003 (positional only)
    made = time.process_time()
    if solver.readModel(str(path)) == highspy.HighsStatus.kError:
        return math.inf, math.inf, "not read", math.nan
    middle = time.process_time()
    solver.run()
    solver.getSolution()
    end = time.process_time()
    status = solver.modelStatusToString(solver.getModelStatus())
    value = solver.getInfo().objective_function_value
    return middle - made, made - start + end - middle, status, value


def relaxation_of(column: Column) -> Column:
    """A continuous column over the hull of what this one may be."""
    low, high = (column.lower, column.upper)
    if column.kind.semi:
        low, high = (
            (None if low is None else min(low, F(0))),
            (None if high is None else max(high, F(0))),
        )
    return replace(column, lower=low, upper=high, kind=Kind.CONTINUOUS)


def beside_highs(paths: Sequence[Path], seconds: float | None) -> None:
    """Print a line for each file: is the answer proved, and how long did it take."""
    print(f"{'file':20} {'rows':>6} {'columns':>7} {'read':>7} {'solve':>8} {'HiGHS':>7} {'':8}"
          "ratio  with reading")  # fmt: skip
    worst = 0.0
    for path in paths:
        reading, program = least_time(lambda path=path: read(path))
        relaxed = replace(program, columns=tuple(map(relaxation_of, program.columns)))
        solving, solved = least_time(lambda p=relaxed: solve(p, seconds=seconds, certify=True))
        runs = [in_floats(path) for _ in range(3)]
        _, _, status, value = runs[0]
        own, other = min(run[0] for run in runs), min(run[1] for run in runs)
        answer, said = solved.answer, solved.status
        if isinstance(answer, Optimal):
            near = abs(float(answer.objective) - value) <= 1e-6 * max(1.0, abs(value))
            said = f"optimal {float(answer.objective):.10g}" + ("" if near else f", not {value}")
        proved = "PROVED" if solved.rests_on else "open"
        ratio, both = solving / other, (reading + solving) / (own + other)
        worst = max(worst, ratio)
        size = f"{len(program.rows):6} {len(program.columns):7}"
        print(f"{path.name:20} {size} {reading:7.3f} {solving:8.3f}"
              f" {other:7.4f} {proved:8}{ratio:5.1f} {both:6.1f}  {said} ({status})")  # fmt: skip
    print(f"the largest ratio: {worst:.1f}")


def main() -> None:
    """Print the answers that are not right, then counts; or a table of files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=None)
    arguments = parser.parse_args()
    if arguments.files:
        beside_highs(arguments.files, arguments.seconds)
        return
    counts: Counter[tuple[str, str]] = Counter()
    begun, longest = time.monotonic(), 0.0
    for seed in range(arguments.first, arguments.first + arguments.count):
        start = time.monotonic()
        status, outcome = judged(seed, arguments.seconds)
        longest = max(longest, time.monotonic() - start)
        counts[status, outcome.split(":")[0]] += 1
        if outcome != "right":
            print(f"{seed}: {status}: {outcome}")
    for (status, outcome), count in sorted(counts.items()):
        print(f"{status:12} {outcome:8} {count}")
    print(f"{time.monotonic() - begun:.1f} s, the longest {longest:.1f} s with its enumeration")


if __name__ == "__main__":
    main()
