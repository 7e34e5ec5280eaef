"""A bound on a quotient of polynomials on all of ℝⁿ, with a proof that the kernel can check.

``|p / q| <= M`` everywhere and ``q >= delta > 0`` follow from three identities
``M q - p = Σ c s²``, ``M q + p = Σ c s²`` and ``q - delta = Σ c s²`` with non-negative ``c``.
They are found here when ``p`` and ``q`` have degree at most 2, by exact elimination.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.exact.polynomial import Polynomial, Square, quadratic_squares
from tamecheck.ir.arithmetic import Arithmetic, MissingError
from tamecheck.ir.box import Box
from tamecheck.ir.exact import bound_text, rational_text
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Routing
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import line_of, term_of
from tamecheck.tame.verdict import Step

_BOUNDS = tuple(Fraction(2) ** k for k in range(-4, 21))
_GAPS = tuple(Fraction(2) ** -k for k in range(21))
_MAX_TERMS = 200
_MAX_SIGNED = 40


def quotient_bound(graph: Graph, node: int) -> Step | None:
    """A `polynomial-bound` step for a quotient of scalar polynomials, or None if none is found."""
    found = graph.nodes[node]
    if not (isinstance(found, Apply) and found.op is ops.DIV):
        return None
    p, q = (polynomial_of(graph, arg) for arg in found.args)
    if p is None or q is None:
        return None
    positive = next(((d, s) for d in _GAPS if (s := _squares(q, -d)) is not None), None)
    if positive is None:
        return None
    for bound in _BOUNDS:
        above = quadratic_squares(q.scaled(bound) + p.scaled(Fraction(-1)))
        below = quadratic_squares(q.scaled(bound) + p)
        if above is not None and below is not None:
            return {
                "rule": "polynomial-bound",
                "node": node,
                "bound": rational_text(bound),
                "certificate": {
                    "delta": rational_text(positive[0]),
                    "positive": _document(graph, positive[1]),
                    "upper": _document(graph, above),
                    "lower": _document(graph, below),
                },
            }
    return None


_Signed = dict[tuple[int, ...], Fraction]
"""A polynomial in the positive and negative parts of the inputs, by sorted monomials."""


def orthant_bound(graph: Graph, node: int) -> Step | None:
    """An `orthant-bound` step for a quotient of polynomials in absolute values, or None."""
    found = graph.nodes[node]
    if not (isinstance(found, Apply) and found.op is ops.DIV):
        return None
    signed = _Signs(graph)
    p, q = (signed.value(arg) for arg in found.args)
    if p is None or q is None:
        return None
    atoms = sorted(signed.atoms)
    gap = q.get((), Fraction(0))
    deltas = [gap, gap / 2] if gap > 0 else []
    delta = next((d for d in deltas if _nonnegative(_signed_sum(q, {(): -d}))), None)
    if not _nonnegative(q):
        return None
    for bound in _BOUNDS:
        multiple = {key: bound * c for key, c in q.items()}
        negative = {key: -c for key, c in p.items()}
        if all(_nonnegative(_signed_sum(multiple, side)) for side in (p, negative)):
            texts = {"bound": rational_text(bound), "atoms": atoms}
            gaps = {"delta": bound_text(delta)}
            return {"rule": "orthant-bound", "node": node, **texts, **gaps}
    return None


def _nonnegative(p: _Signed) -> bool:
    """Whether each negative term is outweighed by two others, between which it is."""
    plus = {key: c for key, c in p.items() if c > 0}
    for m, c in p.items():
        if c < 0:
            able = [key for key, d in plus.items() if d + c >= 0]
            pair = next(((a, b) for a in able for b in able if _between(a, m, b)), None)
            if pair is None:
                return False
            for key in pair:
                plus[key] += c
    return True


def _between(a: tuple[int, ...], m: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether m ≤ a + b for non-negative symbols: m² = a b, or they differ by one symbol."""
    if sorted(a + b) == sorted(m + m):
        return a != b
    counts = [(m.count(t) - a.count(t), b.count(t) - m.count(t)) for t in {*a, *m, *b}]
    moved = [pair for pair in counts if any(pair)]
    return len(moved) == 1 and min(moved[0]) > 0


def _signed_sum(left: _Signed, right: _Signed) -> _Signed:
    zero = Fraction(0)
    keys = {**left, **right}
    found = {key: left.get(key, zero) + right.get(key, zero) for key in keys}
    return {key: c for key, c in found.items() if c}


@dataclass(slots=True)
class _Signs:
    """Nodes as polynomials in positive and negative parts of inputs, or of other atoms."""

    graph: Graph
    atoms: set[int] = field(default_factory=set[int])
    roots: int = 0

    def value(self, node: int) -> _Signed | None:
        """The polynomial of a node, None if it has too many terms."""
        known: dict[int, _Signed | None] = {}
        needed: set[int] = set()
        for index in self.graph.ancestors([node]):
            known[index] = self._find(index, known)
        waiting = [node]
        while waiting:
            index = waiting.pop()
            below = self.graph.nodes[index]
            if isinstance(below, Apply) and known[index] == _atom(index):
                needed.add(index)
            elif isinstance(below, Apply):
                waiting.extend(below.args)
        found = known[node]
        if found is None or len(found) > _MAX_SIGNED:
            return None
        self.atoms |= needed
        return found

    def _find(self, index: int, known: Mapping[int, _Signed | None]) -> _Signed | None:
        found = self.graph.nodes[index]
        if size_of(found.shape) != 1:
            return None
        match found:
            case Input():
                return _atom(index)
            case Constant(tensor=tensor):
                value = tensor.fractions()[0]
                return {(): value} if value else {}
            case Apply(args=args):
                given = [known[arg] for arg in args]
                parts = [part for part in given if part is not None]
                value = self._apply(found, parts) if len(parts) == len(given) else None
                if value is None or len(value) > _MAX_SIGNED:
                    return _atom(index)
                return {key: c for key, c in value.items() if c and not _meet(key, key)}

    def _apply(self, node: Apply, args: Sequence[_Signed]) -> _Signed | None:
        if node.op is not ops.SQRT:
            return _signed_apply(node, args)
        low = {k[::2]: c for k, c in args[0].items() if k and k[::2] == k[1::2] and c == 1}
        low |= {(): Fraction(1)} if not low and args[0].get(()) == 1 else {}
        square = {key: -c for key, c in _signed_product(low, low).items()}
        if min([*args[0].values(), *_signed_sum(args[0], square).values(), 0]) < 0:
            return None
        self.roots += 1
        # a symbol that no node has
        return {**low, (2 * (len(self.graph.nodes) + self.roots),): Fraction(1)}


def _atom(index: int) -> _Signed:
    return {(2 * index,): Fraction(1), (2 * index + 1,): Fraction(-1)}


def _meet(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether a positive part in one meets the same input's negative part in the other."""
    return any(s ^ 1 in b for s in a)


def _signed_apply(node: Apply, args: Sequence[_Signed]) -> _Signed | None:
    term, line = term_of(node.op, node.params), line_of(node.op, node.params)
    if term is not None:
        try:
            return _SIGNED.value(term, args)
        except MissingError:
            return None
    if line is None or line.breaks != (0,) or line.at != (0,) or not line.is_continuous:
        return None
    # the positive and the negative part of the argument are those of its terms if they never meet
    terms = args[0].items()
    apart = all(_meet(a, b) for a, c in terms for b, d in terms if c > 0 > d)
    return {key: c * line.slopes[c > 0] for key, c in terms} if apart else None


def _signed_product(left: _Signed, right: _Signed) -> _Signed:
    found: _Signed = {}
    for a, c in left.items():
        for b, d in right.items():
            if not _meet(a, b):
                key = tuple(sorted(a + b))
                found[key] = found.get(key, Fraction(0)) + c * d
    return found


def _signed_quotient(left: _Signed, right: _Signed) -> _Signed:
    if set(right) != {()}:
        raise MissingError
    return {key: c / right[()] for key, c in left.items()}


def _no_quotient(*_: Polynomial) -> Polynomial:
    raise MissingError


_SIGNED: Arithmetic[_Signed] = Arithmetic(
    constant=lambda value: {(): value} if value else {},
    add=_signed_sum,
    multiply=_signed_product,
    divide=_signed_quotient,
)
_POLYNOMIALS: Arithmetic[Polynomial] = Arithmetic(constant=Polynomial.constant, divide=_no_quotient)


def polynomial_of(graph: Graph, node: int) -> Polynomial | None:
    """The polynomial that a one-element node is in the one-element inputs, if it is one.

    The variables are the inputs' node numbers.
    """
    known: dict[int, Polynomial] = {}
    for index in graph.ancestors([node]):
        found = graph.nodes[index]
        if size_of(found.shape) != 1:
            return None
        value: Polynomial | None
        match found:
            case Input():
                value = Polynomial.variable(index)
            case Constant(tensor=tensor):
                value = Polynomial.constant(tensor.fractions()[0])
            case Apply(args=args):
                value = _apply(found, [known[arg] for arg in args])
        if value is None or len(value.terms) > _MAX_TERMS:
            return None
        known[index] = value
    return known[node]


def _apply(node: Apply, args: Sequence[Polynomial]) -> Polynomial | None:
    term = term_of(node.op, node.params)
    if term is None:
        moves = isinstance(node.op.meaning, Routing) and len(args) == 1
        return args[0] if moves and node.op is not ops.PAD else None
    try:
        return _POLYNOMIALS.value(term, args)
    except MissingError:
        return None


def _squares(polynomial: Polynomial, shift: Fraction) -> tuple[Square, ...] | None:
    return quadratic_squares(polynomial + Polynomial.constant(shift))


def _document(graph: Graph, squares: Sequence[Square]) -> list[dict[str, Any]]:
    """Squares as certificates hold them: variables are numbered by input element."""
    number: dict[int, int] = {}
    count = 0
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Input):
            number[index] = count
            count += size_of(node.shape)
    return [
        {
            "weight": rational_text(square.weight),
            "square": {
                ",".join(str(number[v]) for v, e in monomial for _ in range(e)): rational_text(c)
                for monomial, c in square.root.terms.items()
            },
        }
        for square in squares
    ]


_CANDIDATES = tuple(Fraction(10) ** k for k in (0, 1, 3, 6))


def no_prover(_graph: Graph, _box: Box, _node: int) -> Step | None:
    """The prover that proves nothing."""
    return None


def quotient_prover(graph: Graph, _box: Box, node: int) -> Step | None:
    """The prover by sums of squares, and by coefficients."""
    return quotient_bound(graph, node) or orthant_bound(graph, node)


def bound_prover(budget: Budget) -> Callable[[Graph, Box, int], Step | None]:
    """A prover of ``|node| <= M`` for semialgebraic nodes.

    A sum-of-squares identity is tried first, since the kernel can check it; z3 is asked next, and
    its answer becomes a `trust` step.
    """

    def prove(graph: Graph, box: Box, node: int) -> Step | None:
        step = quotient_prover(graph, box, node)
        return step if step is not None else _ask_solver(graph, box, node, budget.seconds)

    return prove


def _ask_solver(graph: Graph, box: Box, node: int, seconds: float) -> Step | None:
    from tamecheck.solvers.nlsat import solver_name, try_bound

    if seconds <= 0:
        return None
    answer = try_bound(graph, box, node, _CANDIDATES, timeout=min(seconds, 8.0))
    if not isinstance(answer, Fraction):
        return None
    return {
        "rule": "trust",
        "by": solver_name(),
        "statement": {
            "kind": "enclosure",
            "node": node,
            "lower": [str(-answer)],
            "upper": [str(answer)],
        },
    }
