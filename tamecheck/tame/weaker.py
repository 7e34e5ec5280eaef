"""What still holds of a function that is in no o-minimal structure, or is not shown to be in one.

*On bounded boxes*: whether an argument is bounded seldom depends on numbers, so one derivation with
inputs that are bounded somehow is about every bounded box.

*Over the ordered group*: the real line with addition, the multiples of one number and every bounded
set that is definable in a fixed o-minimal structure is locally o-minimal (Fujita 2023, on
quasi-periodic structures, and the sources there).  In it are maps with rational slopes, functions
with one period, and whatever o-minimal functions make of bounded values.
"""

from __future__ import annotations

from tamecheck.budget import Budget
from tamecheck.ir.box import Box
from tamecheck.ir.formula import Elementary
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.structure import Antichain, Structure
from tamecheck.ops.facets import elementary_of, rounds
from tamecheck.tame.definable import Situation, structures_of
from tamecheck.tame.derive import derive
from tamecheck.tame.steps import ProofSteps
from tamecheck.tame.verdict import Witness

_WAVES = (Elementary.SIN, Elementary.COS)


def structures_on_boxes(graph: Graph, box: Box, budget: Budget) -> Antichain:
    """The o-minimal structures in which all outputs are definable on every bounded box.

    Empty where none is shown, or where the domain is a bounded box itself.
    """
    if all(box.side(name).bounded for name in graph.inputs):
        return ()
    proof = ProofSteps(graph, box, _unproved, bounded_inputs=True)
    found = derive(graph, proof, budget).of_outputs(graph)
    return tuple(structure for structure in found if structure.o_minimal)


def weaker_statements(
    graph: Graph, box: Box, witness: Witness | None, on_boxes: Antichain
) -> tuple[str, ...]:
    """Statements about the outputs that hold although the verdict is not that they are tame.

    Parameters
    ----------
    graph, box
        The function.
    witness
        What refutes that it is tame, if something does.
    on_boxes
        The structures in which they are definable on every bounded box.
    """
    found = [f"definable in {s.public_name} on every bounded box" for s in on_boxes[:1]]
    if witness is not None and witness.refutes == "locally-o-minimal":
        found.append("not locally o-minimal over (R,<,+)")
    elif witness is not None and _is_quasi_periodic(graph, box):
        found.append("locally o-minimal over (R,<,+)")
    return tuple(found)


def _is_quasi_periodic(graph: Graph, box: Box) -> bool:
    """Whether the outputs are made of rational slopes, one period, and bounded values."""
    proof = ProofSteps(graph, box, _unproved)
    rational: dict[int, bool] = {}
    periods = set[str]()
    for index in graph.ancestors([node for _, node in graph.outputs]):
        node = graph.nodes[index]
        if not isinstance(node, Apply):
            rational[index] = graph.input_free[index]
            continue
        fixed = tuple(rational[arg] for arg in node.args)
        linear = Structure.RATIONAL_SEMILINEAR in structures_of(
            node.op, node.params, Situation(fixed)
        )
        rational[index] = graph.input_free[index] and linear and all(fixed)
        if linear:
            continue
        wave = elementary_of(node.op, node.params) in _WAVES
        if wave or rounds(node.op, node.params):
            periods.add("2π" if wave else "1")
        elif any(proof.bounded(below) is None for below in (index, *node.args)):
            return False
    return len(periods) < 2


def _unproved(graph: Graph, box: Box, node: int) -> None:
    """No bound: these statements need no numbers."""
    del graph, box, node
