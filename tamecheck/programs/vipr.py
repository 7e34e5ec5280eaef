"""Tree certificates as VIPR files, which checkers of others read.

A branching becomes two assumptions and the step that takes them back (``uns``), and so does the
disjunction of a cut; the multipliers of a leaf become a linear combination (``lin``) of rows,
bounds and assumptions; a gap between integers, narrower bounds and the step between objective
values become roundings (``rnd``).  Steps that assume the cutoff of the best point have no statement
here.  VIPR's objective has no constant: the range in the file is that of the objective without it.

Source: Cheung, Gleixner and Steffy, Verifying integer programming results (IPCO 2017), and the
format's versions 1.0 and 1.1 (github.com/scipopt/vipr).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from tamecheck.errors import UnsupportedError
from tamecheck.ir.exact import ZERO, rational_of_text, rational_text
from tamecheck.ir.program import Program, Sense
from tamecheck.programs.certificate import integer_of, narrowed

Version: TypeAlias = Literal["1.0", "1.1"]

Weights: TypeAlias = dict[int, Fraction]
"""Multipliers of constraints, by their index in the file."""

Bound: TypeAlias = tuple[int, Fraction]
"""A bound of a column: the constraint that states it, and its value."""

Ends: TypeAlias = tuple["Bound | None", "Bound | None"]


@dataclass(frozen=True, slots=True)
class _Proved:
    """What a node shows: a bound of the minimised objective, or that it has no point (None)."""

    constraint: int
    bound: Fraction | None


@dataclass(slots=True)
class _File:
    program: Program
    constraints: list[str] = field(default_factory=list[str])
    """The constraints of the program; bounds first."""
    derived: list[str] = field(default_factory=list[str])
    bounds: list[Ends] = field(default_factory=list[Ends])
    rows: list[Ends] = field(default_factory=list[Ends])
    terms: list[Mapping[int, Fraction]] = field(default_factory=list[Mapping[int, Fraction]])
    """The terms of the rows, those of cuts after those of the program."""

    @property
    def sign(self) -> int:
        """1 for a program that is minimised, else -1."""
        return 1 if self.program.sense is Sense.MINIMISE else -1

    @property
    def costs(self) -> list[Fraction]:
        """The costs of the minimised objective."""
        return [self.sign * column.cost for column in self.program.columns]

    def _state(self, sense: str, right: Fraction, form: str) -> Bound:
        self.constraints.append(f"C{len(self.constraints)} {sense} {rational_text(right)} {form}")
        return len(self.constraints) - 1, right

    def derive(self, sense: str, right: Fraction, form: str, reason: str) -> int:
        """Add a derived constraint; its index."""
        index = len(self.constraints) + len(self.derived)
        self.derived.append(f"C{index} {sense} {rational_text(right)} {form} {{ {reason} }} -1")
        return index

    def state_program(self) -> int:
        """State bounds and rows; the number of bounds."""
        for j, column in enumerate(self.program.columns):
            low, high = column.lower, column.upper
            form = _form({j: Fraction(1)})
            self.bounds.append(
                (
                    None if low is None else self._state("G", low, form),
                    None if high is None else self._state("L", high, form),
                )
            )
        count = len(self.constraints)
        for row in self.program.rows:
            self.terms.append(dict(row.terms))
            form = _form(dict(row.terms))
            if row.lower is not None and row.lower == row.upper:
                both = self._state("E", row.lower, form)
                self.rows.append((both, both))
                continue
            low, high = row.lower, row.upper
            self.rows.append(
                (
                    None if low is None else self._state("G", low, form),
                    None if high is None else self._state("L", high, form),
                )
            )
        return count

    def round_bounds(self) -> None:
        """Derive the integral bounds of integer columns."""
        for j, column in enumerate(self.program.columns):
            if column.kind.integral:
                low, high = self.bounds[j]
                self.bounds[j] = self._rounded(j, low, "G"), self._rounded(j, high, "L")

    def _rounded(self, j: int, end: Bound | None, sense: str) -> Bound | None:
        if end is None or end[1].denominator == 1:
            return end
        value = Fraction(math.ceil(end[1]) if sense == "G" else math.floor(end[1]))
        return self.derive(sense, value, _form({j: Fraction(1)}), f"rnd 1 {end[0]} 1"), value

    # --- bounds and cuts before the tree --------------------------------------------------------

    def derive_all(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """Derive narrower bounds and cuts."""
        self.rows.append((None, None))
        # the place of the cutoff, which no row of the file states
        self.terms.append({})
        for step in steps:
            if "cut" in step:
                self._cut(step)
            else:
                self._tighten(narrowed(step))

    def _require_rows(self, y: Mapping[int, Fraction]) -> None:
        if len(self.program.rows) in y:
            raise UnsupportedError(
                "VIPR has no statement for a step that assumes the cutoff of the best point.",
                hint="Solve with cutoff=False, as --proof vipr does.",
            )

    def _tighten(self, step: Mapping[str, Any]) -> None:
        y = _multipliers(step["rows"], 1)
        self._require_rows(y)
        form: Weights = {}
        for i, factor in y.items():
            for j, a in self.terms[i].items():
                form[j] = form.get(j, ZERO) + factor * a
        for side, sign in (("lower", 1), ("upper", -1)):
            for j, _ in step[side]:
                self._narrow(int(j), sign, {i: factor / abs(form[j]) for i, factor in y.items()})

    def _narrow(self, j: int, sign: int, y: Mapping[int, Fraction]) -> None:
        """Derive a bound of a column, with the coefficient 1 or -1 in the sum of rows."""
        costs = [ZERO] * len(self.bounds)
        costs[j] = Fraction(sign)
        sense = "G" if sign > 0 else "L"
        weights, value = self.combine(y, costs, self.bounds)
        form = _form({j: Fraction(1)})
        index = self.derive(sense, sign * value, form, f"lin {_pairs(weights, sign)}")
        end = index, sign * value
        if self.program.columns[j].kind.integral:
            end = self._rounded(j, end, sense) or end
        low, high = self.bounds[j]
        self.bounds[j] = (end, high) if sign > 0 else (low, end)

    def _cut(self, step: Mapping[str, Any]) -> None:
        terms = {int(j): Fraction(integer_of(a)) for j, a in step["cut"]}
        split = {int(j): Fraction(integer_of(a)) for j, a in step["split"]}
        least, at = rational_of_text(step["least"]), Fraction(integer_of(step["at"]))
        shown: list[int] = []
        below = self.derive("L", at, _form(split), "asm")
        above = self.derive("G", at + 1, _form(split), "asm")
        for assumed, limit, sign, side in zip(
            (below, above), (-at, at + 1), (-1, 1), step["sides"], strict=True
        ):
            over = integer_of(side["over"])
            y, times = (
                _multipliers(side["rows"], over or 1),
                Fraction(integer_of(side["times"]), over or 1),
            )
            self._require_rows(y)
            costs = [(terms.get(j, ZERO) if over else ZERO) for j in range(len(self.bounds))]
            for j, p in split.items():
                costs[j] -= sign * p * times
            weights, value = self.combine(y, costs, self.bounds)
            if times:
                weights[assumed] = sign * times
            value += times * limit
            if over:
                shown.append(self.derive("G", value, _form(terms), f"lin {_pairs(weights)}"))
            else:
                shown.append(self.empty(weights, value).constraint)
        reason = f"uns {shown[0]} {below} {shown[1]} {above}"
        self.terms.append(terms)
        self.rows.append(((self.derive("G", least, _form(terms), reason), least), None))

    # --- leaves ---------------------------------------------------------------------------------

    def combine(
        self, y: Mapping[int, Fraction], costs: Sequence[Fraction], ends: Sequence[Ends]
    ) -> tuple[Weights, Fraction]:
        """Multipliers of rows (y) and bounds that show ``costs x >= value``, and the value."""
        weights: Weights = {}
        value, rest = ZERO, list(costs)
        for i, factor in y.items():
            for j, a in self.terms[i].items():
                rest[j] -= factor * a
        for pairs, factors in ((self.rows, y.items()), (ends, enumerate(rest))):
            for k, factor in factors:
                end = pairs[k][factor < 0] if factor else None
                if end is not None:
                    weights[end[0]] = weights.get(end[0], ZERO) + factor
                    value += factor * end[1]
        return {k: w for k, w in weights.items() if w}, value

    def empty(self, weights: Weights, value: Fraction) -> _Proved:
        """No point: ``0 >= value``, which is positive."""
        return _Proved(self.derive("G", value, "0", f"lin {_pairs(weights)}"), None)

    def leaf(self, node: Mapping[str, Any], ends: Sequence[Ends]) -> _Proved:
        """What a leaf shows, derived."""
        if "crossed" in node or "row" in node:
            pairs = ends if "crossed" in node else self.rows
            low, high = pairs[int(node["crossed" if "crossed" in node else "row"])]
            if low is None or high is None:
                raise AssertionError("a certificate that the kernel accepts has crossed bounds")
            return self.empty({low[0]: Fraction(1), high[0]: Fraction(-1)}, low[1] - high[1])
        if "none" in node:
            y = _multipliers(node["none"], 1)
            return self.empty(*self.combine(y, [ZERO] * len(ends), ends))
        over = integer_of(node["over"])
        if "gap" in node:
            return self._gap(_multipliers(node["gap"], over), ends)
        y = _multipliers(node["bound"], over)
        weights, value = self.combine(y, self.costs, ends)
        return _Proved(self.objective(value, f"lin {_pairs(weights, self.sign)}"), value)

    def _gap(self, y: Mapping[int, Fraction], ends: Sequence[Ends]) -> _Proved:
        """Rows combine to a form that takes integers only, and none is between its bounds."""
        form: Weights = {}
        for i, factor in y.items():
            for j, a in self.terms[i].items():
                form[j] = form.get(j, ZERO) + factor * a
        columns = self.program.columns
        whole = {
            j: a for j, a in form.items() if a and columns[j].kind.integral and a.denominator == 1
        }
        found: list[tuple[int, Fraction]] = []
        for sign in (1, -1):
            costs = [sign * whole.get(j, ZERO) for j in range(len(columns))]
            weights, value = self.combine({i: sign * f for i, f in y.items()}, costs, ends)
            sense, limit = "G" if sign > 0 else "L", sign * Fraction(math.ceil(value))
            # equations alone combine to an equation, which cannot be rounded itself
            reason = f"lin {_pairs(weights, sign)}"
            whole_row = self.derive(sense, sign * value, _form(whole), reason)
            found.append((self.derive(sense, limit, _form(whole), f"rnd 1 {whole_row} 1"), limit))
        (low, least), (high, most) = found
        return self.empty({low: Fraction(1), high: Fraction(-1)}, least - most)

    # --- the tree -------------------------------------------------------------------------------

    def objective(self, bound: Fraction, reason: str) -> int:
        """Derive a bound of the objective."""
        return self.derive("G" if self.sign > 0 else "L", self.sign * bound, "OBJ", reason)

    def tree(self, nodes: Sequence[Mapping[str, Any]]) -> _Proved:
        """Derive what the root shows."""
        shown: dict[int, _Proved] = {}
        assumed: dict[int, tuple[int, int]] = {}
        stack: list[tuple[int, list[Ends]]] = [(0, self.bounds)]
        while stack:
            k, ends = stack[-1]
            node = nodes[k]
            if "children" not in node:
                shown[k] = self.leaf(node, ends)
                stack.pop()
                continue
            first, second = (int(child) for child in node["children"])
            if k not in assumed:
                assumed[k] = self._branch(node, stack, (first, second), ends)
                continue
            stack.pop()
            shown[k] = self._resolve(assumed.pop(k), (shown.pop(first), shown.pop(second)))
        return shown[0]

    def _branch(
        self,
        node: Mapping[str, Any],
        stack: list[tuple[int, list[Ends]]],
        children: tuple[int, int],
        ends: list[Ends],
    ) -> tuple[int, int]:
        j, at = int(node["branch"]), Fraction(integer_of(node["at"]))
        form = _form({j: Fraction(1)})
        below, above = (self.derive(s, v, form, "asm") for s, v in (("L", at), ("G", at + 1)))
        low, high = ends[j]
        # the kernel keeps the narrower of the old and the new bound
        halves = (
            (low, (below, at) if high is None or high[1] > at else high),
            ((above, at + 1) if low is None or low[1] < at + 1 else low, high),
        )
        for child, side in reversed(list(zip(children, halves, strict=True))):
            stack.append((child, [*ends[:j], side, *ends[j + 1 :]]))
        return below, above

    def _resolve(self, assumed: tuple[int, int], shown: tuple[_Proved, _Proved]) -> _Proved:
        (a, b), (one, other) = assumed, shown
        reason = f"uns {one.constraint} {a} {other.constraint} {b}"
        known = [found.bound for found in shown if found.bound is not None]
        if not known:
            return _Proved(self.derive("G", Fraction(1), "0", reason), None)
        return _Proved(self.objective(min(known), reason), min(known))

    def round_objective(self, root: _Proved, granularity: Mapping[str, Any]) -> None:
        """Round the bound of the root up to the next value that the objective can take."""
        if root.bound is None:
            return
        step = Fraction(granularity["step"])
        y = {int(i): rational_of_text(f) for i, f in granularity["rows"]}
        equations = {self.rows[i][0]: f for i, f in y.items()}
        form = {j: cost for j, cost in enumerate(self.costs) if cost}
        offset = ZERO
        weights: Weights = {root.constraint: self.sign / step}
        back: Weights = {}
        for end, factor in equations.items():
            if end is None:
                raise AssertionError("a certificate that the kernel accepts has equations here")
            weights[end[0]] = -factor / step
            back[end[0]] = factor
            offset += factor * end[1]
        for i, factor in y.items():
            for j, a in self.program.rows[i].terms:
                form[j] = form.get(j, ZERO) - factor * a
        scaled = {j: c / step for j, c in form.items() if c}
        value = Fraction(math.ceil((root.bound - offset) / step))
        rounded = self.derive("G", value, _form(scaled), f"rnd {_pairs(weights)}")
        back[rounded] = step
        self.objective(value * step + offset, f"lin {_pairs(back, self.sign)}")


def _multipliers(pairs: Iterable[Sequence[Any]], over: int) -> dict[int, Fraction]:
    return {int(i): Fraction(integer_of(n), over) for i, n in pairs}


def _form(terms: Mapping[int, Fraction]) -> str:
    pairs = [f"{j} {rational_text(a)}" for j, a in sorted(terms.items())]
    return " ".join([str(len(terms)), *pairs])


def _pairs(weights: Weights, sign: int = 1) -> str:
    return _form({k: sign * w for k, w in weights.items()})


def _names(names: Sequence[str]) -> list[str]:
    """Names without white space, each once."""
    found: dict[str, None] = {}
    for number, name in enumerate(names):
        plain = re.sub(r"[\s%{}]", "_", name) or "x"
        while plain in found:
            plain = f"{plain}_{number}"
        found[plain] = None
    return list(found)


def vipr_text(program: Program, certificate: Mapping[str, Any], version: Version = "1.0") -> str:
    """A tree certificate as the text of a VIPR file.

    Parameters
    ----------
    program
        The program that it is about.
    certificate
        A document that the kernel accepts: of an optimum or of infeasibility.
    version
        Of the format.

    Raises
    ------
    UnsupportedError
        If the format has no statement for it: of unboundedness, and of semicontinuous columns.
    """
    claim = certificate["claim"]
    if claim["verdict"] not in ("optimal", "infeasible"):
        what = f"VIPR has no statement that a program is {claim['verdict']}."
        raise UnsupportedError(what, hint="Write the certificate without --proof.")
    if any(column.kind.semi for column in program.columns):
        what = "VIPR has no semicontinuous columns."
        raise UnsupportedError(what, hint="Write the certificate without --proof.")
    file = _File(program)
    bounds = file.state_program()
    file.round_bounds()
    if certificate["version"] > 1:
        file.derive_all(certificate["derived"])
    root = file.tree(certificate["nodes"])
    integers = [str(j) for j, column in enumerate(program.columns) if column.kind.integral]
    costs = _form({j: c.cost for j, c in enumerate(program.columns) if c.cost})
    range_, solution = "infeas", "SOL 0"
    if claim["verdict"] == "optimal":
        if certificate["granularity"] is not None:
            file.round_objective(root, certificate["granularity"])
        point = map(rational_of_text, claim["x"])
        x = {j: v for j, v in enumerate(point) if v}
        value = rational_text(sum((program.columns[j].cost * v for j, v in x.items()), ZERO))
        range_, solution = f"range {value} {value}", f"SOL 1\noptimum {_form(x)}"
    constant = rational_text(program.constant)
    lines = [
        "% written by tamecheck",
        *([f"% objective without its constant {constant}"] if program.constant else []),
        f"VER {version}",
        f"VAR {len(program.columns)}",
        " ".join(_names([column.name for column in program.columns])),
        f"INT {len(integers)}",
        " ".join(integers),
        f"OBJ {'min' if file.sign > 0 else 'max'}",
        costs,
        f"CON {len(file.constraints)} {bounds}",
        *file.constraints,
        f"RTP {range_}",
        solution,
        f"DER {len(file.derived)}",
        *file.derived,
    ]
    return "".join(f"{line}\n" for line in lines)
