"""The growing list of certificate steps, with the bounds that the derivation asks for.

Two kinds of bounds serve two purposes.  *Boundedness* is qualitative: a bounded box, pushed
through ops that map bounded sets to bounded sets, needs no arithmetic and no weights.  An
*enclosure* is numeric, and is computed only for the arguments of ops with a domain (a divisor, a
logarithm).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np

from tamecheck import ops
from tamecheck.evaluate import Enclosure, decide, enclose, range_of
from tamecheck.evaluate.ranges import Range
from tamecheck.ir import formula
from tamecheck.ir.box import Box
from tamecheck.ir.exact import rational, rational_text
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Op, Params, Pointwise, Selection
from tamecheck.ir.tensor import Tensor, size_of
from tamecheck.ops.facets import chooses_indices
from tamecheck.tame.definable import domain_of, needs_inside, positive, tame_if_bounded
from tamecheck.tame.hulls import Hulls
from tamecheck.tame.quotient import no_prover, quotient_prover
from tamecheck.tame.verdict import Step

End = float | Fraction | None
"""An end of an interval; None or infinite where it is unbounded."""

HULL_ABOVE = 4096
"""Tensors with more elements carry one interval for all of them."""

_CHEAP_WEIGHTS = 20_000
"""A first round leaves products with more weights unbounded: most obligations do not need them."""

_ANYTHING = Enclosure(np.array(-math.inf), np.array(math.inf))

Prover = Callable[[Graph, Box, int], Step | None]
"""Proves a bound on a node by algebra or by a solver: an enclosure-like step, or None."""


class ProofSteps:
    """Certificate steps, and memoised bounds, for one graph on one box.

    Parameters
    ----------
    graph, box
        What the steps are about.
    prover
        Called for a node whose boundedness interval arithmetic cannot show.
    bounded_inputs
        Whether all inputs are bounded, whatever the box says.
    """

    def __init__(
        self, graph: Graph, box: Box, prover: Prover, *, bounded_inputs: bool = False
    ) -> None:
        self.graph = graph
        self.box = box
        self.steps: list[Step] = []
        self.tensors: dict[str, Tensor] = {}
        self._prover = prover
        self._bounded_inputs = bounded_inputs
        self._bounded: dict[int, int | None] = {}
        self._ranges: dict[Hashable, bool] = {}
        self._coarse_steps: dict[int, int] = {}
        self._fine_steps: dict[int, int] = {}
        self._proved: dict[int, int | None] = {}
        self._tried: set[int] = set()
        self.hulls = Hulls(graph, box, self)
        self.offset = 0

    def add(self, step: Step) -> int:
        """Append a step; its number."""
        self.steps.append(step)
        return self.offset + len(self.steps) - 1

    def case(self, on: int, where: Range, offset: int) -> ProofSteps:
        """The steps of a case in which a node is in a range, which is the fact at the offset."""
        found = ProofSteps(self.graph, self.box, no_prover)
        found.offset = offset + 1
        found.tensors = self.tensors
        found.hulls = self.hulls.case(found, on, where, offset)
        found._ranges = self._ranges
        below = {k: step for k, step in self._bounded.items() if k < on or step is not None}
        found._bounded = {k: step for k, step in below.items() if step is None or step < offset}
        known = self._coarse_steps, self._fine_steps
        found._coarse_steps, found._fine_steps = (dict(steps) for steps in known)
        found._proved = {k: step for k, step in self._proved.items() if step is not None}
        found.__dict__.update(
            {name: getattr(self, name) for name in ("_watched", "_limited", "_cut", "_coarse")}
        )
        if where.low is not None and where.high is not None:
            found._bounded[on] = found._bounded_step(on, [offset])
        return found

    def bounded(self, node: int) -> int | None:
        """The number of a step that shows the node bounded on the box, or None."""
        for earlier in _unsettled(self.graph, node, self._bounded):
            self._bounded[earlier] = self._show_bounded(earlier)
        return self._bounded[node]

    def proved_bounded(self, node: int) -> int | None:
        """Like `bounded`, with the prover as the last resort."""
        known = self.bounded(node)
        if known is None and node not in self._proved:
            known = self.bounded_by_quotients(node)
        if known is not None or node in self._proved:
            return known if known is not None else self._proved[node]
        step = self._prover(self.graph, self.box, node)
        if step is not None:
            self._proved[node] = self._bounded_step(node, [self.add_proof(node, step)])
        else:
            self._proved[node] = None
        return self._proved[node]

    def bounded_by_quotients(self, node: int) -> int | None:
        """Bounds of quotients below a node may bound it, as in 10*x/(1+x^2)."""
        known = self.bounded(node)
        if known is not None or node in self._tried:
            return known
        self._tried.add(node)
        below = list(self.graph.ancestors([node]))
        steps = {
            index: self.proved_quotient(index)
            for index in below
            if self._bounded.get(index) is None
        }
        proofs = {index: step for index, step in steps.items() if step is not None}
        for index in below if proofs else ():
            if index in proofs:
                self._bounded[index] = self._bounded_step(index, [proofs[index]])
            elif self._bounded.get(index) is None:
                step = self._show_bounded(index)
                finite = self.hulls.finite_step(index) if step is None else None
                self._bounded[index] = (
                    step if finite is None else self._bounded_step(index, [finite])
                )
        return self._bounded[node]

    def proved_quotient(self, node: int) -> int | None:
        """A step that shows a quotient of polynomials to be defined everywhere, or None."""
        step = quotient_prover(self.graph, self.box, node)
        return None if step is None else self.add_proof(node, step)

    def add_proof(self, node: int, step: Step) -> int:
        """Add a step that computes with the constants below the node."""
        for index in self.graph.ancestors([node]):
            below = self.graph.nodes[index]
            if isinstance(below, Constant) and step["rule"] != "trust":
                self.tensors[below.tensor.digest] = below.tensor
        return self.add(step)

    def shown(
        self, condition: formula.Condition, args: Sequence[int], *, closed: bool = False
    ) -> list[int] | None:
        """Enclosure steps of those arguments that a condition mentions, if they show it.

        Returns None when it is not shown; ``args`` are the values of the condition's variables.
        With ``closed`` it has to hold on the closure of the enclosures, away from its boundary.
        """
        needed = sorted(
            {term.index for term in formula.subterms(condition) if isinstance(term, formula.Var)}
        )
        for coarse in (True, False) if needed else ():
            if not coarse and self.hulls.holds(condition, args, closed=closed):
                return [self.hulls.step(args[i]) for i in needed]
            found = self._coarse if coarse else self._fine
            known = [found.get(arg) if i in needed else _ANYTHING for i, arg in enumerate(args)]
            ranges = [enclosure for enclosure in known if enclosure is not None]
            if len(ranges) == len(args) and decide(condition, ranges) is True:
                return [self._enclosure_step(args[i], coarse=coarse) for i in needed]
        return None if needed else []

    def constant_zero(self, node: int) -> int | None:
        """An enclosure step that shows a constant tensor to be all zero, or None."""
        found = self.graph.nodes[node]
        if not isinstance(found, Constant) or found.tensor.array.any():
            return None
        return self._enclosure_step(node, coarse=True)

    # -- qualitative bounds ---------------------------------------------------------------------

    def _show_bounded(self, node: int) -> int | None:
        found = self.graph.nodes[node]
        match found:
            case Input(name=name):
                finite = self._bounded_inputs or self.box.side(name).bounded
                return self._bounded_step(node, []) if finite else None
            case Constant():
                return self._bounded_step(node, [])
            case Apply(op=op, params=params, args=args):
                if self.has_bounded_range(op, params):
                    return self._bounded_step(node, [])
                sources = [self._bounded[arg] for arg in args]
                known = [source for source in sources if source is not None]
                if len(known) == len(args) and locally_bounded(op, params):
                    return self._bounded_step(node, known)
                if op is ops.DIV and sources[0] is not None:
                    apart = self.shown(domain_of(op, params), args, closed=True)
                    if apart is not None:
                        return self._bounded_step(node, [sources[0], *apart])
                return self._bounded_by_enclosure(node)

    def has_bounded_range(self, op: Op, params: Params) -> bool:
        """Whether the op's values are bounded whatever the arguments."""
        key = (op.name, *params.items())
        if key not in self._ranges:
            self._ranges[key] = _bounded_range(op, params)
        return self._ranges[key]

    def _bounded_by_enclosure(self, node: int) -> int | None:
        found = self.graph.nodes[node]
        if not (isinstance(found, Apply) and node in self._watched):
            return None
        if node in self._limited:
            finite = self.hulls.finite_step(node)
            if finite is not None:
                return self._bounded_step(node, [finite])
        for coarse in (True,) if node in self._limited else (True, False):
            enclosure = (self._coarse if coarse else self._fine).get(node)
            if enclosure is not None and enclosure.finite:
                return self._bounded_step(node, [self._enclosure_step(node, coarse=coarse)])
        return None

    def _bounded_step(self, node: int, sources: Sequence[int]) -> int:
        return self.add({"rule": "bounded", "node": node, "from": list(sources)})

    # -- numeric bounds -------------------------------------------------------------------------

    @cached_property
    def _watched(self) -> frozenset[int]:
        """The nodes whose enclosures may be asked for: see `shown` and `_bounded_by_enclosure`."""
        watched: set[int] = set()
        for index, node in enumerate(self.graph.nodes):
            if isinstance(node, Apply):
                if domain_of(node.op, node.params) != formula.TRUE or needs_inside(
                    node.op, node.params
                ):
                    watched.update(node.args)
                if not locally_bounded(node.op, node.params):
                    watched.add(index)
                if _lipschitz_condition(node.op, node.params) != formula.TRUE:
                    watched.update(node.args)
        return self._limited.union(watched)

    @cached_property
    def _limited(self) -> frozenset[int]:
        """Arguments that must be bounded for the op to be tame, as in sin(relu(x)) for x <= 3.

        For these the cheap enclosure is all that is tried.
        """
        return frozenset(
            arg
            for node in self.graph.nodes
            if isinstance(node, Apply) and tame_if_bounded(node.op, node.params)
            for arg in node.args
        )

    @cached_property
    def _cut(self) -> Graph:
        """The graph with products by large weights replaced by unbounded inputs."""
        nodes = tuple(
            Input(f"cut {index}", node.shape)
            if isinstance(node, Apply) and self._expensive(node)
            else node
            for index, node in enumerate(self.graph.nodes)
        )
        return Graph(nodes, self.graph.outputs)

    def _expensive(self, node: Apply) -> bool:
        return node.op is ops.MATMUL and any(
            isinstance(self.graph.nodes[arg], Constant)
            and size_of(self.graph.nodes[arg].shape) > _CHEAP_WEIGHTS
            for arg in node.args
        )

    @cached_property
    def _coarse(self) -> Mapping[int, Enclosure]:
        return enclose(self._cut, self.box, hull_above=HULL_ABOVE, nodes=sorted(self._watched))

    @cached_property
    def _fine(self) -> Mapping[int, Enclosure]:
        if all(a is b for a, b in zip(self._cut.nodes, self.graph.nodes, strict=True)):
            return self._coarse
        return enclose(self.graph, self.box, hull_above=HULL_ABOVE, nodes=sorted(self._watched))

    def _enclosure_step(self, root: int, *, coarse: bool) -> int:
        graph = self._cut if coarse else self.graph
        known = self._coarse_steps if coarse else self._fine_steps
        for node in _unsettled(graph, root, known):
            known[node] = self.add(self._enclosure(graph, node, known, coarse=coarse))
        return known[root]

    def _enclosure(
        self, graph: Graph, node: int, known: Mapping[int, int], *, coarse: bool
    ) -> Step:
        found = graph.nodes[node]
        match found:
            case Input() if found != self.graph.nodes[node]:
                return _enclosure(node, [None], [None], [])
            case Input(name=name):
                side = self.box.side(name)
                return _enclosure(node, side.lower, side.upper, [])
            case Constant(tensor=tensor):
                self.tensors[tensor.digest] = tensor
                return _enclosure(node, *_ends(tensor), [])
            case Apply(args=args):
                bounds = (self._coarse if coarse else self._fine)[node]
                lower, upper = bounds.lower.reshape(-1), bounds.upper.reshape(-1)
                sources = [known[arg] for arg in args]
                return _enclosure(node, lower.tolist(), upper.tolist(), sources)


def _unsettled(graph: Graph, root: int, known: Mapping[int, object]) -> Iterator[int]:
    """The ancestors of a node that are not known yet, arguments first, the node last.

    The caller settles each one before it asks for the next.
    """
    stack = [] if root in known else [root]
    while stack:
        node = graph.nodes[stack[-1]]
        missing = [arg for arg in node.args if arg not in known] if isinstance(node, Apply) else []
        if missing:
            stack.extend(missing)
        else:
            current = stack.pop()
            if current not in known:
                yield current


def _ends(tensor: Tensor) -> tuple[list[Fraction], list[Fraction]]:
    """The bounds of a constant: each element, or the smallest and the largest."""
    if size_of(tensor.shape) <= HULL_ABOVE:
        return tensor.fractions(), tensor.fractions()
    return [rational(tensor.array.min())], [rational(tensor.array.max())]


def _enclosure(
    node: int, lower: Sequence[End], upper: Sequence[End], sources: Sequence[int]
) -> Step:
    if len(set(lower)) == 1 and len(set(upper)) == 1:
        lower, upper = lower[:1], upper[:1]
    return {
        "rule": "enclosure",
        "node": node,
        "lower": [_text(value) for value in lower],
        "upper": [_text(value) for value in upper],
        "from": list(sources),
    }


def _text(value: End) -> str | None:
    if value is None or (isinstance(value, float) and math.isinf(value)):
        return None
    return rational_text(Fraction(value))


def _lipschitz_condition(op: Op, params: Params) -> formula.Condition:
    inside = op.regularity.lipschitz_inside
    return formula.TRUE if inside is None else inside(params)


def _bounded_range(op: Op, params: Params) -> bool:
    """Whether the op's values are bounded whatever the arguments."""
    if isinstance(op.meaning, Selection):
        return chooses_indices(op)
    # the kernel does not look at exponents: x ** 0 is bounded where x is, or by an enclosure
    return op is not ops.POW and all(map(math.isfinite, range_of(op, params)))


def locally_bounded(op: Op, params: Params) -> bool:
    """Whether the op maps bounded sets to bounded sets, wherever they lie in its domain."""
    match op.meaning:
        case Pointwise(pieces=pieces):
            terms = [term for piece in pieces(params) for term in formula.subterms(piece.term)]
            return op is not ops.POWER and not any(_has_pole(term) for term in terms)
        case _:
            return True


def _has_pole(term: formula.Term) -> bool:
    """Whether the outermost function of the term may leave every bound near a finite point."""
    match term:
        case formula.Div(_, formula.Const(value)):
            return value == 0
        case formula.Div(_, denominator):
            # on a compact set a positive continuous denominator has a positive minimum
            return not positive(denominator, inside=False)
        case formula.Pow(_, formula.Const(exponent)):
            return exponent < 0
        case formula.Pow():
            return True
        case formula.Call(formula.Elementary.LOG, argument):
            return not positive(argument, inside=False)
        case formula.Call(function, _):
            return function in (formula.Elementary.TAN, formula.Elementary.ATANH)
        case _:
            return False
