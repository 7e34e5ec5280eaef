"""Hamming balls through the public function: the majority of three inputs."""

from fractions import Fraction

import numpy as np
import pytest

from tamecheck.errors import InputError
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ops import BY_NAME
from tamecheck.verification import Holds, Unknown, Violated, hamming_distance, verify_hamming


@pytest.fixture
def majority():
    build = GraphBuilder()
    x = build.input("x", (1, 3))
    z = build.apply(BY_NAME["matmul"], [x, build.constant(np.ones((3, 1)))])
    return build.build({"y": build.apply(BY_NAME["sign"], [z], at_zero=Fraction(0))})


def test_one_flip_leaves_the_majority_and_two_change_it(majority):
    assert isinstance(verify_hamming(majority, [1, 1, 1], 1), Holds)
    answer = verify_hamming(majority, [1, 1, 1], 2)
    assert isinstance(answer, Violated)
    assert sorted(answer.witness.inputs) == [-1, -1, 1]
    assert answer.witness.outputs == (-1,)


def test_no_time_is_no_verdict(majority):
    answer = verify_hamming(majority, [1, 1, 1], 2, timeout=0)
    assert isinstance(answer, Unknown)
    assert answer.out_of_time


def test_a_point_off_the_levels_is_refused(majority):
    with pytest.raises(InputError, match="neither 0 nor 1"):
        verify_hamming(majority, [1, -1, 1], 1, domain=(Fraction(0), Fraction(1)))


def test_the_distance_is_two(majority):
    assert hamming_distance(majority, [Fraction(1)] * 3).upper == 2
