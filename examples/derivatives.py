"""Where automatic differentiation leaves the Clarke Jacobian, and what is in it instead.

Run: python examples/derivatives.py
"""

import tamecheck as tc
from tamecheck.cells import cells
from tamecheck.derivative import jacobian


def main() -> None:
    """Print the Clarke Jacobian and the automatic derivative of a few functions."""
    for text, at in [
        ("relu(x) - relu(-x)", {"x": 0}),
        ("max(min(x,-y), y-x)", {"x": 0, "y": 0}),
        ("abs(abs(x) - abs(y))", {"x": 0, "y": 0}),
        ("sign(x)*y", {"x": 0, "y": 1}),
    ]:
        model = tc.expression(text)
        found = jacobian(model.graph, at)
        where = ", ".join(f"{name}={value}" for name, value in at.items())
        print(f"{text} at {where}: {found}")
        for vertex, proof in zip(found.vertices, found.proofs, strict=True):
            row = ", ".join(map(str, vertex[0]))
            direction = ", ".join(map(str, proof.direction))
            print(f"  ({row}) in the directions about ({direction})")
        if found.autodiff is not None and found.defined:
            inside = "in" if found.autodiff_in_set else "outside"
            print(f"  automatic differentiation: {found.autodiff[0][0]}, … {inside} the set")
    model = tc.expression("relu(x - relu(y)) + abs(x + y)")
    print(cells(model.graph, model.box("-1:1")))


if __name__ == "__main__":
    main()
