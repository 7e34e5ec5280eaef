"""The recomputation against enumeration, and against statements that are false by construction."""

from itertools import combinations, product

import numpy as np
import pytest
from corpus import threshold_network

from tamecheck.errors import SolverError
from tamecheck.explain.check import RECOMPUTED, Recomputation, confirm
from tamecheck.explain.check_parts import (
    TooManyPartsError,
    are_minimal_hitting_sets,
    has_hitting_set,
    points_in_union,
)
from tamecheck.explain.domain import domain_of


def network(rng, *, inputs=8, layers=None, classes=None):
    widths = rng.integers(1, 5, size=rng.integers(0, 3)) if layers is None else layers
    return threshold_network(rng, inputs, widths, classes or (lambda: rng.integers(2, 5)))


def domain(rng, net):
    groups = {"one_hot": {"kind": (0, 1, 2)}, "thermometer": {"size": (3, 4)}}
    chosen = {name: group for name, group in groups.items() if rng.random() < 0.5}
    return domain_of(net, **chosen)


def points(dom, allowed=None):
    sizes = [range(len(f.codes)) for f in dom.features] if allowed is None else allowed
    return [(codes, dom.states(codes)) for codes in product(*sizes)]


def classes_of(net, dom, allowed=None):
    every = points(dom, allowed)
    decided = net.decide(np.array([s for _, s in every]))
    return {codes: int(c) for (codes, _), c in zip(every, decided, strict=True)}


@pytest.mark.parametrize("seed", range(24))
def test_counts_are_those_of_enumeration(seed):
    rng = np.random.default_rng(seed)
    net = network(rng)
    dom = domain(rng, net)
    allowed = [
        sorted(rng.choice(len(f.codes), size=rng.integers(1, len(f.codes) + 1), replace=False))
        for f in dom.features
    ]
    decided = classes_of(net, dom, allowed)
    counts = [sum(c == k for c in decided.values()) for k in range(net.classes)]
    assert Recomputation(net, dom).counts(allowed) == counts

    centre = tuple(codes[0] for codes in allowed)
    costs = rng.integers(1, 4, size=(len(dom.features), 8))
    budget = int(rng.integers(0, 6))

    def cost(k, code):
        return 0 if code == centre[k] else int(costs[k, code])

    near = [0] * net.classes
    for codes, decision in decided.items():
        near[decision] += sum(map(cost, range(len(codes)), codes)) <= budget
    assert Recomputation(net, dom).counts(allowed, within=(cost, budget)) == near


@pytest.mark.parametrize("seed", range(16))
def test_statements_are_judged_as_by_their_definition(seed):
    rng = np.random.default_rng(seed)
    net = network(rng, inputs=6)
    dom = domain(rng, net)
    decided = classes_of(net, dom)
    codes = list(decided)[rng.integers(len(decided))]
    again, size = Recomputation(net, dom), len(codes)

    def constant(free):
        return all(
            c == decided[codes]
            for other, c in decided.items()
            if all(other[k] == codes[k] for k in range(size) if k not in free)
        )

    for _ in range(6):
        kept = set(rng.choice(size, size=rng.integers(0, size + 1), replace=False).tolist())
        free = set(range(size)) - kept
        least = all(not constant(free | {k}) for k in kept)
        for minimal, true in ((False, constant(free)), (True, constant(free) and least)):
            assert again.is_reason(codes, sorted(kept), minimal=minimal) is true
        cube = {k: (codes[k],) for k in kept}
        assert again.is_rule(cube, decided[codes]) is constant(free)

    for _ in range(6):
        changed = set(rng.choice(size, size=rng.integers(0, size + 1), replace=False).tolist())
        least = not constant(changed) and all(constant(changed - {k}) for k in changed)
        assert again.is_contrast(codes, sorted(changed)) is least
        target = None if rng.random() < 0.5 else int(rng.integers(net.classes))
        near = any(
            (c != decided[codes] if target is None else c == target)
            and sum(a != b for a, b in zip(codes, point, strict=True)) <= len(changed)
            for point, c in decided.items()
        )
        within = (lambda k, c: int(c != codes[k]), len(changed))
        every = [range(len(f.codes)) for f in dom.features]
        assert again.is_out_of_reach(codes, every, within=within, target=target) is not near

    subsets = [set(s) for n in range(size + 1) for s in combinations(range(size), n)]
    reasons = [s for s in subsets if constant(set(range(size)) - s)]
    reasons = [sorted(s) for s in reasons if not any(r < s for r in reasons)]
    contrasts = [s for s in subsets if not constant(s)]
    contrasts = [sorted(s) for s in contrasts if not any(c < s for c in contrasts)]
    assert again.is_enumeration(codes, reasons, contrasts) is True
    for k in range(len(reasons)):
        assert again.is_enumeration(codes, reasons[:k] + reasons[k + 1 :], contrasts) is False


def test_counts_by_division_are_those_of_merging(monkeypatch):
    rng = np.random.default_rng(5)
    net = network(rng, inputs=9, layers=[3], classes=3)
    again = Recomputation(net, domain_of(net))
    within = (lambda k, code: code + (k == 2), 4)
    merged = again.counts(), again.counts(within=within)

    def refused(*_):
        raise TooManyPartsError("too many")

    monkeypatch.setattr("tamecheck.explain.check.count_merged", refused)
    assert (again.counts(), again.counts(within=within)) == merged


def test_what_takes_too_many_parts_is_open():
    rng = np.random.default_rng(0)
    net = network(rng, inputs=30, layers=[12], classes=2)
    dom = domain_of(net)
    every = [range(2)] * 30
    assert Recomputation(net, dom, most=50).counts(every) is None


def test_a_contradicted_answer_is_not_given():
    yes, no = True, False
    assert confirm(yes, "this", "search") == RECOMPUTED
    assert confirm(None, "this", "search") == "search"
    with pytest.raises(SolverError, match="contradicts"):
        confirm(no, "this", "search")


@pytest.mark.parametrize("seed", range(12))
def test_rules_and_tables_are_those_of_enumeration(seed):
    rng = np.random.default_rng(seed)
    net = network(rng, inputs=6)
    dom = domain(rng, net)
    decided, again = classes_of(net, dom), Recomputation(net, dom)
    varying = [k for k, f in enumerate(dom.features) if len(f.codes) > 1]
    table = again.table()
    for codes, decision in decided.items():
        assert table[tuple(codes[k] for k in varying)] == decision

    cubes = []
    for _ in range(8):
        codes = list(decided)[rng.integers(len(decided))]
        kept = rng.choice(len(codes), size=rng.integers(0, len(codes) + 1), replace=False)
        cubes.append(({int(k): (codes[k],) for k in kept}, decided[codes]))
    inside = {
        codes for codes in decided
        if any(all(codes[k] in v for k, v in cube.items()) for cube, _ in cubes)
    }  # fmt: skip
    sizes = [len(f.codes) for f in dom.features]
    assert points_in_union([cube for cube, _ in cubes], sizes) == len(inside)
    right = all(
        decided[codes] == decision
        for cube, decision in cubes
        for codes in decided
        if all(codes[k] in v for k, v in cube.items())
    )
    assert again.are_rules(cubes, len(inside)) is right
    assert again.are_rules(cubes, len(inside) + 1) is False

    states = dom.states(next(iter(decided)))
    near = [0] * net.classes
    for codes, decision in decided.items():
        near[decision] += np.count_nonzero(dom.states(codes) != states) <= 2
    assert again.counts_in_ball(states, 2) == near


@pytest.mark.parametrize("seed", range(12))
def test_hitting_sets_are_those_of_enumeration(seed):
    rng = np.random.default_rng(seed)
    family = [
        set(rng.choice(6, size=rng.integers(1, 4), replace=False).tolist())
        for _ in range(rng.integers(0, 6))
    ]
    subsets = [set(s) for n in range(7) for s in combinations(range(6), n)]
    hitting = [s for s in subsets if all(s & one for one in family)]
    least = [s for s in hitting if not any(h < s for h in hitting)]
    assert are_minimal_hitting_sets(least, family) is True
    assert are_minimal_hitting_sets(least[1:], family) is False
    size = min(map(len, hitting))
    assert has_hitting_set(family, size) is True
    assert has_hitting_set(family, size - 1) is False
