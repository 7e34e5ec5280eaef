"""The search for witnesses that a function is definable in no (locally) o-minimal structure.

Nothing found here is trusted: a witness is a certificate step, which the kernel replays.

*Line*: on a ray the output is ``p(t) + t^k u(t) + O(t^(k-1))`` with ``u`` periodic and not
constant, so ``(f - p) / t^k`` has no limit.  By the monotonicity theorem (van den Dries 1998,
ch. 3, Theorem 1.2) definable functions of one variable have limits.

*Staircase*: on a ray the output is ``a n² + b n t + c n + d t + e`` with ``n`` a rounding of an
affine function of ``t`` and ``b`` not 0.  Then multiplication of a bounded interval by the natural
numbers is definable, and with it a dense set with dense complement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from flint import arb, fmpq

from tamecheck.exact.reals import Number, UndecidedError, working_precision
from tamecheck.ir.box import Box
from tamecheck.ir.formula import TRUE, Elementary, Piece
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ops.facets import elementary_of, rounds
from tamecheck.tame.follow import WorkError
from tamecheck.tame.refute_forms import (
    PARAMETER,
    Form,
    affine_in_parameter,
    forms_on,
)
from tamecheck.tame.refute_rays import Ray, rays
from tamecheck.tame.series import Series, pieces_at
from tamecheck.tame.verdict import Witness

__all__ = ["DEFAULT_BUDGET", "find_line", "find_staircase"]

DEFAULT_BUDGET = 400_000
"""Scalar operations that a search may take."""

_PHASES = tuple(fmpq(p, q) for p, q in ((0, 1), (1, 1), (1, 2), (2, 1), (3, 1), (4, 1)))
_PRECISION = 128
_GAP = fmpq(1, 2**40)
_BLUR = arb(0, 2.0**-60)
_STEPS = 1


def find_line(
    graph: Graph,
    box: Box,
    output_nodes: Sequence[int],
    *,
    budget: int = DEFAULT_BUDGET,
    seed: int = 0,
) -> Witness | None:
    """A ray on which an output oscillates for ever, or None if the search finds none.

    Parameters
    ----------
    graph, box
        The function; only rays that stay in the box are tried.
    output_nodes
        The nodes to refute, tried in turn.
    budget
        Scalar operations that may be spent on all of them.
    seed
        Fixes the random rays.
    """
    with working_precision(_PRECISION):
        return _search(graph, _rays(graph, box, output_nodes, seed), _Waves, budget)


def find_staircase(
    graph: Graph,
    box: Box,
    output_nodes: Sequence[int],
    *,
    budget: int = DEFAULT_BUDGET,
    seed: int = 0,
) -> Witness | None:
    """A ray on which an output multiplies integers by reals, or None if the search finds none.

    The parameters are those of `find_line`.
    """
    return _search(graph, _rays(graph, box, output_nodes, seed), _Stairs, budget)


def _rays(
    graph: Graph, box: Box, output_nodes: Sequence[int], seed: int
) -> Iterator[tuple[int, Ray]]:
    return ((root, ray) for root in output_nodes for ray in rays(graph.inputs, box, seed))


def _search(
    graph: Graph,
    attempts: Iterator[tuple[int, Ray]],
    kind: type[_Waves | _Stairs],
    budget: int,
) -> Witness | None:
    hopeful: dict[int, bool] = {}
    for root, ray in attempts:
        if root not in hopeful:
            hopeful[root] = _has(graph, root, kind.needs)
        if not hopeful[root]:
            continue
        symbols = kind()
        try:
            forms, budget = forms_on(graph, root, ray, symbols.name, budget)
        except WorkError:
            return None
        for element, form in enumerate(forms):
            witness = None if form is None else symbols.witness(form, ray, (root, element))
            if witness is not None:
                return witness
    return None


def _has(graph: Graph, root: int, needs: Callable[[Op, Params], bool]) -> bool:
    nodes = [graph.nodes[index] for index in graph.ancestors([root])]
    return any(isinstance(node, Apply) and needs(node.op, node.params) for node in nodes)


class _Waves:
    """Symbols that are periodic functions of t, each with its values at all the phases.

    A search decides by values that are blurred as much as the kernel's may be, and shows the
    sharp ones.
    """

    @staticmethod
    def needs(op: Op, params: Params) -> bool:
        """Whether the op is a periodic function of an unbounded argument."""
        return elementary_of(op, params) in (Elementary.SIN, Elementary.COS)

    def __init__(self) -> None:
        self._sharp: list[tuple[Number, ...]] = [()]
        self._blurred: list[tuple[Number, ...]] = [()]

    def name(self, op: Op, params: Params, args: Sequence[Form]) -> Form | None:
        """A periodic function by a new symbol; None where it is not known to be one."""
        meaning = op.meaning
        if not isinstance(meaning, Pointwise):
            return None
        pieces = meaning.pieces(params)
        if self.needs(op, params) and affine_in_parameter(args[0]):
            base, slope = args[0].get((), fmpq(0)), args[0][(PARAMETER,)]
            sharp = _values(pieces, [[base + slope * t] for t in _PHASES])
            blurred = sharp
        elif meaning.domain(params) == TRUE and not any(
            PARAMETER in key for form in args for key in form
        ):
            phases = range(len(_PHASES))
            blurred = _values(pieces, [[_at(f, self._blurred, i) for f in args] for i in phases])
            sharp = _values(pieces, [[_at(f, self._sharp, i) for f in args] for i in phases])
        else:
            return None
        if blurred is None:
            return None
        self._sharp.append(sharp or blurred)
        self._blurred.append(tuple(arb(v) + _BLUR for v in blurred))
        return {(len(self._sharp) - 1,): fmpq(1)}

    def witness(self, form: Form, ray: Ray, output: tuple[int, int]) -> Witness | None:
        """A line witness, if the form oscillates and two phases tell its leading part apart."""
        degrees = [key.count(PARAMETER) for key in form if any(s != PARAMETER for s in key)]
        if not degrees:
            return None
        top = max(degrees)
        leading = {
            tuple(s for s in key if s != PARAMETER): c
            for key, c in form.items()
            if key.count(PARAMETER) == top
        }
        values = [arb(_at(leading, self._blurred, phase)) for phase in range(len(_PHASES))]
        for pair in combinations(range(len(_PHASES)), 2):
            if abs(values[pair[0]] - values[pair[1]]) > _GAP:
                shown = [(_PHASES[i], arb(_at(leading, self._sharp, i))) for i in pair]
                plain = top == 0 and not any(PARAMETER in key for key in form)
                return _line_witness(ray, output, None if plain else top, shown)
        return None


def _values(
    pieces: Sequence[Piece], points: Sequence[Sequence[Number]]
) -> tuple[Number, ...] | None:
    try:
        return tuple(
            pieces_at(pieces, [Series.constant(v, 0) for v in point])[0] for point in points
        )
    except UndecidedError:
        return None


def _at(form: Form, symbols: Sequence[tuple[Number, ...]], phase: int) -> Number:
    total: Number = fmpq(0)
    for key, c in form.items():
        term: Number = c
        for symbol in key:
            term = term * symbols[symbol][phase]
        total = total + term
    return total


def _line_witness(
    ray: Ray, output: tuple[int, int], top: int | None, found: Sequence[tuple[fmpq, arb]]
) -> Witness:
    values = " and ".join(f"{_ball_text(value)} at t = {t}" for t, value in found)
    if top is None:
        claim = f"the output is periodic and not constant: it is {values}"
    else:
        part = {0: "u(t)", 1: "t u(t) plus lower terms"}.get(top, f"t^{top} u(t) plus lower terms")
        claim = (
            f"the output is a polynomial plus {part}, where u is periodic and not constant: "
            f"u is {values}"
        )
    document = {
        "rule": "line",
        **ray.document(),
        "output": list(output),
        "t": [str(t) for t, _ in found],
    }
    return Witness("o-minimal", f"along {ray.text()}, {claim}", document)


def _ball_text(ball: arb) -> str:
    """A short decimal enclosure, rounded outward."""
    middle = float(ball.mid())
    if not 1e-3 < abs(middle) < 1e6 and not ball.is_zero():
        text = ball.str(4)
        return f"in {text}" if "+/-" in text else text
    if ball.is_exact() and ball.fmpq().q < 1000:
        return str(ball.fmpq())
    digits = max(0, 2 - _magnitude(middle))
    scale = 10**digits
    low, high = (ball.lower() * scale).floor(), (ball.upper() * scale).ceil()
    ends = [float(end) / scale for end in (low, high)]
    return f"in [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def _magnitude(value: float) -> int:
    return len(str(int(abs(value)))) if abs(value) >= 1 else 0


class _Stairs:
    """One symbol: a rounding of an affine function of t."""

    @staticmethod
    def needs(op: Op, params: Params) -> bool:
        """Whether the op rounds."""
        return rounds(op, params)

    def __init__(self) -> None:
        self._seen: tuple[str, object, tuple[tuple[tuple[int, ...], fmpq], ...]] | None = None

    def name(self, op: Op, params: Params, args: Sequence[Form]) -> Form | None:
        """The one rounding by its symbol; None for any other op, and for a second rounding."""
        if not self.needs(op, params) or not affine_in_parameter(args[0]):
            return None
        key = (op.name, params.get("mode"), tuple(sorted(args[0].items())))
        if self._seen is not None and key != self._seen:
            return None
        self._seen = key
        return {(_STEPS,): fmpq(1)}

    def witness(self, form: Form, ray: Ray, output: tuple[int, int]) -> Witness | None:
        """A staircase witness, if the form multiplies the rounding by t."""
        if (
            any(len(key) > 2 for key in form)
            or (PARAMETER, _STEPS) not in form
            or (PARAMETER, PARAMETER) in form
            or self._seen is None
        ):
            return None
        op, _, argument = self._seen
        inner = _affine_text(dict(argument))
        document = {"rule": "staircase", **ray.document(), "output": list(output)}
        summary = (
            f"along {ray.text()}, the output contains the product of t and {op}({inner}): "
            "it multiplies the integers by the reals, so a dense set with dense complement "
            "is definable"
        )
        return Witness("locally-o-minimal", summary, document)


def _affine_text(form: Form) -> str:
    slope, base = form[(PARAMETER,)], form.get((), fmpq(0))
    moving = "t" if slope == 1 else "-t" if slope == -1 else f"{slope} t"
    return moving if base == 0 else f"{moving} {'+' if base > 0 else '-'} {abs(base)}"
