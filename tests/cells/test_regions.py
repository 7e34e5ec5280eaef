"""Decision regions agree with exact evaluation everywhere, at ties and jumps too."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import z3

import tamecheck as tc
from tamecheck.cells import cells, decision_regions
from tamecheck.cli.entry import main
from tamecheck.errors import InputError
from tamecheck.evaluate import exact_values
from tamecheck.ir.box import Box
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders import Loaded
from tamecheck.model import Model
from tamecheck.ops import BY_NAME

BOX = Box.uniform(["x"], Fraction(-1), Fraction(1))


def classifier(act, seed, classes=3):
    rng = np.random.default_rng(seed)
    builder = GraphBuilder()
    value = builder.input("x", (1, 2))
    # small integers make ties and jumps at points of the grid
    first = builder.constant(rng.integers(-2, 3, (2, 4)).astype(np.float32))
    value = builder.apply(BY_NAME["matmul"], [value, first])
    options = {"at_zero": Fraction(1)} if act == "sign" else {}
    value = builder.apply(BY_NAME[act], [value], **options)
    last = builder.constant(rng.integers(-2, 3, (4, classes)).astype(np.float32))
    return builder.build({"y": builder.apply(BY_NAME["matmul"], [value, last])})


def label(graph, point):
    array = np.empty((1, 2), dtype=object)
    array[0] = point
    scores = exact_values(graph, {"x": array})["y"].reshape(-1).tolist()
    return max(range(len(scores)), key=lambda k: (scores[k], -k))


GRID = [Fraction(k, 6) for k in range(-6, 7)]


@pytest.mark.parametrize("act", ["relu", "sign", "abs"])
@pytest.mark.parametrize("seed", range(3))
def test_every_point_is_in_regions_of_its_class_and_no_other(act, seed):
    graph = classifier(act, seed)
    found = decision_regions(cells(graph, BOX))
    for point in product(GRID, GRID):
        labels = {r.label for r in found.regions if r.contains(point)}
        assert labels == {label(graph, point)}
    assert found.label((Fraction(2), Fraction(0))) is None


def test_the_script_says_the_same_to_z3():
    graph = classifier("relu", 5)
    found = decision_regions(cells(graph, BOX))
    text = found.smtlib()
    for point in list(product(GRID[::4], GRID[::4])):
        for k in range(3):
            solver = z3.Solver()
            solver.from_string(text + f"(assert class_{k})")
            for name, x in zip(found.names, point, strict=True):
                solver.add(z3.Real(name) == z3.RealVal(str(x)))
            assert (solver.check() == z3.sat) == (label(graph, point) == k)


def test_a_single_score_decides_nothing():
    with pytest.raises(InputError, match="single score"):
        decision_regions(cells(tc.expression("abs(x)").graph, BOX))


def test_the_verb_writes_the_regions(tmp_path, capsys):
    model = tmp_path / "m.json"
    Model(Loaded(classifier("relu", 1), "graph", "net")).save(model)
    assert main(["cells", str(model), "--box", "-1:1", "--decision", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["classes"] == 3
    assert {region["class"] for region in document["regions"]} <= {0, 1, 2}
