"""Write ``docs/ops.md``, the table of the primitive ops and of what is known about each.

python docs/make_ops_table.py            write the table
python docs/make_ops_table.py --check    only compare; exit code 1 if it is out of date
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

from pages import write_or_compare

from tamecheck.ir.formula import TRUE
from tamecheck.ir.op import Op, Value
from tamecheck.ir.structure import Antichain
from tamecheck.ops import ALL
from tamecheck.tame.definable import Situation, domain_of, structures_of

TABLE = Path(__file__).parent / "ops.md"
HEAD = """\
# Primitive ops

Every model is lowered to these. The table is written by `docs/make_ops_table.py` from the records
in `tamecheck/ops/`, and a test keeps it fresh.

- **structure**: the least structures in which the op is definable, whatever its arguments;
  **on a bounded argument**: the same when the arguments are bounded and strictly inside the op's
  domain. Parameters are typical ones, and no argument is constant (a product with a constant is
  semilinear).
- **partial**: whether the op has a value only under a condition on its arguments.
- **regularity**: on the op's domain.

| op | value | kind | structure | on a bounded argument | partial | regularity |
|---|---|---|---|---|---|---|
"""
SAMPLES: dict[str, Value] = {
    "alpha": Fraction(1, 2),
    "at_zero": Fraction(0),
    "beta": Fraction(1),
    "exponent": Fraction(1, 2),
    "hi": Fraction(1),
    "lo": Fraction(-1),
    "mode": "half_even",
}


def sample(op: Op) -> dict[str, Value]:
    """Typical parameters, which only pointwise ops depend on."""
    return {param.name: SAMPLES.get(param.name, 0) for param in op.params}


def names(structures: Antichain) -> str:
    """Public names, or none."""
    return ", ".join(s.public_name for s in structures) or "none"


def row(op: Op) -> str:
    """One row of the table."""
    count = op.arity or 1
    params = sample(op)
    free = Situation(fixed=(False,) * count)
    bounded = Situation(fixed=(False,) * count, bounded=True, inside=True)
    regularity = (
        ("locally Lipschitz" if op.regularity.lipschitz else "continuous")
        if op.regularity.continuous
        else "jumps"
    )
    listed = ", ".join(f"`{param.name}`" for param in op.params)
    cells = (
        f"`{op.name}`" + (f" ({listed})" if listed else ""),
        op.summary.replace("|", "\\|"),
        type(op.meaning).__name__.lower(),
        names(structures_of(op, params, free)),
        names(structures_of(op, params, bounded)),
        "yes" if domain_of(op, params) != TRUE else "",
        regularity,
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """The whole page."""
    return HEAD + "".join(f"{row(op)}\n" for op in ALL)


if __name__ == "__main__":
    sys.exit(write_or_compare(TABLE, table()))
