"""Trees of integer forms: optima, functions of their leaves, and leaves that prove nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction as Q

import pytest
from random_programs import exhaustive, random_program

from tamecheck.budget import Budget
from tamecheck.duality import dual, normalise
from tamecheck.duality.proof import settle_by_splits
from tamecheck.duality.splits import Division, Leaf, leaf_functions, split_tree
from tamecheck.ir.program import Column, Kind, Program, Row


def ties():
    """The optimal face of the relaxation goes on for ever and has no integer point."""
    columns = tuple(Column(f"x{j}", kind=Kind.INTEGER, cost=Q(c)) for j, c in enumerate((-2, 7, 4)))
    return Program(columns, (Row("r", ((0, Q(-1)), (1, Q(3, 2)), (2, Q(2))), Q(-7, 2), None),))


def test_a_tree_of_integer_forms_ends_where_branching_on_variables_does_not():
    found = dual(ties(), "tree", seconds=20)
    assert found.strong
    assert found.dual_value == -6
    assert found.formula == "max(2*r, min(4*r + 8, -6))"
    rng = random.Random(1)
    for _ in range(40):
        x = [Q(rng.randint(0, 6)) for _ in range(3)]
        assert found([ties().rows[0].value(x)]) <= ties().objective(x)


@pytest.mark.parametrize("seed", range(12))
def test_leaves_bound_random_programs_at_every_right_hand_side(seed):
    form = normalise(random_program(seed))
    tree = split_tree(form, Budget.of(20))
    assert tree is not None
    assert tree.closed
    assert tree.value == exhaustive(form, form.right)
    leaves = leaf_functions(form, tree.nodes)
    rng = random.Random(seed)
    for k in range(6):
        moved = [d + (Q(rng.randint(-3, 3), 2) if k else 0) for d in form.right]
        if any(leaf.empty and leaf(moved) <= 0 for leaf in leaves):
            continue
        value = exhaustive(form, moved)
        bounds = [leaf(moved) for leaf in leaves if not leaf.empty]
        assert value is None or min(bounds) <= value


def test_multipliers_that_do_not_bound_a_leaf_are_found():
    form = normalise(ties())
    tree = split_tree(form, Budget.of(20))
    assert any(isinstance(node, Division) for node in tree.nodes)
    for k, node in enumerate(tree.nodes):
        if isinstance(node, Leaf):
            more = replace(node, multipliers=tuple(-y for y in node.multipliers))
            with pytest.raises(AssertionError):
                leaf_functions(form, (*tree.nodes[:k], more, *tree.nodes[k + 1 :]))


def test_an_empty_strip_beside_a_continuous_column_is_settled():
    # 2x - 2y between 1/2 and 3/2 with a rest below 1/4: cuts are for pure programs only
    columns = (
        Column("x", kind=Kind.INTEGER, cost=Q(1)),
        Column("y", kind=Kind.INTEGER, cost=Q(1)),
        Column("t", upper=Q(1, 4), cost=Q(1)),
    )
    terms = ((0, Q(2)), (1, Q(-2)), (2, Q(1)))
    rows = Row("low", terms, Q(3, 4), None), Row("high", terms, None, Q(5, 4))
    form = normalise(Program(columns, rows))
    value, point, _ = settle_by_splits(form, Budget.of(20))
    assert (value, point) == (float("inf"), None)


def test_a_form_joins_variables_across_a_split():
    # 30 x - y has to be an integer: branching on x and y alone goes on along the tie
    columns = (
        Column("x", None, None, Kind.INTEGER, Q(-12)),
        Column("y", None, None, Kind.INTEGER, Q(2, 5)),
    )
    row = Row("r", ((0, Q(-6)), (1, Q(1, 5))), Q(-368, 15), None)
    tree = split_tree(normalise(Program(columns, (row,))), Budget.of(20))
    assert tree.closed
    assert tree.value == Q(-244, 5)
    assert len(tree.nodes) < 20
