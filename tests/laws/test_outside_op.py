"""An op that is declared here, outside of the package, is understood by every analysis.

Only the kernel, which has words of its own, does not know it.
"""

from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck import ops
from tamecheck.ir.formula import And, Var, when
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.op import Op, Pointwise, Regularity
from tamecheck.loaders import Loaded, parse_vnnlib
from tamecheck.ops.shapes import same

X, HALF = Var(0), Fraction(1, 2)
SOFT_SHRINK = Op(
    name="soft_shrink",
    summary="x moved towards 0 by a half, 0 between -1/2 and 1/2",
    shape=same,
    meaning=Pointwise(
        lambda _: (
            when(X <= -HALF, X + HALF),
            when(And((X >= -HALF, X <= HALF)), 0),
            when(X >= HALF, X - HALF),
        )
    ),
)
HARD_SHRINK = Op(
    name="hard_shrink",
    summary="x for |x| > 1/2, else 0",
    shape=same,
    meaning=Pointwise(
        lambda _: (when(X < -HALF, X), when(And((X >= -HALF, X <= HALF)), 0), when(X > HALF, X))
    ),
    regularity=Regularity(continuous=False, lipschitz=False),
)
WEIGHTS = np.array([[1.0, 2.0], [3.0, -4.0]])
REGION = "".join(f"(declare-const {name} Real)" for name in ("X_0", "X_1", "Y_0")) + "".join(
    f"(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in (0, 1)
)


def model_with(op):
    """The sum of the op's values at ``x + 2 y`` and ``3 x - 4 y``."""
    builder = GraphBuilder()
    hidden = builder.apply(ops.MATMUL, [builder.constant(WEIGHTS), builder.input("x", (2,))])
    total = builder.apply(ops.SUM, [builder.apply(op, [hidden])], axes=(0,), keepdims=False)
    return tc.Model(Loaded(builder.build({"y": total}), "json", "a test"))


@pytest.mark.parametrize("op", [SOFT_SHRINK, HARD_SHRINK])
def test_values(op):
    # the arguments are -3/2 and 11/2; both ops move their sum, or neither
    point = np.array([0.5, -1.0])
    assert model_with(op).evaluate(point) == 4
    assert model_with(op).evaluate(point, exact=True) == 4


def test_tameness_and_regularity():
    soft, hard = (model_with(op).check("-1:1") for op in (SOFT_SHRINK, HARD_SHRINK))
    assert soft.structure.public_name == hard.structure.public_name == "semilinear"
    assert soft.properties.continuous is True
    assert soft.properties.piecewise_linear is True
    assert hard.properties.continuous is not True
    assert "soft_shrink" in tc.recheck(soft.certificate).why
    assert soft.rests_on == "the record of soft_shrink, which the kernel does not know"


@pytest.mark.parametrize("op", [SOFT_SHRINK, HARD_SHRINK])
def test_cells_are_those_of_two_families_of_three_strips(op):
    # two pairs of parallel lines cut the square into all nine combinations
    assert model_with(op).cells("-1:1").count == 9


def test_derivatives():
    soft, hard = model_with(SOFT_SHRINK), model_with(HARD_SHRINK)
    at = {"x": [0.25, 0.125]}
    assert set(soft.jacobian(at).vertices) == {((1, 2),), ((0, 0),)}
    assert soft.gradient(np.array([[1.0, 0.0]])).tolist() == [[4.0, -2.0]]
    assert hard.gradient(np.array([[1.0, 0.0]])).tolist() == [[4.0, -2.0]]


@pytest.mark.parametrize(("bound", "kind"), [(7, "Holds"), (5, "Violated")])
def test_properties_are_decided(bound, kind):
    spec = parse_vnnlib(f"{REGION}(assert (>= Y_0 {bound}))")
    assert type(tc.verify(model_with(SOFT_SHRINK), spec)).__name__ == kind


def test_the_largest_value_is_found_and_proved():
    # at (1, -1): soft(-1) + soft(7) = -1/2 + 13/2
    found = tc.maximise(model_with(SOFT_SHRINK), box="-1:1")
    assert (found.status, found.value) == ("optimal", 6)


def test_formulas_of_it_are_written():
    soft = model_with(SOFT_SHRINK)
    assert "(assert" in soft.to_smtlib()
    symbolic = soft.to_sympy()
    (value,) = symbolic.outputs["y"]
    assert value.subs(dict(zip(symbolic.variables, (HALF, -1), strict=True))) == 4
