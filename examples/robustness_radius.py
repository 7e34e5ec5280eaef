"""How far is a classifier robust around a point? The largest proved radius, and a witness above it.

``python examples/robustness_radius.py``
"""

from __future__ import annotations

import json

import tamecheck as tc
from tamecheck.ir.exact import decimal_text


def main() -> None:
    """Bracket the radius of one decision, and let the kernel check the proof."""
    model = tc.expression("max(x, 0) + max(y, 0) - max(x + y - 1, 0) - 1/2")
    point = ["3/4", "1/2"]
    found = tc.robustness_radius(model, point, box="0:1", tolerance="0.005", certify=True)
    print(f"class {found.decision} everywhere within {found.radius}: rests on {found.rests_on}")
    if found.witness is not None and found.witness_radius is not None:
        x, y = map(decimal_text, found.witness.inputs)
        print(
            f"another class at x = {x}, y = {y}, at distance {decimal_text(found.witness_radius)}"
        )
    if found.certificate is not None:
        print(f"the kernel says: {tc.recheck(json.dumps(found.certificate)).verdict}")


if __name__ == "__main__":
    main()
