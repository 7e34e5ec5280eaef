"""Nodes with finitely many values: what jumps, and every function of what does.

Any function of finitely many values is definable where they are taken, whatever the function; and a
product by finitely many rationals is piecewise linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tamecheck import ops
from tamecheck.ir.graph import Apply, Constant, Graph
from tamecheck.ir.op import Contraction, Fold, Routing
from tamecheck.ir.structure import Antichain, Structure
from tamecheck.ops.facets import factors, keeps_rationals, rounds, steps
from tamecheck.tame.steps import ProofSteps


@dataclass(slots=True)
class FiniteValues:
    """Which nodes have finitely many values, with their steps."""

    graph: Graph
    proof: ProofSteps
    _known: dict[int, tuple[int, bool] | None] = field(
        default_factory=dict[int, "tuple[int, bool] | None"]
    )

    _lattice: dict[int, bool] = field(default_factory=dict[int, bool])

    def own(self, index: int) -> tuple[Antichain, list[int]] | None:
        """The structure of an op with arguments of finitely many values, and their steps."""
        node = self.graph.nodes[index]
        if not isinstance(node, Apply) or self.graph.input_free[index]:
            return None
        found = {arg: self._step(arg) for arg in node.args if not self.graph.input_free[arg]}
        known = {arg: step for arg, step in found.items() if step is not None}
        if not known:
            return None
        if len(known) == len(found):
            return (Structure.RATIONAL_SEMILINEAR,), [step for step, _ in known.values()]
        fixed = [node.args[i] for i in factors(node.op, node.params) if node.args[i] in known]
        if not fixed:
            return None
        step, rational = known[fixed[0]]
        return (Structure.RATIONAL_SEMILINEAR if rational else Structure.SEMILINEAR,), [step]

    def _step(self, root: int) -> tuple[int, bool] | None:
        """The step that says that a node has finitely many values, and whether rational ones."""
        for index in self.graph.ancestors([root]):
            if index not in self._known:
                self._known[index] = self._find(index)
        return self._known[root]

    def _find(self, index: int) -> tuple[int, bool] | None:
        node = self.graph.nodes[index]
        if not isinstance(node, Apply) or self.graph.input_free[index]:
            return None
        rounded = rounds(node.op, node.params)
        if steps(node.op, node.params) and not rounded:
            return self._add(index, []), True
        for root in (node.args[0], index) if rounded else (index,):
            bounded = self._bounded(root) if self._in_lattice(index) else None
            if bounded is not None:
                return self._add(index, [bounded]), True
        moving = [arg for arg in node.args if not self.graph.input_free[arg]]
        found = [self._known[arg] for arg in moving]
        known = [given for given in found if given is not None]
        if len(known) < len(found):
            return None
        rational = _keeps_rationals(node) and all(given[1] for given in known)
        rational = rational and all(self._is_rational(arg) for arg in node.args)
        rational = rational or steps(node.op, node.params)
        return self._add(index, [step for step, _ in known]), rational

    def _bounded(self, node: int) -> int | None:
        """A step that shows a node to be bounded, by its range if there is no other."""
        step = self.proof.bounded(node)
        return self.proof.hulls.finite_step(node) if step is None else step

    def _in_lattice(self, index: int) -> bool:
        """Whether all values of a node have one denominator."""
        if index not in self._lattice:
            node = self.graph.nodes[index]
            if not isinstance(node, Apply):
                self._lattice[index] = isinstance(node, Constant)
            elif steps(node.op, node.params):
                self._lattice[index] = True
            else:
                exponent = node.params.get("exponent")
                natural = isinstance(exponent, Fraction) and exponent >= 0
                kept = _keeps_rationals(node) and node.op is not ops.DIV
                kept = kept and (node.op is not ops.POW or natural)
                self._lattice[index] = kept and all(self._in_lattice(a) for a in node.args)
        return self._lattice[index]

    def _is_rational(self, arg: int) -> bool:
        return not self.graph.input_free[arg] or isinstance(self.graph.nodes[arg], Constant)

    def _add(self, index: int, cited: Sequence[int]) -> int:
        step = {"rule": "finite", "node": index, "from": list(dict.fromkeys(cited))}
        return self.proof.add(step)


def _keeps_rationals(node: Apply) -> bool:
    other = isinstance(node.op.meaning, Routing | Contraction | Fold)
    return other or keeps_rationals(node.op, node.params)
