"""The recomputation accepts the cells that are found, and nothing that is not true."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cells import cells
from tamecheck.cells.check import is_complex

FORMULAS = [
    "abs(x) + max(y,0)",
    "max(x, y, 1/3) - min(x+y, 0)",
    "max(max(x,0) - max(y - x/2, 0), 1/5)",
    "clip(2*x - y, -1, 1/2) + abs(abs(x) - 1/3)",
    "max(x,0) - max(x,0) + y",
    "x",
    "max(x - x, 0) + y",
]


def complex_of(text, box="-1:1"):
    model = tc.expression(text)
    return model.graph, cells(model.graph, model.box(box))


@pytest.mark.parametrize("text", FORMULAS)
def test_found_cells_are_confirmed(text):
    assert is_complex(*complex_of(text)) is True


@pytest.mark.parametrize("seed", range(8))
def test_cells_of_random_networks_are_confirmed(seed):
    rng = np.random.default_rng(seed)
    names = "xyz"[: 1 + seed % 3]

    def form(parts):
        terms = [f"({Fraction(int(rng.integers(-8, 9)), 4)})*{p}" for p in parts]
        return " + ".join([*terms, f"({Fraction(int(rng.integers(-8, 9)), 8)})"])

    hidden = [f"max({form(names)}, 0)" for _ in range(4)]
    text = form([f"max({form(hidden)}, 0)" for _ in range(2)] + list(names))
    assert is_complex(*complex_of(text)) is True


@pytest.mark.parametrize("text", FORMULAS[:4])
def test_a_missing_a_doubled_and_a_foreign_cell_are_noticed(text):
    graph, found = complex_of(text)
    assert is_complex(graph, replace(found, cells=found.cells[1:])) is False
    assert is_complex(graph, replace(found, cells=(*found.cells, found.cells[0]))) is False
    swapped = (found.cells[1], *found.cells[1:])
    assert is_complex(graph, replace(found, cells=swapped)) is False


@pytest.mark.parametrize("text", FORMULAS[:4])
def test_cells_of_another_function_are_noticed(text):
    _, found = complex_of(text)
    other, _ = complex_of(text.replace("max", "min").replace("abs(x)", "abs(x - 1/7)"))
    assert is_complex(other, found) is False


def test_what_is_not_judged_is_open():
    graph, found = complex_of("sign(x) + y")
    assert found.lower_dimensional
    assert is_complex(graph, found) is None
    graph, found = complex_of("abs(x)")
    assert is_complex(graph, replace(found, complete=False)) is None
