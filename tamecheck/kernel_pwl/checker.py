"""What a split certificate proves: no input of a region has outputs that are unsafe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TypeAlias

from tamecheck.kernel import read
from tamecheck.kernel.checker import Report, judge
from tamecheck.kernel.graph import read_graph
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import common, joint, pairs, require, spend
from tamecheck.kernel_pwl.blocks import Row, Terms, down, up
from tamecheck.kernel_pwl.bounds import COEFFICIENT, Bounds
from tamecheck.kernel_pwl.floats import FORMATS
from tamecheck.kernel_pwl.formula import Forms, Formula, add, refuted
from tamecheck.kernel_pwl.network import Network
from tamecheck.kernel_pwl.parts import SLOPE, Part

FORMAT = "tamecheck-split-certificate"
STEPS = 6_000_000_000
LARGEST, BITS = 1 << 62, 1 << 12
NUMBERS = (-LARGEST, LARGEST)
DEPTH = 6
At: TypeAlias = list[int | None]
Share: TypeAlias = tuple[int, int]
Cases: TypeAlias = frozenset[int]


@dataclass(frozen=True, slots=True)
class _Inequality:
    """Integers times variables, plus a constant in units of values, is at most 0, or below it."""

    form: dict[int, int]
    constant: int
    exact: Fraction  # the constant as it is, times what the integers are times
    strict: bool


class _Region:
    """One box, its cases, and the tree that shows that no input of it is in any case."""

    def __init__(self, network: Network, value: object, bits: int) -> None:
        raw = read.fields(value, "lower upper unsafe")
        sides = (read.items(raw[side]) for side in ("lower", "upper"))
        low, high = ([read.rational(v) for v in side] for side in sides)
        require(len(low) == len(high) == network.inputs, "a box has two ends an input")
        self.network, self.bits, self.box = network, bits, list(pairs(low, high))
        cases = map(read.items, read.items(raw["unsafe"]))
        self.cases = [[self._inequality(one) for one in case] for case in cases]
        crossed = any(a > b for a, b in pairs(low, high))
        self.open = frozenset(range(0 if crossed else len(self.cases)))
        lows, highs = [down(v, bits) for v in low], [up(v, bits) for v in high]
        require(all(abs(v) <= LARGEST for v in lows + highs), "an end of the box is too large")
        self.bounds = Bounds(network, lows, [max(a, b) for a, b in pairs(lows, highs)], bits)

    def _inequality(self, value: object) -> _Inequality:
        raw = read.fields(value, "inputs outputs bound strict")
        form = dict[int, Fraction]()
        for key, ids in (("inputs", range(self.network.inputs)), ("outputs", self.network.outputs)):
            for i, c in read.pairs(raw[key], "terms are pairs"):
                v = ids[read.integer(i, 0, len(ids) - 1)]
                form[v] = form.get(v, Fraction(0)) + read.rational(c)
        bound = read.rational(raw["bound"])
        unit = joint([c.denominator for c in form.values()], BITS)
        # in units of coefficients and of values, rounded down
        constant = down(-bound * unit, COEFFICIENT + self.bits)
        whole = {v: int(c * unit) << COEFFICIENT for v, c in form.items() if c}
        return _Inequality(whole, constant, -bound * unit, read.flag(raw["strict"]))

    # --- the tree ---

    def check(self, raw: Sequence[object], at: At, before: int, share: Share) -> None:
        """Check a tree in preorder: what is said of a part, and its split, till no case is open.

        So many steps were `before` it.  Of what is below splits that have DEPTH above them a share
        is looked at; of other parts it is only seen that each case is closed.
        """
        number, waiting = 0, list[tuple[Part | None, Cases, int]]()
        waiting += [(self.bounds.root.copy(), self.open, 0)] if self.open else []
        for k, value in enumerate(raw, before):
            at[0] = k
            require(len(waiting) > 0, "the tree has ended before")
            part, cases, depth = waiting.pop()
            entry = read.items(value)
            match read.word(entry[0]) if entry else "":
                case "split":
                    number += depth == DEPTH
                    if depth == DEPTH and number % share[1] != share[0]:
                        part = None
                    sides = self._split(part, entry[1:]) if part else [None, None]
                    waiting += [(side, cases, depth + 1) for side in reversed(sides)]
                    continue
                case "only":
                    first = frozenset(_integers(entry[1:], 1))
                    require(first < cases, "the case is not open here, or the only one")
                    rest = part.copy() if part else None
                    waiting += [(rest, cases - first, depth), (part, first, depth)]
                    continue
                case kind:
                    cases -= self._closed(part, cases, kind, entry[1:])
            if cases:
                waiting.append((part, cases, depth))
        at[0] = before + len(raw)
        require(not waiting, "a part is missing")
        at[0] = None

    def _closed(self, part: Part | None, cases: Cases, kind: str, raw: list[object]) -> Cases:
        """Check a step that divides nothing, if the part is looked at; return what it closes."""
        if kind in ("bound", "cut"):
            if part and kind == "bound":
                self._bound(part, *_integers(raw, 1))
            elif part:
                self._cut(part, cases, raw)
            return frozenset()
        require(kind in ("close", "combine", "formula"), "no such step")
        known = NUMBERS if kind == "close" else (0, len(self.cases) - 1)
        case = read.integer((*raw, None)[0], *known)
        require(case in cases, "the case is not open here")
        if part and kind == "formula":
            self._refute(case, raw[1:])
        elif part:
            self._combine(part, case, raw[1:] if kind == "combine" else [[[*raw[1:], 1]], [], []])
        return frozenset({case})

    def _bound(self, part: Part, deep: int) -> None:
        require(deep in (0, 1, 2), "no such kind of bounds")
        if deep == 2:
            self.bounds.forget(part)
        self.bounds.tighten(part, deep=deep > 0)

    def _variable(self, group: int, element: int) -> int:
        """Return the argument of an element of a bend, or an input for group 0."""
        require(0 <= group <= len(self.network.bends), "there is no such group")
        ids = self.network.bends[group - 1].args if group else range(self.network.inputs)
        require(0 <= element < len(ids), "the group has no such element")
        return ids[element]

    def _split(self, part: Part, raw: list[object]) -> list[Part]:
        group, element, end, kind = _integers(raw, 4)
        v, below, above = self._variable(group, element), part, part.copy()
        below.below(v, end)
        above.above(v, end)
        # of an end that neither part, one, or the other leaves out
        if kind == 1 and below.high[v] == end:
            below.beside[v, 1] = end
            below.empty = below.empty or below.low[v] == end
        if kind == -1 and above.low[v] == end:
            above.beside[v, 0] = end
            above.empty = above.empty or above.high[v] == end
        require(kind in (-1, 0, 1), "no such kind of split")
        return [below, above]

    def _sum(self, case: int, weights: Terms) -> tuple[dict[int, int], int, bool]:
        """Return a weighted sum of rows, at most 0 where they hold; below 0 if the flag is set."""
        form, constant, strict = dict[int, int](), 0, False
        for row, weight in weights.items():
            require(0 <= row < len(self.cases[case]), "the case has no such row")
            one = self.cases[case][row]
            require(weight > 0, "a weight is not positive")
            for v, c in one.form.items():
                form[v] = form.get(v, 0) + weight * c
            constant, strict = constant + weight * one.constant, strict or one.strict
        return form, constant, strict

    def _excluded(self, case: int, form: Terms, weights: Terms, *, strict: bool) -> bool:
        """Return whether a sum of rows over inputs alone is above 0 on the box, exactly."""
        used = {v: c for v, c in form.items() if c}
        if not all(v < self.network.inputs for v in used):
            return False
        spend(8 * len(used) + 8)
        parts = [(Fraction(w), self.cases[case][row].exact) for row, w in weights.items()]
        parts += [(Fraction(c, 1 << COEFFICIENT), self.box[v][c < 0]) for v, c in used.items()]
        if common([end.denominator for _, end in parts], BITS) is None:
            return False
        least = sum((c * end for c, end in parts), Fraction(0))
        return least > 0 or (strict and least == 0)

    def _combine(self, part: Part, case: int, raw: list[object]) -> None:
        """Close a case by weights of rows, multiples of variables, lines and planes."""
        require(len(raw) == 3, "a case, weights, multiples and slopes were expected")
        weights, chosen = _weights(raw[0]), dict[int, Row]()
        several = (_integers(one, 3) for one in read.items(raw[1]))
        moved = {self._variable(group, element): m for group, element, m in several}
        for one in read.items(raw[2]):
            group, element, *slopes = _integers(one)
            z = self._variable(group, element)
            count = len(slopes) == 1 or len(slopes) == len(self.bounds.terms(z)[0]) + 2
            require(count, "one slope, or two and one a term, were expected")
            require(all(0 <= s <= 1 << SLOPE for s in slopes), "a slope is not in [0, 1]")
            chosen[z] = slopes
        form, constant, strict = self._sum(case, weights)
        if not self._excluded(case, form, weights, strict=strict):
            ends = {(v, m > 0): (part.low, part.high)[m > 0][v] for v, m in moved.items() if m}
            strict = strict or not part.beside.items().isdisjoint(ends.items())
            _, _, least = self.bounds.functional(part, form, constant, moved, chosen)
            require(part.empty or least > 0 or (strict and least == 0), "the rows may all hold")

    def _refute(self, case: int, raw: list[object]) -> None:
        """Close a case, on the whole box, by clauses about inputs that have two values."""
        require(len(raw) == 3, "a case, rows, clauses and steps were expected")
        rows, forms, unit = self.cases[case], Forms(self.network), Fraction(1, 1 << COEFFICIENT)
        terms = [((c * unit, forms.of[v]) for v, c in one.form.items()) for one in rows]
        sums = [add(parts, one.exact) for parts, one in pairs(terms, rows)]
        formula = Formula(forms, self.box, sums, [one.strict for one in rows])
        require(refuted(formula, raw), "the clauses are not refuted")

    def _cut(self, part: Part, cases: Cases, raw: list[object]) -> None:
        """Cut off the part where a row, or a sum, of the only open case is above 0."""
        require(len(raw) == 2, "a case, and a row or weights, were expected")
        case = read.integer(raw[0], 0, len(self.cases) - 1)
        require(cases == frozenset({case}), "the case is not the only one open")
        weights = {_integers(raw[1:], 1)[0]: 1} if isinstance(raw[1], int) else _weights(raw[1])
        row, constant, _ = self._sum(case, weights)
        form, _, least = self.bounds.functional(part, row, constant, {}, {})
        part.empty = part.empty or least > 0
        for j, a in () if part.empty else form.items():
            # from the end where it is least, it may rise by -least
            reach = -(least // abs(a)) if a else 0
            if a > 0:
                part.below(j, part.low[j] + reach)
            elif a < 0:
                part.above(j, part.high[j] - reach)


def _weights(value: object) -> dict[int, int]:
    several = [_integers(v, 2) for v in read.items(value)]
    weights = {row: weight for row, weight in several}  # noqa: C416
    require(len(weights) == len(several), "a row is named twice")
    return weights


def _integers(value: object, count: int | None = None) -> Row:
    found = [read.integer(v, *NUMBERS) for v in read.items(value)]
    require(len(found) == (count or max(len(found), 3)), f"{count or 3} integers were expected")
    return found


def _certificate(share: Share, raw: Json, at: At) -> tuple[Json, Sequence[str], str]:
    require(0 <= share[0] < share[1], "there is no such share")
    read.fields(raw, "format version model tensors bits claim proofs")
    require(raw["format"] == FORMAT, "unknown format")
    read.integer(raw["version"], 1, 1)
    model = read.fields(raw["model"], "sha256 graph")
    graph = read_graph(model["graph"], raw["tensors"])
    require(model["sha256"] == graph.sha256, "the hash of the graph is another")
    bits = read.fields(raw["bits"], "weights values")
    values = read.integer(bits["values"], 8, 256)
    claim = read.fields(raw["claim"], "verdict regions", "arithmetic")
    floats = FORMATS.get(read.word(claim["arithmetic"])) if "arithmetic" in claim else None
    require(floats is not None or "arithmetic" not in claim, "unknown arithmetic")
    network = Network(graph, read.integer(bits["weights"], 1, 256), floats)
    require(claim["verdict"] == "holds", "unknown verdict")
    before = 0
    for one, proof in pairs(read.items(claim["regions"]), read.items(raw["proofs"])):
        _Region(network, one, values).check(steps := read.items(proof), at, before, share)
        before += len(steps)
    at[0] = None
    return claim, (), graph.sha256


def check(text: str | bytes, steps: int = STEPS, share: Share = (0, 1)) -> Report:
    """Check a certificate, given as JSON text. Never raises: what cannot be checked is invalid.

    A share (k, n) is of n that together are all of it: it is valid if each of these is.
    """
    return judge(text, partial(_certificate, share), steps)
