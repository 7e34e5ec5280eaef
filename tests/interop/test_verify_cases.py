"""Properties that are easy to get wrong: thin, open, without a condition on the outputs."""

from fractions import Fraction

import pytest

import tamecheck as tc
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.verification import Holds, Violated, verify


@pytest.fixture
def cases(data):
    return data.parent / "cases" / "verify"


def answered(cases, name):
    graph = tc.load(cases / "lin.onnx").graph
    return verify(graph, read_vnnlib(cases / name), timeout=20)


def test_without_a_condition_on_the_outputs_any_point_of_the_box_is_unsafe(cases):
    answer = answered(cases, "no_output_constraint.vnnlib")
    assert isinstance(answer, Violated)
    assert (
        read_vnnlib(cases / "no_output_constraint.vnnlib").cases[0].contains(answer.witness.inputs)
    )


def test_a_supremum_that_an_open_box_does_not_attain_is_safe(cases):
    answer = answered(cases, "strict_input.vnnlib")
    assert isinstance(answer, Holds)
    assert answer.rests_on == "recomputation"


def test_an_equation_of_outputs_is_solved_exactly(cases):
    answer = answered(cases, "eq_output_thin.vnnlib")
    assert isinstance(answer, Violated)
    assert answer.witness.inputs == (Fraction(5, 21), Fraction(-2, 21))


@pytest.mark.parametrize("at_most", range(1, 7))
def test_networks_of_signs_with_few_inputs_are_searched(at_most, tmp_path):
    # the sum of signs is at most the number of inputs, and all of them attain it
    names = [f"x{i}" for i in range(at_most)]
    graph = tc.expression(" + ".join(f"sign({name})" for name in names)).graph
    lines = [f"(declare-const X_{i} Real)" for i in range(at_most)] + ["(declare-const Y_0 Real)"]
    lines += [f"(assert (>= X_{i} -1)) (assert (<= X_{i} 1))" for i in range(at_most)]
    for bound, kind in ((at_most, Violated), (at_most + 1, Holds)):
        path = tmp_path / "p.vnnlib"
        path.write_text("\n".join([*lines, f"(assert (>= Y_0 {bound}))"]))
        assert isinstance(verify(graph, read_vnnlib(path), timeout=20), kind)
