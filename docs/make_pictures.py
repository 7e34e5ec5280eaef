"""Draw the pictures of ``docs/derivatives.md`` into ``docs/pictures``.

python docs/make_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import tamecheck as tc
from tamecheck.derivative import jacobian
from tamecheck.plots import draw_jacobian
from tamecheck.plots.results import draw_model

PICTURES = Path(__file__).parent / "pictures"
KINK = "max(min(x,-y), y-x)"
JUMP = "sign(x-y/2)*abs(y) + max(x,0)"


def main() -> None:
    """Draw all pictures."""
    PICTURES.mkdir(exist_ok=True)
    kink, jump = tc.expression(KINK), tc.expression(JUMP)
    box = kink.box("-1:1")
    draw_model(kink.graph, box, "field", at=[[0, 0]]).save(PICTURES / "field.svg")
    draw_model(jump.graph, box, "cells").save(PICTURES / "cells.svg")
    around = jacobian(kink.graph, [0, 0], "conservative")
    found = jacobian(kink.graph, [0, 0])
    draw_jacobian(found, around=around).save(PICTURES / "jacobian.svg")
    for path in sorted(PICTURES.glob("*.svg")):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
