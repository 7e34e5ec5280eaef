"""Domains with constraints, beside all of their points: counts, rules, forms, explanations."""

import itertools
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from corpus import threshold_network

from tamecheck.budget import Budget
from tamecheck.cli import main
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.explain import Explainer, count_ball, count_within, domain_of, get_rules, sketch
from tamecheck.explain.check import Recomputation
from tamecheck.explain.constraints import constrain, read_constraint, suggest
from tamecheck.explain.domain import Constraint
from tamecheck.explain.telling import tell
from tamecheck.explain.words import Language


def network(rng, inputs, classes):
    widths = (int(rng.integers(1, 5)) for _ in range(int(rng.integers(0, 3))))
    return threshold_network(rng, inputs, widths, classes, weights=3, thresholds=3, readout=3)


def cube_of(rng, features):
    chosen = sorted(rng.choice(len(features), int(rng.integers(1, 4)), replace=False).tolist())
    sizes = [len(features[k].codes) for k in chosen]
    sets = [rng.choice(size, int(rng.integers(1, size + 1)), replace=False) for size in sizes]
    return tuple((k, tuple(sorted(one.tolist()))) for k, one in zip(chosen, sets, strict=True))


class Subject:
    """A random network on a random constrained domain, and all points that can occur."""

    def __init__(self, seed):
        self.rng = rng = np.random.default_rng(seed)
        self.network = network(rng, 8, int(rng.integers(2, 4)))
        free = domain_of(self.network, one_hot={"a": (0, 1, 2)}, thermometer={"b": (3, 4)})
        sizes = [len(f.codes) for f in free.features]
        codes = np.array(list(itertools.product(*map(range, sizes))))
        left = np.zeros(0)
        while not left.size:
            cubes = [cube_of(rng, free.features) for _ in range(int(rng.integers(1, 5)))]
            out = [np.all([np.isin(codes[:, k], s) for k, s in cube], axis=0) for cube in cubes]
            left = codes[~np.any(out, axis=0)]
        constraints = tuple(Constraint(f"c{k}", (cube,)) for k, cube in enumerate(cubes))
        self.domain, self.codes = replace(free, constraints=constraints), left
        self.states = np.array([free.states(row) for row in left.tolist()])
        self.decided = self.network.decide(self.states)

    def counts(self, where=slice(None)):
        return np.bincount(self.decided[where], minlength=self.network.classes).tolist()


def check_counts(one):
    sets = [sorted(set(one.rng.integers(len(f.codes), size=2))) for f in one.domain.features]
    inside = np.all([np.isin(one.codes[:, k], s) for k, s in enumerate(sets)], axis=0)
    assert one.domain.size == len(one.codes)
    assert list(count_within(one.network, one.domain, sets).lower) == one.counts(inside)
    for visits in (0, 2**20):
        again = Recomputation(one.network, one.domain, visits=visits)
        assert again.counts(sets) == one.counts(inside)
    centre = one.states[int(one.rng.integers(len(one.states)))]
    near = (one.states != centre).sum(axis=1) <= 2
    assert count_ball(one.network, one.domain, centre, 2) == one.counts(near)
    assert again.counts_in_ball(centre, 2) == one.counts(near)


def check_rules(one):
    points = len(one.codes)
    found, hit = get_rules(one.network, one.domain), np.zeros(points, dtype=bool)
    assert found.rests_on == "recomputation"
    for rule in found:
        meets = [np.isin(one.codes[:, part.feature], part.codes) for part in rule.conditions]
        holds = np.all(meets, axis=0) if meets else np.ones(points, dtype=bool)
        assert (one.decided[holds] == rule.then).all()
        assert rule.coverage == Fraction(int(holds.sum()), points)
        hit |= holds
    assert found.covered == Fraction(int(hit.sum()), points) == 1
    for form in (found.tree(), found.outline(), found.decision_list()):
        assert form is None or (form.decisions(one.codes) == one.decided).all()
    for most in (1, 12):
        told = tell(one.network, one.domain, most_conditions=most, budget=Budget.of(20))
        right = int((told.decisions(one.codes) == one.decided).sum())
        assert (told.right, told.rests_on) == (Fraction(right, points), "recomputation")
    few = sketch(one.network, one.domain, leaves=3)
    right = int((few.decide(one.codes) == one.decided).sum())
    assert few.proved == Fraction(right, points)


def check_explanations(one):
    explainer = Explainer.over(one.network, one.domain)
    place = int(one.rng.integers(len(one.codes)))
    x, features = one.network.point(one.states[place]), set(range(len(one.domain.features)))
    number = {f.name: k for k, f in enumerate(one.domain.features)}
    apart = one.codes != one.codes[place]
    other = one.decided != one.decided[place]

    def turns(free):
        return bool((other & ~apart[:, sorted(features - free)].any(axis=1)).any())

    reason = explainer.abductive(x)
    kept = {number[name] for name in reason.names}
    assert reason.checked
    assert not turns(features - kept)
    assert all(turns(features - kept | {k}) for k in kept)
    nearest = explainer.counterfactual(x)
    if not other.any():
        assert nearest is None
        return
    assert nearest.distance == apart[other].sum(axis=1).min()
    witness = np.array([[Fraction(v) for v in nearest.witness]], dtype=object)
    states = one.network.states(witness)[0]
    assert one.domain.holds(states)
    assert int(one.network.decide(states[None])[0]) == nearest.other != one.decided[place]
    assert explainer.relevancy(x).rests_on == "recomputation"


@pytest.mark.parametrize("check", [check_counts, check_rules, check_explanations])
def test_answers_are_about_what_can_occur(check):
    for seed in range(4):
        check(Subject(seed))


def test_constraints_in_words():
    made = network(np.random.default_rng(0), 6, 2)
    words = {3: ("age < 30", "age ≥ 30"), 4: ("age < 50", "age ≥ 50")}
    names = ["red", "green", "blue", "u", "v", "and or"]
    domain = domain_of(
        made, names=names, one_hot={"colour": (0, 1, 2)}, thermometer={"age": (3, 4)}, words=words
    )

    def forbidden(text):
        return set(read_constraint(text, Language(made, domain, names)).forbidden)

    assert forbidden("age ≥ 50 implies colour = red") == {((0, (1, 2)), (1, (2,)))}
    assert forbidden("age>=50 excludes colour=red or colour=blue") == {
        ((0, (0,)), (1, (2,))),
        ((0, (2,)), (1, (2,))),
    }
    assert forbidden("age ≥ 30 and age < 50 implies and or = 1") == {((1, (1,)), (2, (0,)))}
    # nothing is forbidden by what always holds
    assert forbidden("colour = red implies age < 50 or age ≥ 50") == set()
    with pytest.raises(InputError, match="not understood"):
        forbidden("age ≥ 50 means colour = red")
    with pytest.raises(InputError, match="not understood"):
        forbidden("age ≥ 51 implies colour = red")
    with pytest.raises(InputError, match="leave nothing"):
        constrain(domain, ["age < 50 excludes age < 50", "age ≥ 50 excludes age ≥ 50"], made)
    explainer = Explainer(made, names=list("abcdef"), constraints=["a = 1 implies b = 1"])
    assert explainer.domain.size == 48
    with pytest.raises(InputError, match="cannot occur by the constraint"):
        explainer.decide([1, -1, 1, 1, 1, 1])
    with pytest.raises(UnsupportedError, match="does not know constraints"):
        explainer.shapley([1, 1, 1, 1, 1, 1])


def test_what_a_table_suggests_holds_in_it():
    made = network(np.random.default_rng(0), 6, 2)
    domain = domain_of(made)
    rows = np.random.default_rng(1).integers(2, size=(200, 6))
    rows[rows[:, 0] == 1, 3] = 0
    found = suggest(domain, rows)
    assert [constraint.text for constraint in found] == ["x0 = 1 excludes x3 = 1"]
    assert replace(domain, constraints=found).possible(rows).all()
    assert suggest(domain, rows[:0]) == ()


def test_the_verbs_know_constraints(capsys, tmp_path):
    model = ["--expr", "sign(x0 + x1 + x2)", "--domain", "-1,1"]
    said = ["--constraint", "x0 = 1 implies x1 = 1"]
    assert main(["count", *model, *said, "-q"]) == 0
    assert capsys.readouterr().out == "3 3\n"
    assert main(["rules", *model, *said, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["domain"] == {"points": 6, "features": 3, "constraints": [said[1]]}
    assert found["form"]["conditions"] == 3
    assert main(["rules", *model, *said, "--form", "rules"]) == 0
    assert "if x0 = 1 then 1" in capsys.readouterr().out
    point = tmp_path / "x.json"
    point.write_text("[1, 1, -1]")
    assert main(["explain", *model, *said, "--input", str(point), "-q"]) == 0
    assert "if x0 = 1 then class 1" in capsys.readouterr().out
    point.write_text("[1, -1, -1]")
    assert main(["explain", *model, *said, "--input", str(point)]) == 2
    assert "cannot occur by the constraint" in capsys.readouterr().err
    rows = tmp_path / "rows.csv"
    rows.write_text("x0,x1,x2\n" + "1,-1,1\n-1,1,-1\n" * 20)
    assert main(["rules", *model, "--data", str(rows), "--constraint", "table", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["domain"]["points"] == 2
    assert "No row of the table breaks" in captured.err
    assert main(["count", *model, "--constraint", "table"]) == 2
    capsys.readouterr()
