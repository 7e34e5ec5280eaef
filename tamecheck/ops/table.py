"""The table of all primitive ops: `ALL`, and `BY_NAME` to read them from files.

An op is pickled by its name, since its definition is made of functions.
"""

from __future__ import annotations

import copyreg
from typing import Any

from tamecheck.ir.op import Op
from tamecheck.ops import arithmetic, axes, exponential, piecewise, routing

_MODULES = (arithmetic, piecewise, exponential, routing, axes)

BY_NAME: dict[str, Op] = {
    one.name: one for module in _MODULES for one in vars(module).values() if isinstance(one, Op)
}

ALL: tuple[Op, ...] = tuple(BY_NAME.values())


def named(name: str) -> Op:
    """The op of this name."""
    return BY_NAME[name]


def reduced(op: Op) -> Any:
    """What `pickle` and `copy` make of an op; one that is not ours is taken as it is."""
    return (named, (op.name,)) if BY_NAME.get(op.name) is op else object.__reduce_ex__(op, 2)


copyreg.pickle(Op, reduced)
