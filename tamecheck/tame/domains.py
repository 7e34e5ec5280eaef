"""Where the nodes of a graph are defined: everywhere on the box, or on a definable set.

A model is a partial function: ``log(x)`` has its natural domain, whatever the box.  That a node is
defined everywhere follows from enclosures of the arguments of all partial ops below it; that the
set where it is defined is definable, op by op.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tamecheck import ops
from tamecheck.ir import formula
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Selection
from tamecheck.ir.structure import Antichain, Structure, join_all
from tamecheck.ops.facets import chooses_indices
from tamecheck.tame.definable import domain_at
from tamecheck.tame.steps import ProofSteps
from tamecheck.tame.verdict import Defined, Need

_BOTTOM: Antichain = (Structure.RATIONAL_SEMILINEAR,)


class Shown(Protocol):
    """A node that is definable in some structures, and the step that says so."""

    @property
    def step(self) -> int | None: ...  # noqa: D102

    @property
    def structures(self) -> Antichain: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class _Domain:
    """In which structures the set is definable where a node is defined, and the step for it."""

    structures: Antichain
    step: int | None


@dataclass(slots=True)
class Domains:
    """The domains of nodes, with their certificate steps.

    ``structures`` holds what the derivation has found so far.
    """

    graph: Graph
    proof: ProofSteps
    structures: Mapping[int, Shown]
    _plain: list[bool] = field(default_factory=list[bool])
    _inside: dict[int, list[int] | None] = field(default_factory=dict[int, "list[int] | None"])
    _total: dict[int, int | None] = field(default_factory=dict[int, "int | None"])
    _domains: dict[int, _Domain] = field(default_factory=dict[int, _Domain])

    def __post_init__(self) -> None:
        for index, node in enumerate(self.graph.nodes):
            below = node.args if isinstance(node, Apply) else ()
            whole = self.needs(index) == formula.TRUE
            self._plain.append(whole and all(self._plain[arg] for arg in below))

    def needs(self, index: int) -> formula.Condition:
        """The condition on its arguments under which a node is defined."""
        return domain_at(self.graph, index)

    def plain(self, node: int) -> bool:
        """Whether no op at or below the node is partial."""
        return self._plain[node]

    def inside(self, index: int) -> list[int] | None:
        """Enclosure steps that show a node to be defined wherever its arguments are, or None."""
        if index not in self._inside:
            node = self.graph.nodes[index]
            args = node.args if isinstance(node, Apply) else ()
            shown = self.proof.shown(self.needs(index), args)
            if shown is None and isinstance(node, Apply) and node.op is ops.DIV:
                quotient = self.proof.proved_quotient(index)
                # without a delta the quotient is bounded where it is defined
                bare = quotient is None or self.proof.steps[quotient].get("delta", "") is None
                shown = None if quotient is None or bare else [quotient]
            self._inside[index] = shown
        return self._inside[index]

    def total(self, node: int) -> list[int] | None:
        """The steps that show a node to be defined on the whole box: at most one; else None."""
        if self.plain(node):
            return []
        if node not in self._total:
            partial = self.partial([node])
            cited = [self.inside(index) for index in partial]
            steps = [step for found in cited for step in found or ()]
            fails = any(found is None for found in cited)
            step = {"rule": "total", "node": node, "from": list(dict.fromkeys(steps))}
            self._total[node] = None if fails else self.proof.add(step)
        step = self._total[node]
        return None if step is None else [step]

    def partial(self, roots: Sequence[int]) -> list[int]:
        """The partial ops at or below some nodes."""
        return [i for i in self.graph.ancestors(roots) if self.needs(i) != formula.TRUE]

    def domain(self, root: int) -> _Domain | None:
        """In which structures the domain of a node is definable; None if in none."""
        waiting, needed = [root], set[int]()
        while waiting:
            index = waiting.pop()
            node = self.graph.nodes[index]
            if index not in self._domains and index not in needed:
                needed.add(index)
                whole = self.total(index) is not None
                waiting.extend(node.args if isinstance(node, Apply) and not whole else ())
        for index in sorted(needed):
            self._domains[index] = self._find(index)
        found = self._domains[root]
        return found if found.structures else None

    def together(self, nodes: Sequence[int]) -> tuple[Antichain, list[int]]:
        """In which structures the domains of all nodes are definable, and the steps for them."""
        found = [self.domain(node) for node in dict.fromkeys(nodes)]
        known = [domain for domain in found if domain is not None]
        steps = [domain.step for domain in known if domain.step is not None]
        return join_all(d.structures for d in known) if len(known) == len(found) else (), steps

    def _find(self, index: int) -> _Domain:
        node = self.graph.nodes[index]
        total = self.total(index)
        if total is not None or not isinstance(node, Apply):
            return _Domain(_BOTTOM, total[0] if total else None)
        own = self.structures.get(index)
        graph = _Domain(() if own is None else own.structures, None if own is None else own.step)
        if graph.structures == _BOTTOM:
            return graph
        args = [self._domains[arg] for arg in node.args]
        inside = self.inside(index)
        shown = self._deciding(index, node, undecided=inside is None)
        found = join_all((*(a.structures for a in args), *(s.structures for s in shown)))
        bounds: list[int] = []
        if node.op is ops.TAN and inside is None:
            bounded = self.proof.bounded(node.args[0])
            bounds, found = ([], ()) if bounded is None else ([bounded], found)
        if not found or all(any(s <= t for s in graph.structures) for t in found):
            return graph
        cited = [d.step for d in (*args, *shown) if d.step is not None]
        step = {
            "rule": "domain",
            "node": index,
            "in": [structure.value for structure in found],
            "args": list(dict.fromkeys(cited)),
            "bounded": bounds,
            "enclosures": inside or [],
        }
        return _Domain(found, self.proof.add(step))

    def _deciding(self, index: int, node: Apply, *, undecided: bool) -> list[Shown]:
        """The arguments that must be definable, since they decide whether the node is defined."""
        moving = isinstance(node.op.meaning, Selection) and not chooses_indices(node.op)
        if node.op is ops.SELECT:
            chosen, by = node.args[1:], node.args[:1]
        elif moving:
            chosen, by = node.args[:1], node.args[1:]
        else:
            variables = {
                t.index for t in formula.subterms(self.needs(index)) if isinstance(t, formula.Var)
            }
            chosen, by = (), tuple(node.args[i] for i in sorted(variables)) if undecided else ()
        if chosen and all(self.total(arg) is not None for arg in chosen):
            by = ()
        nothing = _Domain((), None)
        return [self.structures.get(arg, nothing) for arg in by]

    def defined(self, roots: Sequence[int]) -> Defined:
        """Where all of these nodes are defined, for an answer."""
        partial = [index for index in self.partial(roots) if self.inside(index) is None]
        total = all(self.total(root) is not None for root in roots)
        structures, _ = self.together(roots)
        return Defined(True if total else None, tuple(map(self._need, partial)), structures)

    def _need(self, index: int) -> Need:
        node, name = self.graph.nodes[index], self.graph.name_of
        args = node.args if isinstance(node, Apply) else ()
        condition = self.needs(index)
        used = sorted({t.index for t in formula.subterms(condition) if isinstance(t, formula.Var)})
        of = ", ".join(name(args[i]) for i in used)
        return Need(name(index), condition_text(condition, [name(arg) for arg in args]), of)


def condition_text(condition: formula.Condition, names: Sequence[str]) -> str:
    """A condition on values with names, in words."""
    match condition:
        case formula.And((formula.Compare() as first, formula.Compare() as second)) if (
            formula.sides(first)[0] == formula.sides(second)[0]
        ):
            (term, above, low), (_, below, high) = formula.sides(first), formula.sides(second)
            mirrored = {
                formula.Relation.GE: formula.Relation.LE,
                formula.Relation.GT: formula.Relation.LT,
            }.get(above, above)
            ends = _term_text(low, names), _term_text(high, names)
            signs = _SIGNS[mirrored], _SIGNS[below]
            return f"{ends[0]} {signs[0]} {_term_text(term, names)} {signs[1]} {ends[1]}"
        case formula.And(parts):
            return " and ".join(condition_text(part, names) for part in parts)
        case formula.Or(parts):
            return " or ".join(condition_text(part, names) for part in parts)
        case formula.Compare():
            left, relation, right = formula.sides(condition)
            return f"{_term_text(left, names)} {_SIGNS[relation]} {_term_text(right, names)}"


_SIGNS = {
    formula.Relation.LT: "<",
    formula.Relation.LE: "≤",
    formula.Relation.EQ: "=",
    formula.Relation.NE: "≠",
    formula.Relation.GE: "≥",
    formula.Relation.GT: ">",
}


def _term_text(term: formula.Term, names: Sequence[str]) -> str:
    value = formula.constant(term)
    if value is not None:
        return str(value)
    match term:
        case formula.Var(index):
            return names[index]
        case formula.Const(value):
            return str(value)
        case formula.Call(function, argument):
            return f"{function.value}({_term_text(argument, names)})"
        case formula.Floor(argument):
            return f"floor({_term_text(argument, names)})"
        case _:
            found = sorted({t.index for t in formula.subterms(term) if isinstance(t, formula.Var)})
            return f"a term in {', '.join(names[i] for i in found)}"
