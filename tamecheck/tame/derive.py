"""The derivation: node by node, the structures in which a graph is definable on a box."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Routing
from tamecheck.ir.structure import Antichain, Structure, join_all
from tamecheck.ops.facets import line_of, rounds, sign_values
from tamecheck.tame.definable import (
    Situation,
    domain_of,
    needs_bounded,
    needs_inside,
    strictly_inside,
    structures_of,
    tame_if_bounded,
)
from tamecheck.tame.steps import ProofSteps
from tamecheck.tame.verdict import Line, Open

__all__ = ["Chain", "Derivation", "Fact", "derive", "quantiser_chain"]

_BOTTOM: Antichain = (Structure.RATIONAL_SEMILINEAR,)
_REAL: Antichain = (Structure.SEMILINEAR,)


@dataclass(frozen=True, slots=True)
class Fact:
    """A node is defined on the whole box, and definable in ``structures`` there.

    ``step`` is the certificate step that says so.
    """

    step: int
    structures: Antichain


@dataclass(frozen=True, slots=True)
class Derivation:
    """What was derived: a fact a node where there is one, and the obstacles."""

    facts: Mapping[int, Fact]
    """For each node that is shown to be defined, in what structures it is."""
    lines: tuple[Line, ...]
    """The derivation for people."""
    obstacles: tuple[Open, ...]
    """Nodes where it stopped although their arguments were fine."""

    def of_outputs(self, graph: Graph) -> Antichain:
        """The common structures of all outputs; none if some output is not shown defined."""
        facts = [self.facts.get(node) for _, node in graph.outputs]
        known = [fact.structures for fact in facts if fact is not None]
        return join_all(known) if len(known) == len(facts) else ()


def derive(graph: Graph, proof: ProofSteps, budget: Budget | None = None) -> Derivation:
    """Derive the structures of every node that the outputs need.

    Parameters
    ----------
    graph
        The graph; must be that of the proof.
    proof
        Takes the certificate steps.
    budget
        When it is spent the derivation ends, with the rest open.

    Notes
    -----
    Definability is closed under composition and finite combinations, so a node is definable in
    every structure that lies above its op's and its arguments' (van den Dries 1998, ch. 1).
    Linear in the number of nodes, apart from the enclosures that domains ask for.
    """
    walk = _Walk(graph, proof)
    for index in graph.ancestors([node for _, node in graph.outputs]):
        if budget is not None and budget.is_spent:
            walk.obstacles.append(
                Open(graph.name_of(index), "the time limit was reached here", "a longer --timeout")
            )
            break
        walk.visit(index)
    return Derivation(walk.facts, tuple(walk.lines), tuple(walk.obstacles))


class _Walk:
    """The state of a derivation in progress."""

    def __init__(self, graph: Graph, proof: ProofSteps) -> None:
        self.graph = graph
        self.proof = proof
        self.facts: dict[int, Fact] = {}
        self.lines: list[Line] = []
        self.obstacles: list[Open] = []
        self._structures: dict[Hashable, Antichain] = {}

    def visit(self, index: int) -> None:
        """Derive one node, all of whose arguments were visited."""
        node = self.graph.nodes[index]
        match node:
            case Input():
                self._source(index, "an input")
            case Constant():
                self._source(index, "a constant")
            case Apply(args=args) if all(arg in self.facts for arg in args):
                self._derive(index, node)
            case Apply():
                pass

    def _source(self, index: int, why: str) -> None:
        step = self.proof.add(_structure_step(index, _BOTTOM))
        self.facts[index] = Fact(step, _BOTTOM)
        self._record(index, _BOTTOM, why)

    def _derive(self, index: int, node: Apply) -> None:
        domain = self._domain(index, node)
        if domain is None:
            self._record(index, (), "not shown to be defined")
            self.obstacles.append(_domain_obstacle(self.graph, index, node))
            return
        facts = [self.facts[arg] for arg in node.args]
        bounded = self._all_bounded(node) if needs_bounded(node.op, node.params) else None
        inside: list[int] | None = None
        if needs_inside(node.op, node.params):
            inside = self.proof.shown(strictly_inside(node.op, node.params), node.args)
        situation = Situation(
            fixed=tuple(self.graph.input_free[arg] for arg in node.args),
            bounded=bounded is not None,
            inside=inside is not None,
        )
        own = self._own(node, situation)
        structures = join_all((own, *(fact.structures for fact in facts)))
        step = self.proof.add(
            _structure_step(
                index,
                structures,
                args=[fact.step for fact in facts],
                bounded=bounded or [],
                enclosures=inside or domain,
            )
        )
        found, why = self._best(index, node, Fact(step, structures)) or (
            Fact(step, structures),
            _reason(own, bounded=bounded is not None),
        )
        self.facts[index] = found
        self._record(index, found.structures, why)
        if not found.structures and all(fact.structures for fact in facts):
            self.obstacles.append(_structure_obstacle(self.graph, index, own, facts))

    def _own(self, node: Apply, situation: Situation) -> Antichain:
        key = (node.op.name, situation, *node.params.items())
        if key not in self._structures:
            self._structures[key] = structures_of(node.op, node.params, situation)
        return self._structures[key]

    def _domain(self, index: int, node: Apply) -> list[int] | None:
        """Enclosure steps that show the node to be defined on the box, or None."""
        shown = self.proof.shown(domain_of(node.op, node.params), node.args)
        if shown is None and node.op is ops.DIV:
            quotient = self.proof.proved_quotient(index)
            return None if quotient is None else [quotient]
        return shown

    def _all_bounded(self, node: Apply) -> list[int] | None:
        """Steps that show all arguments bounded; the prover is asked only where it matters."""
        steps: list[int] = []
        for arg in node.args:
            algebraic = any(s <= Structure.SEMIALGEBRAIC for s in self.facts[arg].structures)
            if algebraic and tame_if_bounded(node.op, node.params):
                step = self.proof.proved_bounded(arg)
            else:
                step = self.proof.bounded(arg)
            if step is None:
                return None
            steps.append(step)
        return steps

    def _best(self, index: int, node: Apply, plain: Fact) -> tuple[Fact, str] | None:
        """A better fact than the plain one, by a rule that looks past the arguments."""
        if self.graph.input_free[index]:
            if any(s <= Structure.SEMILINEAR for s in plain.structures):
                return None
            step = {"rule": "constant", "node": index, "in": _names(_REAL), "step": plain.step}
            return Fact(self.proof.add(step), _REAL), "a real parameter: no input reaches it"
        if any(s.o_minimal for s in plain.structures):
            return None
        return self._cancelled(index, node) or self._quantised(index)

    def _cancelled(self, index: int, node: Apply) -> tuple[Fact, str] | None:
        head = {"node": index, "in": _names(_BOTTOM)}
        if node.op is ops.SUB and node.args[0] == node.args[1]:
            step = {"rule": "self-difference", **head, "arg": self.facts[node.args[0]].step}
            return Fact(self.proof.add(step), _BOTTOM), "a difference of equal terms is 0"
        if node.op not in (ops.MUL, ops.MATMUL):
            return None
        zeros = [self.proof.constant_zero(arg) for arg in node.args]
        zero = next((step for step in zeros if step is not None), None)
        if zero is None:
            return None
        cited = {"args": [self.facts[arg].step for arg in node.args], "enclosure": zero}
        step = {"rule": "zero-product", **head, **cited}
        return Fact(self.proof.add(step), _BOTTOM), "a product with the constant 0 is 0"

    def _quantised(self, index: int) -> tuple[Fact, str] | None:
        chain = quantiser_chain(self.graph, index)
        if chain is None:
            return None
        operands = [self.facts[arg] for arg in chain.operands]
        source = self.facts[chain.source]
        structures = join_all((source.structures, *(fact.structures for fact in operands)))
        if not any(s.o_minimal for s in structures):
            return None
        divisors = [
            self.proof.shown(domain_of(ops.DIV, {}), node.args)
            for below in chain.nodes
            if isinstance(node := self.graph.nodes[below], Apply) and node.op is ops.DIV
        ]
        step = {
            "rule": "saturated",
            "node": index,
            "in": _names(structures),
            "chain": list(chain.nodes),
            "args": [fact.step for fact in operands],
            "source": source.step,
            "enclosures": [step for steps in divisors for step in steps or []],
        }
        rounding = self.graph.name_of(chain.nodes[-1])
        why = f"a quantiser: finitely many steps of {rounding}"
        return Fact(self.proof.add(step), structures), why

    def _record(self, index: int, structures: Antichain, why: str) -> None:
        node = self.graph.nodes[index]
        match node:
            case Apply(op=op, args=args):
                kind, below = op.name, args
            case Input():
                kind, below = "input", ()
            case Constant():
                kind, below = "constant", ()
        self.lines.append(Line(index, self.graph.name_of(index), kind, structures, why, below))


def _structure_step(
    node: int,
    structures: Antichain,
    *,
    args: Sequence[int] = (),
    bounded: Sequence[int] = (),
    enclosures: Sequence[int] = (),
) -> dict[str, Any]:
    return {
        "rule": "structure",
        "node": node,
        "in": _names(structures),
        "args": list(args),
        "bounded": list(bounded),
        "enclosures": list(enclosures),
    }


def _names(structures: Antichain) -> list[str]:
    return [structure.value for structure in structures]


def _reason(own: Antichain, *, bounded: bool) -> str:
    if not own:
        return "in no o-minimal structure unless its argument is bounded"
    names = " or ".join(structure.symbol for structure in own)
    return f"{names}, its argument being bounded" if bounded else names


def _domain_obstacle(graph: Graph, index: int, node: Apply) -> Open:
    names = ", ".join(graph.name_of(arg) for arg in node.args)
    return Open(
        graph.name_of(index),
        f"{node.op.name} has a value only under a condition ({node.op.summary}) "
        f"that is not shown for {names} on the whole domain",
        f"a --box on which the domain of {node.op.name} is kept",
    )


def _structure_obstacle(graph: Graph, index: int, own: Antichain, facts: Sequence[Fact]) -> Open:
    node = graph.nodes[index]
    op = node.op.name if isinstance(node, Apply) else ""
    if not own and isinstance(node, Apply):
        argument = ", ".join(graph.name_of(arg) for arg in node.args)
        return Open(
            graph.name_of(index),
            f"{op} is tame only on a bounded argument, and {argument} is not shown to be bounded",
            f"a bound on {argument}: give --box, or clip it",
        )
    parts = {" or ".join(s.symbol for s in fact.structures) for fact in facts}
    mine = " or ".join(structure.symbol for structure in own)
    return Open(
        graph.name_of(index),
        f"{op} is definable in {mine}, its arguments in {' and '.join(sorted(parts))}; "
        "no structure of the list contains all of these",
        "bounds on the arguments of its roundings: give --box",
    )


_AFFINE = (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.NEG)


@dataclass(frozen=True, slots=True)
class Chain:
    """A saturating op, affine ops by input-free operands, and the rounding below them."""

    nodes: tuple[int, ...]
    """From the saturating op down to the rounding."""
    operands: tuple[int, ...]
    """The input-free operands along the way, in that order."""
    source: int
    """The argument of the rounding."""


def quantiser_chain(graph: Graph, top: int) -> Chain | None:
    """The chain below a saturating op, or None if the node is not the top of a quantiser."""
    node = graph.nodes[top]
    if not (isinstance(node, Apply) and _saturates(node)):
        return None
    nodes: list[int] = []
    operands: list[int] = []
    current = top
    while True:
        node = graph.nodes[current]
        if not isinstance(node, Apply):
            return None
        moving = [arg for arg in node.args if not graph.input_free[arg]]
        if len(moving) != 1:
            return None
        nodes.append(current)
        if rounds(node.op, node.params):
            return Chain(tuple(nodes), tuple(operands), moving[0])
        if current != top and node.op not in _AFFINE and not isinstance(node.op.meaning, Routing):
            return None
        if node.op is ops.DIV and not graph.input_free[node.args[1]]:
            return None
        operands.extend(arg for arg in node.args if graph.input_free[arg])
        current = moving[0]


def _saturates(node: Apply) -> bool:
    """Whether the op is constant far out on both sides, as a clip or a comparison is."""
    line = line_of(node.op, node.params)
    if line is not None:
        return not line.slopes[0] and not line.slopes[-1]
    return sign_values(node.op, node.params) is not None
