"""The range of one op over all arguments."""

from __future__ import annotations

import math

import numpy as np

from tamecheck.evaluate.bounds import pointwise_enclosure
from tamecheck.evaluate.conditions import refined
from tamecheck.evaluate.enclosure import Enclosure
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.op import Expansion, Op, Params, Pointwise

__all__ = ["range_of"]


def range_of(op: Op, params: Params) -> tuple[float, float]:
    """Bounds of the op's values at all arguments of its domain; infinite where there are none."""
    nothing = (-math.inf, math.inf)
    everything = Interval(np.asarray(-np.inf), np.asarray(np.inf))
    match op.meaning:
        case Pointwise(pieces=pieces, domain=domain):
            with np.errstate(all="ignore"):
                inside = refined(domain(params), [everything] * (op.arity or 1), {})
                args = [Enclosure(np.asarray(x.lower), np.asarray(x.upper)) for x in inside]
                found = pointwise_enclosure(Pointwise(pieces), args, params, ())
            return nothing if found is None else found.hull()
        case Expansion():
            return (0.0, 1.0) if op.name == "softmax" else nothing
        case _:
            return nothing
