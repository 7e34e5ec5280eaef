"""Draw the pictures of ``docs/gallery.md`` into ``docs/pictures``, by the commands shown there.

python docs/make_pictures.py [NAME ...]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tamecheck.cli import main as tamecheck

PICTURES = Path(__file__).parent / "pictures"
MOST_BYTES = 150_000
QUIET = ("--quiet", "--force")
KINK = ("--expr", "max(min(x,-y), y-x)", "--box", "-1:1")
JUMP = ("--expr", "sign(x-y/2)*abs(y) + max(x,0)", "--box", "-1:1")
SOLID = ("--expr", "abs(x) + abs(y) + abs(z) + max(x+y+z,1/2)", "--box", "-1:1")
FIGURES = {
    "field.svg": ("field", *KINK, "--at", "x=0,y=0"),
    "pole.svg": ("field", "--expr", "1/(x-y/2) + log(y+1/2)", "--box", "-1:1"),
    "curve.svg": (
        *("field", "--expr", "max(x,0) + 1/(20*x-15) + sign(x+1/2)/2", "--box", "-1:1"),
        *("--at", "x=0"),
    ),
    "cells.svg": ("cells", *JUMP),
    "decision.svg": (
        *("decision", "--expr", "1/3 - max(x-y/2, -x-y)", "--box", "-1:1"),
        *("--data", "patients.csv"),
    ),
    "surface.svg": ("surface", *JUMP),
    "adjacency.svg": (
        "adjacency",
        "--expr",
        "abs(x) + abs(y) + abs(z) + max(x+y+z,1/2)",
        "--box",
        "-1:1",
    ),
    "jacobian.svg": (
        *("jacobian", "--expr", "relu(x) - relu(-x) + max(y, 2*x, z) + w"),
        *("--at", "x=0,y=0,z=0,w=0"),
    ),
    "certificate.svg": (*("certificate", "--expr", "sin(x)*y + sin(x)", "--box", "-1:1"),),
    "descent.svg": ("descent", "--expr", "max(abs(x), 2*abs(y)-x/2)", "--box", "-1:1"),
    "value.svg": ("value", "plan.lp", "--box", "r=-2:4", "--method", "tree"),
    "duals.svg": ("duals", "plan.lp", "--box", "r=-2:4"),
}
"""The arguments of ``tamecheck plot`` for each picture."""

PLAN = """\
Minimize
 obj: 0.5 x1 + 2 x3 + x4
Subject To
 r: x1 - 1.5 x2 + x3 - x4 = 1.5
General
 x1 x2
End
"""
PATIENTS = """\
x,y,diagnosis
0.82,-0.35,ill
0.61,0.2,ill
0.95,0.71,ill
0.4,-0.8,ill
-0.3,-0.62,ill
-0.75,-0.2,ill
-0.9,-0.85,ill
-0.1,0.5,well
-0.55,0.83,well
0.15,0.12,well
0.3,0.88,well
-0.2,0.05,well
-0.6,0.4,well
0.72,-0.7,well
"""
FILES = {"plan.lp": PLAN, "patients.csv": PATIENTS}


def main(names: list[str]) -> None:
    """Draw the pictures of these names, or all."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        for name in names or FIGURES:
            arguments = [str(Path(folder, a)) if a in FILES else a for a in FIGURES[name]]
            path = PICTURES / name
            code = tamecheck(["plot", *arguments, *QUIET, "-o", str(path)])
            size = path.stat().st_size
            if code or size > MOST_BYTES:
                sys.exit(f"{name}: exit code {code}, {size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
