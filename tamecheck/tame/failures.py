"""What fails for a function that is in no o-minimal structure, and what holds all the same.

docs/theorems.md states each with its source. The witness, which the kernel replays, is the one
hypothesis of what fails.
"""

from __future__ import annotations

from tamecheck.ir.structure import Antichain
from tamecheck.tame.verdict import Consequence, Witness

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
