"""Fleming–Viot restarts: the invariants of the method, and maximum cuts that are known."""

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.learn.plateaus import BinaryWeights, MaxCut, random_regular
from tamecheck.learn.restarts import (
    Annealing,
    fleming_viot,
    geometric,
    independent,
    noisy_gradient,
    small_gradient,
)

TRIANGLE = MaxCut(3, ((0, 1), (1, 2), (0, 2)))
K4 = MaxCut(4, tuple((i, j) for i in range(4) for j in range(i)))
C5 = MaxCut(5, tuple((i, (i + 1) % 5) for i in range(5)))
PETERSEN = MaxCut(
    10,
    (
        *((i, (i + 1) % 5) for i in range(5)),
        *((i, i + 5) for i in range(5)),
        *((5 + i, 5 + (i + 2) % 5) for i in range(5)),
    ),
)
KNOWN = [(TRIANGLE, 2), (K4, 4), (C5, 4), (PETERSEN, 12)]
COOLING = geometric(1.5, 0.99)


class Line:
    """Cells 0 to 99 of height 5, but for a pit around cell 50 whose walls have slope 1."""

    def start(self, rng):
        return int(rng.integers(100))

    def propose(self, state, rng):
        return (state + int(rng.choice([-1, 1]))) % 100

    def value(self, state):
        return float(min(5, abs(state - 50)))

    def gradient_norm(self, state):
        around = [(state + d) % 100 for d in (-1, 1)]
        return max(abs(self.value(x) - self.value(state)) for x in around)


@pytest.mark.parametrize(("graph", "best"), KNOWN, ids=["triangle", "K4", "C5", "Petersen"])
def test_maximum_cuts_that_are_known(graph, best):
    assert graph.largest() == best
    annealing = Annealing(5, 500, COOLING, target=-best)
    found = fleming_viot(graph, small_gradient(graph.gradient_norm), annealing)
    assert found.reached
    assert graph.cut(found.best) == best


def test_one_particle_is_plain_annealing():
    """Where its state is flat and no other particle is there, it starts again instead."""
    annealing = Annealing(1, 300, COOLING, seed=4)
    plain = independent(PETERSEN, annealing)
    together = fleming_viot(PETERSEN, lambda _: False, annealing)
    assert plain.value == together.value
    assert np.array_equal(plain.states[0], together.states[0])


def test_without_plateaus_the_particles_are_independent_move_for_move():
    annealing = Annealing(6, 200, geometric(1.0, 0.99), seed=7)
    # in the Petersen graph some vertex always has an odd number of cut edges: no state is flat
    together = fleming_viot(PETERSEN, small_gradient(PETERSEN.gradient_norm), annealing)
    alone = independent(PETERSEN, annealing)
    assert together.regenerations == 0
    assert all(map(np.array_equal, together.states, alone.states))


def test_all_particles_sit_in_the_active_set_after_regeneration():
    """A plateau everywhere but around one cell."""
    line = Line()
    flat = small_gradient(line.gradient_norm)
    annealing = Annealing(20, 60, lambda _: 0.05, seed=1)
    found = fleming_viot(line, flat, annealing)
    assert found.regenerations > 0
    assert not any(flat(state) for state in found.states)
    assert any(flat(state) for state in independent(line, annealing).states)


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    line = Line()
    runs = [
        fleming_viot(line, small_gradient(line.gradient_norm), Annealing(5, 30, COOLING, seed=s))
        for s in (3, 3, 4)
    ]
    assert runs[0] == runs[1]
    assert runs[0].states != runs[2].states


def test_plateaus_cost_independent_searches_more_steps():
    """Expected steps, over 30 seeds: the claim of Mastropietro et al. 2024 on a plateau."""
    line = Line()
    flat = small_gradient(line.gradient_norm)
    steps = {"alone": 0, "together": 0}
    for seed in range(30):
        annealing = Annealing(4, 2000, lambda _: 0.3, target=0, seed=seed)
        steps["alone"] += independent(line, annealing).steps
        steps["together"] += fleming_viot(line, flat, annealing).steps
    assert steps["together"] < steps["alone"]


def test_levels_make_plateaus_and_keep_the_best_cut():
    level = MaxCut(10, PETERSEN.edges, level=10)
    low = np.ones(10, dtype=np.int8)
    assert level.value(low) == -10
    assert level.gradient_norm(low) == 0
    assert PETERSEN.gradient_norm(low) == 3


def test_the_gradient_of_a_cut_is_the_largest_change_of_a_move():
    rng = np.random.default_rng(0)
    for _ in range(20):
        state = PETERSEN.start(rng)
        changes = []
        for vertex in range(10):
            moved = state.copy()
            moved[vertex] *= -1
            changes.append(abs(PETERSEN.value(moved) - PETERSEN.value(state)))
        assert PETERSEN.gradient_norm(state) == max(changes)


def test_noise_absorbs_where_it_exceeds_the_signal():
    assert noisy_gradient(lambda _: [1.0, -1.0, 0.5, -0.5])(None)
    assert not noisy_gradient(lambda _: [1.0, 1.1, 0.9])(None)
    assert noisy_gradient(lambda _: [1.0])(None)


def test_integer_weights_are_found_without_a_gradient():
    x = np.array([[-1.0, -1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, 1]])
    search = BinaryWeights(x, np.array([0, 1, 1, 1]), (3, 3, 2))
    annealing = Annealing(6, 400, geometric(1.0, 0.99), target=0)
    found = fleming_viot(search, small_gradient(search.gradient_norm), annealing)
    assert found.reached
    assert search.network(found.best).decide(x).tolist() == [0, 1, 1, 1]
    assert {layer.kind for layer in search.network(found.best).layers} == {"binary"}


def test_random_regular_graphs_are_regular_and_simple():
    edges = random_regular(20, 3, seed=1)
    assert len(set(edges)) == 30
    assert set(np.bincount(np.array(edges).reshape(-1)).tolist()) == {3}
    assert all(u < v for u, v in edges)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Annealing(0, 5, COOLING), "one particle"),
        (lambda: MaxCut(2, ((0, 2),)), "two different vertices"),
        (lambda: MaxCut(2, ((1, 1),)), "two different vertices"),
        (lambda: random_regular(5, 3, 0), "no 3-regular graph"),
        (lambda: MaxCut(40, ()).largest(), "too many"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(tc.InputError, match=words):
        make()
