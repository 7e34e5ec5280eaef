"""The derivation: node by node, the structures in which a graph is definable on a box."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.evaluate.ranges import Range
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.structure import Antichain, Structure, join_all
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import comparisons, rounds
from tamecheck.tame import definable
from tamecheck.tame.domains import Domains
from tamecheck.tame.finite import FiniteValues
from tamecheck.tame.quantisers import quantiser_chain
from tamecheck.tame.split import DEPTH, MOST_CASES, Attempts, Case, find_split
from tamecheck.tame.steps import ProofSteps
from tamecheck.tame.undefined import needed_arguments, nowhere_step
from tamecheck.tame.verdict import Line, Open

_LARGE = 400
"""Nodes of a graph beyond which only what is in no structure is looked at twice."""
_BOTTOM: Antichain = (Structure.RATIONAL_SEMILINEAR,)
_REAL: Antichain = (Structure.SEMILINEAR,)

_IDENTITIES = 32
"""How many nodes are tried for identities."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A node is definable in ``structures`` where it is defined on the box.

    ``step`` is the certificate step that says so, None if there are no such structures.
    """

    step: int | None
    structures: Antichain

    @property
    def cited(self) -> int:
        """The step, of a node that is in some structure."""
        if self.step is None:
            raise LookupError("a node without structures has no step")
        return self.step


@dataclass(frozen=True, slots=True)
class Derivation:
    """What was derived: a fact a node where there is one, and the obstacles."""

    facts: Mapping[int, Fact]
    """In what structures each node is."""
    lines: tuple[Line, ...]
    """The derivation for people."""
    obstacles: tuple[Open, ...]
    """Nodes where it stopped although their arguments were fine."""
    domains: Domains
    """Where the nodes are defined."""
    nowhere: Mapping[int, int]
    """Nodes of which some element is nowhere defined, with the steps that say so."""

    def of_outputs(self, graph: Graph) -> Antichain:
        """The common structures of all outputs; none if some output was not reached."""
        facts = [self.facts.get(node) for _, node in graph.outputs]
        known = [fact.structures for fact in facts if fact is not None]
        return join_all(known) if len(known) == len(facts) else ()


def derive(
    graph: Graph, proof: ProofSteps, budget: Budget | None = None, *, cases: int = MOST_CASES
) -> Derivation:
    """Derive the structures of every node that the outputs need.

    Parameters
    ----------
    graph
        The graph; must be that of the proof.
    proof
        Takes the certificate steps.
    budget
        When it is spent the derivation ends, with the rest open.
    cases
        How many nodes may be derived again in cases.

    Notes
    -----
    Definability is closed under composition and finite combinations, so a node is definable in
    every structure above its op's and its arguments' (van den Dries 1998), on its natural domain.
    """
    walk = _Walk(graph, proof, attempts=Attempts(cases, budget=budget))
    for index in graph.ancestors([node for _, node in graph.outputs]):
        if budget is not None and budget.is_spent:
            walk.obstacles.append(
                Open(graph.name_of(index), "the time limit was reached here", "a longer --timeout")
            )
            break
        walk.visit(index)
    return Derivation(
        walk.facts, tuple(walk.lines), tuple(walk.obstacles), walk.domains, walk.nowhere
    )


class _Walk:
    """The state of a derivation in progress."""

    def __init__(
        self,
        graph: Graph,
        proof: ProofSteps,
        facts: Mapping[int, Fact] | None = None,
        attempts: Attempts | None = None,
        depth: int = 0,
    ) -> None:
        self.graph = graph
        self.proof = proof
        self.facts: dict[int, Fact] = dict(facts or {})
        self.domains = Domains(graph, proof, self.facts)
        self.attempts = attempts or Attempts()
        self.depth = depth
        self.finite = FiniteValues(graph, proof)
        self.nowhere: dict[int, int] = {}
        self._outputs = {node for _, node in graph.outputs}
        self.lines: list[Line] = []
        self.obstacles: list[Open] = []
        self._structures: dict[Hashable, Antichain] = {}
        self._identities = 0 if depth else _IDENTITIES

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
        facts = [self.facts[arg] for arg in node.args]
        bounded = self._all_bounded(node) if definable.needs_bounded(node.op, node.params) else None
        inside: list[int] | None = None
        if bounded is not None and definable.needs_inside(node.op, node.params):
            condition = definable.strictly_inside(node.op, node.params)
            inside = self.proof.shown(condition, node.args, closed=True)
        situation = definable.Situation(
            fixed=tuple(self.graph.input_free[arg] for arg in node.args),
            bounded=bounded is not None,
            inside=inside is not None,
        )
        own = self._own(node, situation)
        finite: list[int] = []
        if own != _BOTTOM:
            few = self.finite.own(index)
            own, finite = (own, finite) if few is None else few
        structures = join_all((own, *(fact.structures for fact in facts)))
        plain = Fact(None, ())
        real = self.graph.input_free[index] and not any(s <= _REAL[0] for s in structures)
        better = self._real(index) if real else self._cancelled(index, node, structures)
        better = self._nowhere(index, node, structures) or better
        better = better or self._decided(index, node, structures)
        if structures and better is None:
            step = _structure_step(
                index,
                structures,
                args=[fact.cited for fact in facts],
                bounded=bounded or [],
                enclosures=inside or [],
            )
            step |= {"finite": finite} if finite else {}
            plain = Fact(self.proof.add(step), structures)
        if better is None and not any(s.o_minimal for s in structures):
            better = self._quantised(index) or self._split(index, node)
        found, why = better or (plain, _reason(own, bounded=bounded is not None))
        self.facts[index] = found
        found, why = self._identity(index, found.structures) or (found, why)
        self.facts[index] = found
        self._record(index, found.structures, why)
        if not found.structures and all(fact.structures for fact in facts):
            self.obstacles.append(_structure_obstacle(self.graph, index, own, facts))

    def _own(self, node: Apply, situation: definable.Situation) -> Antichain:
        key = (node.op.name, situation, *node.params.items())
        if key not in self._structures:
            self._structures[key] = definable.structures_of(node.op, node.params, situation)
        return self._structures[key]

    def _all_bounded(self, node: Apply) -> list[int] | None:
        """Steps that show all arguments bounded; the prover is asked only where it matters."""
        steps: list[int] = []
        for arg in node.args:
            algebraic = any(s <= Structure.SEMIALGEBRAIC for s in self.facts[arg].structures)
            if algebraic and definable.tame_if_bounded(node.op, node.params):
                step = self.proof.proved_bounded(arg)
            elif len(self.graph.nodes) <= _LARGE:
                step = self.proof.bounded_by_quotients(arg)
            else:
                step = self.proof.bounded(arg)
            if step is None and len(self.graph.nodes) <= _LARGE:
                step = self.proof.hulls.finite_step(arg)
            if step is None and not self.depth and definable.tame_if_bounded(node.op, node.params):
                from tamecheck.tame.refute_germs import bound_far_out

                step = bound_far_out(self.proof, self.domains, arg)
            if step is None:
                return None
            steps.append(step)
        return steps

    def _nowhere(self, index: int, node: Apply, plain: Antichain) -> tuple[Fact, str] | None:
        """That a node is defined nowhere, since its own op is not, or an argument."""
        if len(self.graph.nodes) > _LARGE:
            return None
        below = [self.nowhere[a] for a in needed_arguments(self.graph, index) if a in self.nowhere]
        if below:
            step = self.proof.add({"rule": "nowhere", "node": index, "step": below[0]})
        else:
            found = nowhere_step(self.proof.hulls, self.proof, index, deep=False)
            if found is None:
                return None
            step = found
        self.nowhere[index] = step
        if plain == _BOTTOM or size_of(node.shape) != 1:
            return None
        says = {"rule": "value", "node": index, "in": _names(_BOTTOM), "nowhere": step}
        return Fact(self.proof.add(says), _BOTTOM), "nowhere defined"

    def _real(self, index: int) -> tuple[Fact, str]:
        step = {"rule": "constant", "node": index, "in": _names(_REAL)}
        return Fact(self.proof.add(step), _REAL), "a real parameter: no input reaches it"

    def _cancelled(self, index: int, node: Apply, plain: Antichain) -> tuple[Fact, str] | None:
        """That a node is 0 where it is defined, if that says more than its arguments do."""
        if plain == _BOTTOM:
            return None
        if node.op is ops.SUB and node.args[0] == node.args[1]:
            structures, steps = self.domains.together(node.args[:1])
            if not structures or structures == plain:
                return None
            head = {"rule": "self-difference", "node": index, "in": _names(structures)}
            step = {**head, "arg": steps[0]} if steps else head
            return Fact(self.proof.add(step), structures), "a difference of equal terms is 0"
        if node.op not in (ops.MUL, ops.MATMUL):
            return None
        zeros = [self.proof.constant_zero(arg) for arg in node.args]
        zero = next((step for step in zeros if step is not None), None)
        if zero is None:
            return None
        structures, steps = self.domains.together(node.args)
        if not structures or structures == plain:
            return None
        head = {"rule": "zero-product", "node": index, "in": _names(structures)}
        step = {**head, "args": steps, "enclosure": zero}
        return Fact(self.proof.add(step), structures), "a product with the constant 0 is 0"

    def known(self, node: int) -> tuple[Antichain, int | None]:
        """In which structures a node is, and the step for it."""
        fact = self.facts.get(node)
        return ((), None) if fact is None else (fact.structures, fact.step)

    def case(self, on: int, range_: Range, offset: int, target: int) -> Case:
        """Derive a node again where another one is in a range."""
        proof = self.proof.case(on, range_, offset)
        above = {on}
        kept = dict(self.facts)
        walk = _Walk(self.graph, proof, kept, self.attempts, self.depth + 1)
        walk.nowhere.update(self.nowhere)
        for index in self.graph.ancestors([target]):
            node = self.graph.nodes[index]
            if index > on and isinstance(node, Apply) and above.intersection(node.args):
                above.add(index)
                walk.visit(index)
        return Case(walk.facts[target].structures, proof.steps)

    def _split(self, index: int, node: Apply) -> tuple[Fact, str] | None:
        """Cases of where a node below is."""
        cutting = node.op in (ops.MUL, ops.SELECT) or bool(comparisons(node.op, node.params))
        ends = index in self._outputs or cutting
        cone = list(self.graph.ancestors([index]))
        if self.depth >= self.attempts.depth or not ends or len(cone) > _LARGE:
            return None
        found = find_split(self, index, cone)
        if found is None and self.depth == 0 and index in self._outputs:
            self.attempts.depth = DEPTH
            found = find_split(self, index, cone)
            self.attempts.depth = 1
        if found is None:
            return None
        why = f"in each of finitely many cases of {self.graph.name_of(found.on)}"
        return Fact(self.proof.add(found.step), found.structures), why

    def _decided(self, index: int, node: Apply, plain: Antichain) -> tuple[Fact, str] | None:
        """That ranges decide what a node is: one value, or one of its arguments."""
        comparing = node.op is ops.MUL or bool(
            comparisons(node.op, node.params) or rounds(node.op, node.params)
        )
        tame = any(s.o_minimal for s in plain)
        if plain == _BOTTOM or not comparing or (tame and len(self.graph.nodes) > _LARGE):
            return None
        hulls = self.proof.hulls
        if hulls.range(index).single:
            domain = self.domains.domain(index)
            if domain is None or not _better(domain.structures, plain):
                return None
            step = {
                "rule": "value",
                "node": index,
                "in": _names(domain.structures),
                "enclosure": hulls.step(index),
                **({} if domain.step is None else {"domain": domain.step}),
            }
            return Fact(self.proof.add(step), domain.structures), "one value only, by its range"
        live = hulls.chosen(index)
        if live is None:
            return None
        dead = [a for i, a in enumerate(node.args) if i != live]
        dead = list(node.args[:1]) if node.op is ops.SELECT else dead
        structures, steps = self.domains.together(dead)
        fact = self.facts[node.args[live]]
        structures = join_all((structures, fact.structures))
        if not _better(structures, plain):
            return None
        step = {
            "rule": "decided",
            "node": index,
            "in": _names(structures),
            "live": live,
            "structure": fact.cited,
            "args": steps,
            "enclosures": [hulls.step(arg) for arg in dict.fromkeys(node.args)],
        }
        why = f"equal to {self.graph.name_of(node.args[live])}, by the ranges of its arguments"
        return Fact(self.proof.add(step), structures), why

    def _quantised(self, index: int) -> tuple[Fact, str] | None:
        chain = quantiser_chain(self.graph, index)
        if chain is None:
            return None
        operands = [self.facts[arg] for arg in chain.operands]
        source = self.facts[chain.source]
        structures = join_all((source.structures, *(fact.structures for fact in operands)))
        if not any(s.o_minimal for s in structures):
            return None
        step = {
            "rule": "saturated",
            "node": index,
            "in": _names(structures),
            "chain": list(chain.nodes),
            "args": [fact.cited for fact in operands],
            "source": source.cited,
        }
        rounding = self.graph.name_of(chain.nodes[-1])
        why = f"a quantiser: finitely many steps of {rounding}"
        return Fact(self.proof.add(step), structures), why

    def _identity(self, index: int, plain: Antichain) -> tuple[Fact, str] | None:
        tame = any(s.o_minimal for s in plain)
        if not self._identities or plain == _BOTTOM or (tame and index not in self._outputs):
            return None
        self._identities -= 1
        from tamecheck.tame.identities import find_identity

        found = find_identity(self.graph, index, plain, self.facts, self.domains)
        if found is None:
            return None
        return Fact(self.proof.add_proof(index, found.step), found.structures), "an identity"

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


def _better(new: Antichain, old: Antichain) -> bool:
    """Whether the new structures say more than the old ones."""
    return bool(new) and new != old and all(any(s <= t for s in new) for t in old)


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
