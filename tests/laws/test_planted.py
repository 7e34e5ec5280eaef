"""Deliberately wrong ops: each breaks a law, so the laws do catch mistakes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from op_laws import (
    LawError,
    contains,
    continuity_is_as_claimed,
    encloses,
    grid_arrays,
    jumps,
    matches_reference,
    single_valued_and_total,
    values_at,
)
from op_samples import REFERENCES, Sample

from tamecheck import ops
from tamecheck.evaluate import Enclosure
from tamecheck.ir.formula import Elementary, Var, call, everywhere, when
from tamecheck.ir.op import Op, Pointwise, Regularity

X = Var(0)
HALF = Fraction(1, 2)


def wrong(op: Op, *pieces, domain=None, **changes) -> Sample:
    meaning = op.meaning
    if pieces:
        meaning = Pointwise(lambda _: pieces)
    if domain is not None:
        meaning = Pointwise(meaning.pieces, domain=lambda _: domain)
    params = {param.name: Fraction(0) for param in op.params}
    return Sample(replace(op, meaning=meaning, **changes), params)


PLANTED = {
    "a sign with two values at 0": (
        *("sign", (when(X <= 0, -1), when(X >= 0, 1)), {}),
        *(single_valued_and_total, "differ"),
    ),
    "a floor claimed continuous": (
        *("floor", (), {"regularity": Regularity()}),
        *(continuity_is_as_claimed, "jumps"),
    ),
    "a logarithm claimed defined at 0": (
        *("log", (), {"domain": X >= 0}),
        *(single_valued_and_total, "no value"),
    ),
    "an absolute value with a gap": (
        *("abs", (when(X > 0, X), when(X < 0, -X)), {}),
        *(single_valued_and_total, "no piece"),
    ),
    "a square root claimed Lipschitz": (
        *("sqrt", (), {"regularity": Regularity()}),
        *(continuity_is_as_claimed, "Lipschitz"),
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_wrong_op_is_caught(name):
    op, pieces, changes, law, words = PLANTED[name]
    with pytest.raises(LawError, match=words):
        law(wrong(ops.BY_NAME[op], *pieces, **changes))


def test_relu_with_a_wrong_sign():
    planted = wrong(ops.BY_NAME["relu"], when(X <= 0, 0), when(X >= 0, -X))
    with pytest.raises(LawError, match="value"):
        matches_reference(planted, REFERENCES["relu"], grid_arrays(planted))


def test_exp_claimed_discontinuous():
    planted = wrong(ops.BY_NAME["exp"], regularity=Regularity(continuous=False, lipschitz=False))
    assert not jumps(planted)


def test_domain_too_small():
    planted = wrong(ops.BY_NAME["relu"], domain=X > 0)
    point = [np.array([Fraction(-1)], dtype=object)]
    with pytest.raises(LawError, match="no enclosure"):
        encloses(planted, point, point)


def test_enclosure_too_small():
    values = values_at(Sample(ops.BY_NAME["exp"], {}), [np.array([HALF], dtype=object)])
    with pytest.raises(LawError, match="outside"):
        contains("exp", Enclosure(np.array([1.0]), np.array([1.5])), values)


def test_two_forms_that_disagree():
    exp = call(Elementary.EXP, X)
    planted = wrong(
        ops.BY_NAME["sigmoid"], when(X >= 0, Fraction(1) / (1 + exp)), when(X <= 0, exp / (1 + exp))
    )
    with pytest.raises(LawError):
        matches_reference(planted, REFERENCES["sigmoid"], grid_arrays(planted))
    shifted = wrong(ops.BY_NAME["exp"], *everywhere(exp), when(X >= 0, exp + HALF))
    with pytest.raises(LawError, match="differ"):
        single_valued_and_total(shifted)
