"""Float values: stable where a naive formula is not, and the constants that folding gives."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tamecheck import ops
from tamecheck.errors import DomainError
from tamecheck.evaluate import float_values, fold_constant
from tamecheck.ir import formula
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.tensor import Tensor
from tamecheck.ops import BY_NAME

F = Fraction


def value(name, *args, **params):
    builder = GraphBuilder()
    arrays = {f"x{i}": np.asarray(arg, dtype=np.float64) for i, arg in enumerate(args)}
    nodes = [builder.input(key, array.shape) for key, array in arrays.items()]
    graph = builder.build({"y": builder.apply(BY_NAME[name], nodes, **params)})
    return float_values(graph, arrays)["y"].tolist()


def test_nothing_overflows_on_the_way():
    assert value("softmax", [1000.0, 1000.0], axis=0) == [0.5, 0.5]
    assert value("log_softmax", [-1000.0, 0.0], axis=0) == [-1000.0, 0.0]
    assert value("logsumexp", [[1000.0], [1000.0]], axes=(0, 1), keepdims=False) == (
        pytest.approx(1000 + np.log(2))
    )
    assert value("sigmoid", [-800.0, 800.0]) == [0.0, 1.0]
    assert value("softplus", [-800.0, 800.0]) == [0.0, 800.0]


def test_nothing_is_lost_by_cancellation():
    assert value("softplus", [-40.0]) == [pytest.approx(np.exp(-40), rel=1e-12)]
    assert value("elu", [-1e-20], alpha=F(1), beta=F(1)) == [pytest.approx(-1e-20, rel=1e-12)]


def test_a_tie_is_a_tie_of_the_number_itself():
    just_above = float(np.nextafter(-0.5, 0))
    assert value("round", [just_above], mode="half_away") == [0.0]
    assert value("round", [-0.5], mode="half_away") == [-1.0]
    assert value("round", [just_above], mode="half_down") == [0.0]


def test_argsort_is_stable_in_both_directions():
    assert value("argsort", [1.0, 0.0, 1.0, 0.0], axis=0, descending=False) == [1, 3, 0, 2]
    assert value("argsort", [1.0, 0.0, 1.0, 0.0], axis=0, descending=True) == [0, 2, 1, 3]


def test_empty_tensors():
    assert value("sum", np.zeros((0, 2)), axes=(0,), keepdims=False) == [0.0, 0.0]
    assert value("prod", np.zeros((2, 0)), axes=(1,), keepdims=False) == [1.0, 1.0]
    assert value("relu", np.zeros((0,))) == []
    assert value("matmul", np.zeros((1, 0)), np.zeros((0, 2))) == [[0.0, 0.0]]
    assert value("softmax", np.zeros((0, 2)), axis=1) == []


def folded(op, *arrays, **params):
    return fold_constant(op, [Tensor.of(array) for array in arrays], params, where="here")


def test_folding_takes_and_gives_numbers_of_any_element_type():
    assert folded(ops.ADD, np.float32(0.5), np.float32(0.25)).fractions() == [F(3, 4)]
    assert folded(ops.ADD, np.float32(0.5), np.float32(0.25)).shape == ()
    assert folded(ops.MUL, np.array([3]), np.array([4])).fractions() == [F(12)]
    assert folded(ops.RESHAPE, np.zeros((2, 3), np.float32), shape=(6,)).shape == (6,)
    joined = folded(ops.CONCAT, np.full(1, 0.1, np.float32), np.array([2**62 + 1]), axis=0)
    assert joined.fractions() == [F(float(np.float32(0.1))), F(2**62 + 1)]


def test_folding_never_rounds():
    third = folded(ops.DIV, np.array([1]), np.array([3]))
    assert third.fractions() == [F(1, 3)]
    assert folded(ops.ADD, np.array([2**62]), np.array([2**62])).fractions() == [F(2**63)]
    assert folded(ops.ADD, np.float32(1), np.float32(2.0**-30)).fractions() == [1 + F(1, 2**30)]
    assert folded(ops.PAD, np.array([1]), before=(1,), after=(0,), value=F(1, 2)).fractions() == [
        F(1, 2),
        F(1),
    ]


def test_folding_gives_up_on_irrational_values():
    assert folded(ops.SQRT, np.array([2.0])) is None
    assert folded(ops.SQRT, np.array([4.0])).fractions() == [F(2)]
    assert folded(ops.EXP, np.array([0.0, 1.0])) is None
    with pytest.raises(DomainError, match=r"^here"):
        folded(ops.LOG, np.array([0.0]))


def test_what_an_op_computes_is_written_once_for_each_parameter():
    meaning = BY_NAME["leaky_relu"].meaning
    slow, fast = {"alpha": F(1, 100)}, {"alpha": F(2)}
    assert meaning.pieces(slow) is meaning.pieces(dict(slow))
    assert meaning.pieces(slow) != meaning.pieces(fast)
    # so no point is computed with the parameter of another
    assert value("leaky_relu", [-1.0], alpha=F(2)) == [-2.0]
    assert value("leaky_relu", [-1.0], alpha=F(1, 4)) == [-0.25]
    assert value("step", [0.0], at_zero=F(1)) == [1.0]
    assert value("step", [0.0], at_zero=F(0)) == [0.0]


def test_values_are_dropped_after_their_last_user():
    builder = GraphBuilder()
    x = builder.input("x", ())
    y = builder.apply(ops.ADD, [x, x])
    z = builder.apply(ops.ADD, [y, x])
    both, last = builder.build({"y": y, "z": z, "twice": z}), builder.build({"z": z})
    assert both.schedule == ((0, ()), (1, ()), (2, (0,)))
    assert [set(ended) for _, ended in last.schedule] == [set(), set(), {0, 1}]
    assert both.schedule_of([1]) == ((0, ()), (1, (0,)))


def test_what_is_made_of_a_term_is_made_once_and_of_each_its_own():
    made = []
    double = formula.remembered(lambda term: made.append(term) or term + term)
    x, other = formula.Var(0) + 1, formula.Var(0) + 1
    assert double(x) is double(x) is double(other)
    assert made == [x]
    # more than are kept, whose numbers of objects are free for others
    for number in range(5000):
        term = formula.Var(0) * number
        assert double(term) == term + term
    assert double(x) == x + x
