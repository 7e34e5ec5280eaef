"""Completions by multipliers and by splitting features, beside all completions."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from corpus import threshold_network

from tamecheck.errors import UnsupportedError
from tamecheck.explain import Explainer
from tamecheck.explain.completions import PRESENT, ascend, completions, sample
from tamecheck.explain.multipliers import Multipliers
from tamecheck.solvers.dense import deepest

GROUPS = ({}, {"one_hot": {"colour": [1, 2, 4]}, "thermometer": {"age": [0, 5, 7]}})


def problem_of(seed, inputs=9, largest=3):
    """A network, an input, some free features, their completions, and the classes of all."""
    rng = np.random.default_rng(seed)
    widths = rng.integers(3, 8, size=1 + seed % 3).tolist()
    sizes = dict.fromkeys(("weights", "thresholds", "readout", "offsets"), largest)
    network = threshold_network(rng, inputs, widths, 2 + seed % 3, **sizes, low=0)
    domain = Explainer(network, **GROUPS[seed % 2]).domain
    codes = [int(rng.integers(len(f.codes))) for f in domain.features]
    free = [k for k in range(len(codes)) if rng.random() < 0.7]
    others = [(k, c) for k in free for c in range(len(domain.features[k].codes)) if c != codes[k]]

    def states(columns):
        changed = list(codes)
        for k, c in columns:
            changed[k] = c
        return domain.states(changed)

    first = network.layers[0].weights
    base = first @ states([])
    changes = [first @ states([other]) - base for other in others]
    decision = int(network.decide(states([])[np.newaxis])[0])
    made = completions(
        network,
        decision,
        base,
        np.array(changes, dtype=float).reshape(len(others), -1),
        np.array([k for k, _ in others], dtype=np.int64),
    )
    options = [[None, *(o for o in others if o[0] == k)] for k in free]
    rows = [[o for o in chosen if o] for chosen in product(*options)]
    decided = network.decide(np.stack([states(row) for row in rows]))
    return (
        made,
        others,
        (lambda row: int(network.decide(states(row)[np.newaxis])[0])),
        decision,
        decided,
    )


@pytest.mark.parametrize("seed", range(48))
def test_a_completion_of_another_class_is_found_exactly_where_there_is_one(seed):
    made, others, decide, decision, decided = problem_of(seed)
    found = Multipliers(made).run()
    assert found.closed == bool((decided == decision).all())
    assert found.closed == (found.point is None)
    if found.point is not None:
        row = [others[c] for c in found.point if c != PRESENT]
        assert decide(row) != decision


@pytest.mark.parametrize("seed", range(32))
def test_a_search_goes_on_where_it_ended_while_features_are_taken_back(seed):
    made, others, decide, decision, _ = problem_of(seed)
    free = list(dict.fromkeys(k for k, _ in others))
    held = set()
    tree = Multipliers(made)
    for _ in range(10_000):
        found = tree.run(nodes=2)
        if found.closed:
            break
        if found.point is not None:
            taken = {int(made.owners[c]) for c in found.point if c != PRESENT}
            assert not taken & held
            assert decide([others[c] for c in found.point if c != PRESENT]) != decision
            if not taken:
                return
            held.add(max(taken))
            tree.fix(max(taken))
    left = [o for o in others if free.index(o[0]) not in held]
    options = [[None, *(o for o in left if o[0] == k)] for k in dict.fromkeys(k for k, _ in left)]
    for chosen in product(*options):
        assert decide([o for o in chosen if o]) == decision


@pytest.mark.parametrize("search", [sample, ascend])
def test_quick_searches_find_only_other_classes(search, monkeypatch):
    # climbing leaves problems of few features to others; here it must not
    monkeypatch.setattr("tamecheck.explain.completions._FEW", 0)
    hits = 0
    for seed in range(120):
        made, others, decide, decision, decided = problem_of(seed)
        found = search(made, np.random.default_rng(seed))
        if found is not None:
            assert decide([others[c] for c in found if c != PRESENT]) != decision
            hits += 1
        elif search is sample:
            assert (decided != decision).mean() <= 0.5
    assert hits > 30


def test_bounds_hold_for_any_multipliers():
    # weak duality: the bound of a rival is at least its lead in every completion
    for seed in range(40):
        made, *_ = problem_of(seed)
        rng = np.random.default_rng(seed)
        search = Multipliers(made)
        root = search._root()
        if not len(root) or not made.features:
            continue
        pieces, _ = search._pieces(root)
        taken = made.steepest(rng.standard_normal((500, len(made.owners))))
        states = np.where(made.sums(taken) >= 0, 1.0, -1.0)
        for layer in made.layers:
            states = np.where(layer.of(states) >= 0, 1.0, -1.0)
        most = made.margins.of(states).max(axis=0)[root.rival]
        for _ in range(5):
            steps = np.rint(rng.standard_normal(root.multipliers.shape) * 8)
            tried = replace(root, multipliers=steps * search._grid.unit)
            assert (search._bound(tried, pieces).value >= most).all()


def test_large_weights_are_refused_where_floats_would_round():
    with pytest.raises(UnsupportedError, match="too large"):
        Multipliers(problem_of(0, largest=2**45)[0])


def test_a_limit_of_nodes_is_no_answer():
    closed = 0
    for seed in range(60):
        made, *_ = problem_of(seed)
        found = Multipliers(made).run(nodes=0)
        assert found.point is None or not found.closed
        if found.closed:
            # bounds alone closed it
            assert not len(Multipliers(made)._root())
            closed += 1
    assert closed > 0


def test_multipliers_of_rows_show_that_no_point_has_them_all():
    # x >= 0.75 and x <= 0.25: the middle misses both by a quarter
    none = np.zeros((0, 1))
    box = np.zeros(1), np.ones(1)
    rows, least = np.array([[1.0], [-1.0]]), np.array([0.75, -0.25])
    point, multipliers = deepest(box, rows, least, none)
    assert point == pytest.approx([0.5])
    assert multipliers @ rows == pytest.approx([0.0])
    assert multipliers @ least > 0.2
    # x <= 1 by the cap, so x >= 0.5 has half to spare
    point, _ = deepest(box, rows[:1], np.array([0.5]), np.array([[1.0]]))
    assert point == pytest.approx([1.0])
