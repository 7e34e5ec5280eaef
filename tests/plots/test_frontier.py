"""Models of steps, sampled by the patterns of their first steps: the same as everywhere at once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders import Loaded
from tamecheck.model import Model
from tamecheck.ops import BY_NAME
from tamecheck.plots.frontier import frontier_of
from tamecheck.plots.sample import Sampler, sample, stepwise

LOW, HIGH = np.array([-1.0, -2.0]), np.array([1.0, 3.0])


def pooled(seed):
    """A matrix, maxima over groups, signs, and a matrix: like a layer of a binarised network."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder()
    value = builder.input("x", (1, 2))
    value = builder.apply(
        BY_NAME["matmul"], [value, builder.constant(rng.normal(size=(2, 12)).astype(np.float32))]
    )
    value = builder.apply(BY_NAME["add"], [value, builder.constant(rng.normal(size=12))])
    value = builder.apply(BY_NAME["reshape"], [value], shape=(4, 3))
    value = builder.apply(BY_NAME["reduce_max"], [value], axes=(1,), keepdims=False)
    value = builder.apply(BY_NAME["sub"], [value, builder.constant(np.array(0.75))])
    value = builder.apply(BY_NAME["sign"], [value], at_zero=Fraction(1))
    value = builder.apply(BY_NAME["matmul"], [value, builder.constant(rng.normal(size=(4, 3)))])
    return builder.build({"y": value})


GRAPHS = {
    "pooled 0": pooled(0),
    "pooled 1": pooled(1),
    "two signs": tc.expression("sign(x - 2*y + 1)*3 + floor(x + y/2)").graph,
    "deep": tc.expression("sign(sign(x - y) + sign(x + y - 1) + 1/2)").graph,
}


@pytest.mark.parametrize("name", GRAPHS)
def test_values_and_pieces_are_those_of_sampling_everywhere(name):
    graph = GRAPHS[name]
    assert stepwise(graph)
    frontier = frontier_of(graph, LOW, HIGH)
    assert frontier is not None
    points = LOW + (HIGH - LOW) * np.random.default_rng(3).uniform(size=(2000, 2))
    known = {}
    seen, direct = Sampler(graph, frontier, known)(points), sample(graph, points)
    assert np.array_equal(seen.values, direct.values)
    # pieces with different values have different patterns
    assert 1 < len(np.unique(direct.values, axis=0)) <= len(known) < 100
    assert len(np.unique(seen.patterns)) <= len(np.unique(direct.patterns))


@pytest.mark.parametrize("text", ["max(x, 0) + sign(y)", "x*y", "sign(x + sign(y))"])
def test_there_is_none_where_the_first_steps_do_not_decide(text):
    assert frontier_of(tc.expression(text).graph, LOW, HIGH) is None


def test_the_winners_of_maximum_pooling_are_patterns():
    builder = GraphBuilder()
    value = builder.apply(
        BY_NAME["reduce_max"], [builder.input("x", (2,))], axes=(0,), keepdims=False
    )
    seen = sample(builder.build({"y": value}), np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 2.0]]))
    assert seen.patterns[0] == seen.patterns[2] != seen.patterns[1]


@pytest.mark.slow
def test_a_slice_by_names_is_drawn(tmp_path, capsys):
    file = tmp_path / "a.svg"
    box = ["--box", "x=-1:1,y=-1:1,z=-1:1"]
    model = ["--expr", "max(x, 0) + y*0 + abs(z)"]
    assert main(["plot", "cells", *model, *box, "--slice", "x,z", "-o", str(file)]) == 0
    assert "4 cells" in capsys.readouterr().out
    point = ["--at", "x=0,y=1/2,z=1"]
    assert main(["plot", "field", *model, *box, "--slice", "x,z", *point, "-o", str(file)]) == 0
    assert "1 fans" in capsys.readouterr().out
    assert main(["plot", "cells", *model, *box, "--slice", "x,q", "-o", str(file)]) == 2
    assert "no input element 'q'" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["cells", "convert", "plot"])
def test_names_that_would_steer_a_terminal_are_escaped(verb, tmp_path, capsys):
    builder = GraphBuilder()
    value = builder.apply(BY_NAME["abs"], [builder.input("a\x1b[31m", ())])
    Model(Loaded(builder.build({"y": value}), "graph", "net")).save(tmp_path / "m\x1b[2J.json")
    model = str(tmp_path / "m\x1b[2J.json")
    arguments = {
        "cells": ["cells", model, "--box", "-1:1"],
        "convert": ["convert", model, "-o", str(tmp_path / "b\x1b[2J.json")],
        "plot": ["plot", "field", model, "--box", "-1:1", "-o", str(tmp_path / "b\x1b[2J.png")],
    }
    assert main(arguments[verb]) == 0
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert "\\x1b" in shown.out
