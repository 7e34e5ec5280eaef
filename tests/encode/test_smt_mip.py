"""The formula and the mixed-integer program of a network are equivalent: proved by a solver."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import z3
from corpus import dense_network

import tamecheck as tc
from tamecheck.encode.mip.network import mip_encoding
from tamecheck.encode.symbolic import smt_graph
from tamecheck.ir.box import Box


def number(value):
    return z3.RealVal(str(value))


def network(sizes, seed):
    rng = np.random.default_rng(seed)
    return dense_network(sizes, lambda s: np.round(rng.normal(size=s), 1).astype(np.float32))


def columns(program):
    """A z3 variable for each column, and its bounds, kinds and rows as constraints."""
    found, rules = [], []
    for j, column in enumerate(program.columns):
        symbol = z3.Int(f"mip{j}") if column.kind.integral else z3.Real(f"mip{j}")
        found.append(symbol)
        rules += [] if column.lower is None else [symbol >= number(column.lower)]
        rules += [] if column.upper is None else [symbol <= number(column.upper)]
    for row in program.rows:
        total = z3.Sum([number(a) * found[j] for j, a in row.terms])
        rules += [] if row.lower is None else [total >= number(row.lower)]
        rules += [] if row.upper is None else [total <= number(row.upper)]
    return found, rules


def both(graph, box):
    """A solver that holds both encodings on the same inputs, and the pairs of outputs."""
    smt = smt_graph(graph, box)
    encoding = mip_encoding(graph, box)
    names, rules = columns(encoding.program)
    solver = z3.Solver()
    solver.set("timeout", 60_000)
    solver.from_string(smt.text())
    solver.add(*rules)
    for symbol, column in zip(smt.inputs, encoding.inputs, strict=True):
        solver.add(z3.Real(symbol.symbol_name()) == names[column])
    outputs = [
        (z3.Real(symbol.symbol_name()), names[column])
        for symbol, column in zip(smt.outputs, encoding.outputs, strict=True)
    ]
    return solver, outputs


NETS = {
    "relu 2-5-3-2": (network([2, 5, 3, 2], 1), "x"),
    "relu 3-4-1": (network([3, 4, 1], 2), "x"),
    "folds": (tc.expression("abs(x) - clip(x + y, -1/2, 1/3) + max(x, y)").graph, "x,y"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_the_outputs_of_both_encodings_cannot_differ(name):
    graph, inputs = NETS[name]
    box = Box.uniform(inputs.split(","), Fraction(-1), Fraction(1))
    solver, outputs = both(graph, box)
    # the two together are not empty, so that what follows is no vacuous proof
    assert solver.check() == z3.sat
    solver.add(z3.Or([one != two for one, two in outputs]))
    assert solver.check() == z3.unsat
    wrong, pairs = both(graph, box)
    wrong.add(z3.Or([one + number(Fraction(1, 7)) != two for one, two in pairs]))
    assert wrong.check() == z3.sat
