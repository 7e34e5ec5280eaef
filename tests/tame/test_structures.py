"""The order of structures, and the joins that it lists."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.ir.structure import Structure, join, join_all, minimal

S = Structure
antichains = st.sets(st.sampled_from(list(Structure))).map(minimal)


def test_order_is_reflexive_antisymmetric_and_transitive():
    for a, b, c in product(Structure, repeat=3):
        assert a <= Structure(a.value)
        assert not (a <= b <= a) or a is b
        assert not (a <= b <= c) or a <= c


def test_restricted_analytic_and_exponential_are_not_comparable():
    assert not S.AN <= S.EXP
    assert not S.EXP <= S.AN
    assert join((S.AN,), (S.EXP,)) == (S.AN_EXP,)


def test_integers_join_with_rational_slopes_only():
    assert join((S.LOCAL,), (S.RATIONAL_SEMILINEAR,)) == (S.LOCAL,)
    assert join((S.LOCAL,), (S.SEMILINEAR,)) == ()
    assert join((S.LOCAL,), (S.SEMIALGEBRAIC,)) == ()


def test_alternatives_survive_a_join_only_where_both_sides_allow_them():
    assert join((S.AN, S.EXP), (S.SEMILINEAR,)) == (S.AN, S.EXP)
    assert join((S.AN, S.EXP), (S.AN,)) == (S.AN,)
    assert join((S.AN, S.EXP), (S.PFAFFIAN,)) == (S.PFAFFIAN,)


def test_join_of_nothing_is_the_bottom():
    assert join_all([]) == (S.RATIONAL_SEMILINEAR,)


@given(antichains, antichains, antichains)
def test_join_is_a_semilattice(a, b, c):
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a


@pytest.mark.parametrize("structure", list(Structure))
def test_every_structure_names_its_source(structure):
    assert structure.source
    assert structure.symbol
    assert structure.adds
