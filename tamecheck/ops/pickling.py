"""Ops as bytes: each by its name, since its definition is made of functions."""

from __future__ import annotations

from typing import Any

from tamecheck.ir.op import Op

__all__ = ["named", "reduced"]


def named(name: str) -> Op:
    """The op of this name."""
    from tamecheck.ops import BY_NAME

    return BY_NAME[name]


def reduced(op: Op) -> Any:
    """What `pickle` and `copy` make of an op; one that is not ours is taken as it is."""
    from tamecheck.ops import BY_NAME

    return (named, (op.name,)) if BY_NAME.get(op.name) is op else object.__reduce_ex__(op, 2)
