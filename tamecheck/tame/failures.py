"""What fails for a function that is in no o-minimal structure, or not shown to be, and what holds.

docs/theorems.md states what fails with its source. The witness, which the kernel replays, is the
one hypothesis of it.  What still holds is shown

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
from tamecheck.tame.verdict import Consequence, Witness

_WAVES = (Elementary.SIN, Elementary.COS)
_DRIES = "van den Dries 1998"

_ON_BOXES = Consequence(
    "On every bounded box: the function is there a finite union of smooth pieces, its level sets "
    "have a uniformly bounded number of components, and families of its sublevel sets have finite "
    "VC dimension; the bounds depend on the box",
    f"{_DRIES}, ch. 3 and ch. 5",
    (),
)

FAILURES: dict[str, Consequence] = {
    "periodic": Consequence(
        "Infinitely many components: for some polynomial q the set of all t ≥ 0 with f > q along "
        "the line has infinitely many components",
        f"{_DRIES}, ch. 1 (3.1)",
        (),
    ),
    "staircase": Consequence(
        "A dense set with dense complement: the function defines one, with addition and order "
        "alone",
        "Miller 2001",
        (),
    ),
    "components": Consequence(
        "A domain of infinitely many components: along the curve, the points at which the function "
        "is defined are no finite union of points and intervals",
        f"{_DRIES}, ch. 1 (3.1)",
        (),
    ),
    "germ": Consequence(
        "No monotonicity: along the curve, the function minus a semialgebraic one crosses a level, "
        "or jumps, infinitely often",
        f"{_DRIES}, ch. 3 (1.2)",
        (),
    ),
    "exp-trig": Consequence(
        "No Hardy field: along the curve, some polynomial in t, f, f', f'', ... with real "
        "coefficients changes its sign infinitely often",
        "Rosenlicht 1983; Boshernitzan 1981",
        (),
    ),
}
"""By the rule of the witness's step, what it shows."""


def failures(witness: Witness, on_boxes: Antichain) -> tuple[Consequence, ...]:
    """What fails, and what holds on bounded boxes.

    Parameters
    ----------
    witness
        What refutes.
    on_boxes
        The structures in which the outputs are definable on every bounded box.
    """
    fact = f"refuted: {witness.summary}"
    shown = FAILURES[witness.document["rule"]]
    found = [Consequence(shown.theorem, shown.source, (fact,))]
    if on_boxes:
        derived = f"definable in {on_boxes[0].symbol} on every bounded box: derived op by op"
        found.append(Consequence(_ON_BOXES.theorem, _ON_BOXES.source, (derived,)))
    return tuple(found)


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
