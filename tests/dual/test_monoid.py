"""Generator functions of programs over the mixed-integer points of a cone."""

from __future__ import annotations

import json
import math
import random
from fractions import Fraction as Q
from itertools import product

import pytest

from tamecheck.budget import Budget
from tamecheck.cli.entry import main
from tamecheck.duality import dual, normalise
from tamecheck.duality.generator.dual import generator_dual
from tamecheck.duality.generator.monoid import cone_positions, extreme_rays, is_bounded
from tamecheck.duality.generator.monoid import strict_point as find_strict_point
from tamecheck.errors import DomainError, InputError, TamecheckError
from tamecheck.ir.program import Column, Kind, Program, Row

WHOLE, REAL = Kind.INTEGER, Kind.CONTINUOUS
PROOFS = ("columns", "at_zero", "subadditive", "monotone")


def column(name, cost, kind=REAL, low=None):
    return Column(name, low, None, kind, Q(cost))


def row(name, terms, low, high):
    ends = (None if end is None else Q(end) for end in (low, high))
    return Row(name, tuple((j, Q(a)) for j, a in terms.items() if a), *ends)


def distance(u, v):
    """Min t with (t - u, x - v) in the cone w1 >= |w2| and an integer x: z = u + dist(v, Z)."""
    columns = column("t", 1), column("x", 0, WHOLE), column("w1", 0), column("w2", 0)
    return Program(
        columns,
        (
            row("u", {0: 1, 2: -1}, u, u),
            row("v", {1: 1, 3: -1}, v, v),
            row("k1", {2: 1, 3: -1}, 0, None),
            row("k2", {2: 1, 3: 1}, 0, None),
        ),
    )


def test_two_rows_over_a_lorentz_cone_by_hand():
    found = generator_dual(distance(0, Q(1, 2)), cone=["k1", "k2"])
    assert found.strong
    assert found.dual_value == Q(1, 2)
    assert all(found.checks[name].status for name in PROOFS)
    for u, v in product((Q(-1), Q(0), Q(2, 3)), (Q(-3, 4), Q(0), Q(1, 3), Q(1, 2), Q(7, 5))):
        nearest = min(v - math.floor(v), math.ceil(v) - v)
        assert found({"u": u, "v": v}) <= u + nearest
    conditions = {name: item.status for name, item in found.conditions().items()}
    assert conditions == {
        "feasible": True,
        "dual_feasible": True,
        "strictly_feasible": True,
        "bounded": False,
        "strong_duality": True,
    }
    # the relaxation has the value 0, which is what multipliers alone prove
    weak = generator_dual(distance(0, Q(1, 2)), cone=["k1", "k2"], alpha=[1, 0, Q(1, 2), Q(1, 2)])
    assert weak.dual_value == 0
    assert weak.gap == Q(1, 2)


def test_extreme_rays_of_a_cone():
    form = normalise(
        Program(
            (column("x", 1, WHOLE, Q(0)), column("y", 1, WHOLE, Q(0))),
            (row("k", {0: 2, 1: -3}, 0, None), row("b", {0: 1}, 1, None)),
        )
    )
    cone = cone_positions(form, ["k"])
    assert sorted(extreme_rays(form, cone)) == [(1, 0), (3, 2)]
    assert not is_bounded(form)
    assert find_strict_point(form, Budget.of(5))[0] is True


def random_program(seed):
    """Equations over a random cone, costs that multipliers bound, and points of the monoid."""
    rng = random.Random(seed)
    size = rng.randint(2, 3)
    kinds = [WHOLE, *(rng.choice([WHOLE, REAL]) for _ in range(size - 1))]
    a = [rng.randint(-3, 4) for _ in range(size)]
    h = [rng.randint(-2, 3) for _ in range(size)]
    y, w = rng.randint(-2, 2), rng.randint(0, 2)
    free = [rng.random() < 0.3 for _ in range(size)]
    extra = [0 if own else rng.randint(0, 3) for own in free]
    costs = [y * p + w * q + e for p, q, e in zip(a, h, extra, strict=True)]
    points = []
    while len(points) < 12:
        x = [Q(rng.randint(-3 if own else 0, 4)) for own in free]
        if sum(p * v for p, v in zip(h, x, strict=True)) >= 0:
            points.append(x)
    b = sum(p * v for p, v in zip(a, points[0], strict=True))
    columns = [
        column(f"x{j}", c, kind, None if own else Q(0))
        for j, (c, kind, own) in enumerate(zip(costs, kinds, free, strict=True))
    ]
    rows = row("b", dict(enumerate(a)), b, b), row("k", dict(enumerate(h)), 0, None)
    return Program(tuple(columns), rows), a, costs, points


def judge(seed, residual):
    program, a, costs, points = random_program(seed)
    found = generator_dual(program, cone=["k"], residual=residual, seconds=10)
    assert all(found.checks[name].status is True for name in PROOFS)
    assert found.conditions()["strong_duality"].status is True
    assert found.strong
    for x in points:
        d = sum(p * v for p, v in zip(a, x, strict=True))
        try:
            value = found({"b": d})
        except TamecheckError as error:
            assert "not decided in time" in str(error)  # noqa: PT017 (some of many)
            continue
        assert value <= sum(c * v for c, v in zip(costs, x, strict=True))


@pytest.mark.parametrize("seed", [0, 1, 3])
@pytest.mark.parametrize("residual", ["cone", "monoid"])
def test_random_cones(seed, residual):
    judge(seed, residual)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 10))
def test_more_random_cones(seed):
    judge(seed, "monoid" if seed % 3 == 0 else "cone")


def test_strong_duality_is_not_claimed_without_its_hypotheses():
    # -x over x >= y, no bound on x: no multipliers
    unbounded = Program(
        (column("x", -1, WHOLE, Q(0)), column("y", 0, WHOLE, Q(0))),
        (row("b", {1: 1}, 1, 1), row("k", {0: 1, 1: -1}, 0, None)),
    )
    with pytest.raises(DomainError, match="infeasible, so that there is no dual function"):
        generator_dual(unbounded, cone=["k"])
    # the only points have y = 0: none is strict
    flat = Program(
        (column("x", 1, WHOLE, Q(0)), column("y", 1, REAL, Q(0))),
        (row("b", {0: 1}, 1, 1), row("k", {1: -1}, 0, None)),
    )
    found = generator_dual(flat, cone=["k"])
    assert found.conditions()["strictly_feasible"].status is False
    assert found.conditions()["strong_duality"].status is True
    knapsack = dual(distance(0, Q(1, 2)), "generator")
    assert knapsack.conditions()["bounded"].status is False


@pytest.mark.parametrize(
    ("cone", "options", "words"),
    [
        (["q"], {}, "no row 'q'"),
        (["v"], {}, "right-hand side 0"),
        (["k1"], {"residual": "orthant"}, "residuals cone and monoid"),
    ],
)
def test_cones_that_are_none(cone, options, words):
    with pytest.raises(InputError, match=words):
        generator_dual(distance(0, Q(1, 2)), cone=cone, **options)


def test_bounds_of_variables_are_no_cone():
    boxed = Program(
        (Column("x", Q(0), Q(3), WHOLE, Q(1)), column("y", 1, WHOLE, Q(0))),
        (row("b", {0: 1, 1: 1}, 1, None), row("k", {0: 1, 1: -1}, 0, None)),
    )
    with pytest.raises(InputError, match="column 'x'"):
        generator_dual(boxed, cone=["k"])


def test_command_line(tmp_path, capsys):
    path = tmp_path / "p.lp"
    path.write_text(
        "Minimize\n o: x + y\nSubject To\n b: x + 2 y = 3\n k: x - y >= 0\nGeneral\n x y\nEnd\n"
    )
    arguments = ["dual", str(path), "--method", "generator", "--cone", "k"]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["optimum"] == "2"
    assert found["strong"] is True
    assert found["conditions"]["strong_duality"] is True
    assert main(arguments) == 0
    assert "strong duality" in capsys.readouterr().out
    assert main(["dual", str(path), "--cone", "k"]) == 2
    assert "belongs to the method" in capsys.readouterr().err
