"""Every op in ALL obeys every law."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_laws import (
    continuity_is_as_claimed,
    encloses,
    grid_arrays,
    jumps,
    matches_reference,
    one_term_for_all,
    single_valued_and_total,
    values_at,
)
from op_samples import FINE, REFERENCES, SAMPLES, Sample

from tamecheck.ops import ALL

POINTWISE = [sample for sample in SAMPLES if sample.pointwise]
OTHERS = [sample for sample in SAMPLES if not sample.pointwise]
WIDE = st.one_of(
    st.sampled_from(FINE), st.fractions(min_value=-40, max_value=40, max_denominator=64)
)


def tensor(data, shape, values=WIDE):
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        array[index] = data.draw(values)
    return array


def test_every_op_has_samples_and_a_reference():
    assert {sample.op.name for sample in SAMPLES} == {op.name for op in ALL}
    assert set(REFERENCES) == {op.name for op in ALL}


@pytest.mark.parametrize("sample", POINTWISE, ids=str)
def test_graph_is_single_valued_and_total(sample):
    single_valued_and_total(sample)


@pytest.mark.parametrize("sample", POINTWISE, ids=str)
def test_one_term_for_all_arguments_is_the_function(sample):
    one_term_for_all(sample)


@pytest.mark.parametrize("sample", POINTWISE, ids=str)
def test_values_match_a_reference_on_the_grid(sample):
    matches_reference(sample, REFERENCES[sample.op.name], grid_arrays(sample))


@pytest.mark.parametrize("sample", OTHERS, ids=str)
@settings(max_examples=10)
@given(data=st.data())
def test_tensor_ops_match_a_reference(sample, data):
    dyadic = st.integers(-24, 24).map(lambda n: Fraction(n, 8))
    args = [tensor(data, shape, dyadic) for shape in sample.shapes]
    if sample.indices:
        args[1] = np.array(sample.indices)
    matches_reference(sample, REFERENCES[sample.op.name], args)


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
@settings(max_examples=7)
@given(data=st.data())
def test_enclosure_contains_exact_values(sample, data):
    shapes = sample.shapes or ((3,),) * (sample.op.arity or 1)
    ends = [(tensor(data, shape), tensor(data, shape)) for shape in shapes]
    lower = [np.minimum(a, b) for a, b in ends]
    upper = [np.maximum(a, b) for a, b in ends]
    if sample.pointwise:
        lower, upper = into_domain(sample, lower, upper)
    encloses(sample, lower, upper)


def into_domain(sample: Sample, lower, upper):
    """Most boxes leave a small domain: the boxes are moved into it where that is simple."""
    ranges = {
        "log": (Fraction(1, 64), None), "sqrt": (Fraction(0), None), "acosh": (Fraction(1), None),
        "asin": (Fraction(-1), Fraction(1)), "acos": (Fraction(-1), Fraction(1)),
        "atanh": (Fraction(-63, 64), Fraction(63, 64)), "tan": (Fraction(-3, 2), Fraction(3, 2)),
    }  # fmt: skip
    low, high = ranges.get(sample.op.name, (None, None))
    args = range(len(lower))
    if sample.op.name == "pow":
        exponent = sample.params["exponent"]
        low = Fraction(1, 64) if exponent < 0 or exponent.denominator > 1 else None
    if sample.op.name == "power":
        low, args = Fraction(1, 64), range(1)
    if sample.op.name == "div":
        low, args = Fraction(1, 64), range(1, 2)
    for i in args:
        if low is not None:
            lower[i], upper[i] = np.maximum(lower[i], low), np.maximum(upper[i], low)
        if high is not None:
            lower[i], upper[i] = np.minimum(lower[i], high), np.minimum(upper[i], high)
    return lower, upper


@pytest.mark.parametrize("sample", POINTWISE, ids=str)
def test_continuity_and_lipschitz_claims(sample):
    continuity_is_as_claimed(sample)


@pytest.mark.parametrize(
    "op", [s.op for s in {s.op.name: s for s in POINTWISE}.values()], ids=lambda op: op.name
)
def test_discontinuous_ops_jump_for_some_parameters(op):
    if not op.regularity.continuous:
        assert any(jumps(sample) for sample in POINTWISE if sample.op is op)


@pytest.mark.parametrize(
    ("name", "axis"), [("argmax", "axis"), ("argmin", "axis"), ("argsort", "axis")]
)
def test_selections_jump(name, axis):
    sample = next(s for s in OTHERS if s.op.name == name and s.params[axis] == 1)
    tied = np.array([[Fraction(0)] * 4] * 2, dtype=object)
    values = [
        values_at(sample, [tied + np.array([0, h, 0, 0], dtype=object)])
        for h in (Fraction(-1, 2**60), Fraction(1, 2**60))
    ]
    assert not sample.op.regularity.continuous
    assert (values[0] != values[1]).any()
