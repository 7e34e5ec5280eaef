"""A property of a small network: proved, then made a little too strong and refuted.

``python examples/verify_property.py``
"""

from __future__ import annotations

import tamecheck as tc
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.verification import Holds, Violated, verify

REGION = """
(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real)
(assert (>= X_0 -1)) (assert (<= X_0 1))
(assert (>= X_1 -1)) (assert (<= X_1 1))
"""


def main() -> None:
    """Bound a hat function from above, first rightly, then wrongly."""
    model = tc.expression("max(x + y, 0) + max(x - y, 0) - max(2*x, 0)")
    for bound in ("1.0001", "0.9999"):
        # the property names what must not happen
        spec = parse_vnnlib(f"{REGION} (assert (>= Y_0 {bound}))")
        match verify(model.graph, spec, timeout=20):
            case Holds(method=method):
                print(f"the value stays below {bound}: proved by {method}")
            case Violated(witness=witness):
                x, value = witness.inputs, witness.outputs[0]
                print(f"the value reaches {bound}: at x = {x[0]}, y = {x[1]} it is {value}")
            case unknown:
                print(f"open: {unknown.reason}")


if __name__ == "__main__":
    main()
