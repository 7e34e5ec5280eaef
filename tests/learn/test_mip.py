"""MIP training: optima against brute force over all networks, bounds, and what they rest on."""

import itertools
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import tamecheck as tc
from tamecheck.budget import Budget
from tamecheck.ir.answer import Optimal
from tamecheck.learn.effort import Effort
from tamecheck.learn.estimator import TrainingSet
from tamecheck.learn.mip.encoding import Encoding, Objective, lift
from tamecheck.learn.mip.enumeration import best_pair, enumerate_networks
from tamecheck.learn.mip.local_search import anneal
from tamecheck.learn.mip.task import (
    Architecture,
    errors_of,
    hinge_of,
    least_margins,
    network_of,
    task_of,
    weight_of,
)

SQUARE = np.array(list(itertools.product((-1, 1), repeat=2)))
CUBE = np.array(list(itertools.product((-1, 1), repeat=3)))
TABLES = {
    "xor": (SQUARE, SQUARE.prod(axis=1) < 0),
    "and": (SQUARE, SQUARE.sum(axis=1) == 2),
    "or": (SQUARE, SQUARE.sum(axis=1) > -2),
    "parity": (CUBE, CUBE.prod(axis=1) > 0),
}


def fewest_errors(x, y, hidden, values, bias):
    """Every network of one hidden layer, one after the other, with sign(0) = 1."""
    shifts = np.arange(-4, 4.5, 0.5) if bias else [0]
    neurons = {
        tuple(np.where(x @ np.array(w) + b >= 0, 1, -1))
        for w in itertools.product(values, repeat=x.shape[1])
        for b in shifts
    }
    best = len(y)
    for chosen in itertools.combinations_with_replacement(sorted(neurons), hidden):
        bits = np.array(chosen).T
        for v in itertools.product(values, repeat=hidden):
            for b in shifts:
                best = min(best, int((((bits @ np.array(v) + b) >= 0) != y).sum()))
    return best


@pytest.mark.slow
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("weights", ["binary", "ternary"])
@pytest.mark.parametrize("hidden", [1, 2])
@pytest.mark.parametrize("name", TABLES)
def test_the_optimum_is_that_of_brute_force(name, hidden, weights, bias):
    x, y = TABLES[name]
    values = (-1, 1) if weights == "binary" else (-1, 0, 1)
    classifier = tc.learn.MIPBinarizedClassifier(
        (hidden,), weights=weights, bias=bias, random_state=0
    ).fit(x, y)
    assert classifier.optimal_
    assert classifier.checked_
    assert classifier.loss_ == classifier.bound_ == fewest_errors(x, y, hidden, values, bias)
    assert (classifier.predict(x) != y).sum() == classifier.loss_
    assert classifier.proof_ in {"trivial", "enumeration"}


@pytest.mark.parametrize("weights", ["binary", "ternary", "real"])
def test_two_solvers_agree_with_enumeration(weights):
    """One neuron, then one output: xor costs one error, whatever the weights are."""
    x, y = TABLES["xor"]
    architecture = Architecture((2, 1, 1), weights, bias=True, margin=Fraction(1, 64))
    task = task_of(TrainingSet(x.astype(float), y.astype(int), np.ones(4), 2))
    program = Encoding(task, architecture, Objective("errors")).program
    from tamecheck.solvers.claims import claims

    assert [claim.objective for claim in claims(program)] == pytest.approx([1, 1])


@pytest.mark.slow
@settings(max_examples=9, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["binary", "ternary"]), st.booleans(),
       st.sampled_from([(1,), (3,), (3, 2)]), st.integers(2, 3))  # fmt: skip
def test_a_network_lifts_to_a_point_of_the_same_value(seed, kind, bias, hidden, classes):
    """Sorting and turning neurons loses no network, and the program measures what we measure."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (6, 3)).astype(float)
    labels = np.concatenate([np.arange(classes), rng.integers(classes, size=6 - classes)])
    task = task_of(TrainingSet(x, labels, np.ones(6), classes))
    widths = (3, *hidden, 1 if classes == 2 else classes)
    architecture = Architecture(widths, kind, bias, Fraction(1, 64))
    params = anneal(task, architecture, rng, budget=Budget.of(9), starts=1, sweeps=2)
    network = network_of(params, architecture, 2.0)
    measures = {
        "errors": errors_of(network, task),
        "hinge": hinge_of(network, task, architecture),
        "margin": -least_margins(network, task),
        "weight": weight_of(network),
    }
    for measure, value in measures.items():
        encoding = Encoding(task, architecture, Objective(measure))
        point = lift(encoding, params)
        assert point is not None
        assert encoding.program.objective(point) == value
    known = enumerate_networks(task, architecture, Budget.of(9))
    assert known is None or known[0] <= measures["errors"]


def test_contradicting_rows_are_a_bound():
    x = [[1, 1], [1, 1], [1, 1], [-1, 1]]
    classifier = tc.learn.MIPBinarizedClassifier((2,), random_state=0).fit(x, [0, 1, 1, 0])
    assert (classifier.loss_, classifier.bound_, classifier.proof_) == (1, 1, "data")
    weighted = tc.learn.MIPBinarizedClassifier((2,), random_state=0)
    weighted.fit(x, [0, 1, 1, 0], sample_weight=[2.5, 1, 0.5, 1])
    assert (weighted.loss_, weighted.bound_) == (1.5, 1.5)


@pytest.mark.slow
def test_later_measures_keep_the_earlier_ones():
    """Parity of three bits needs three ±1 neurons; the least |sum| of each is then 1."""
    x, y = TABLES["parity"]
    classifier = tc.learn.MIPBinarizedClassifier(
        (3,), objective="max-margin", random_state=0, timeout=30
    ).fit(x, y)
    errors, margin = classifier.stages_
    assert (errors.value, errors.proof) == (0, "trivial")
    assert margin.value == -3
    assert errors.optimal


def test_sparse_weights():
    """OR of two of three bits: two weights of the neuron and one of the output are needed."""
    y = (CUBE[:, :2] == 1).any(axis=1)
    classifier = tc.learn.MIPBinarizedClassifier(
        (1,), weights="ternary", objective="min-weight", random_state=0
    ).fit(CUBE, y)
    assert classifier.loss_ == 0
    assert classifier.stages_[1].value == classifier.stages_[1].bound == 3


def test_a_certificate_without_solvers_to_trust():
    x, y = TABLES["xor"]
    classifier = tc.learn.MIPBinarizedClassifier(
        (1,), weights="real", certify=True, timeout=40, random_state=0
    ).fit(x, y)
    assert classifier.loss_ == 1
    if classifier.proof_ == "certificate":
        assert classifier.bound_ == 1
        assert classifier.certificate_ is not None
    else:
        assert any("certificate" in note for note in classifier.notes_)


def test_three_classes_and_two_layers():
    x = np.vstack([CUBE, CUBE * [1, 1, -1]])
    y = (x == 1).sum(axis=1) // 1 % 3
    classifier = tc.learn.MIPBinarizedClassifier((4, 3), timeout=20, random_state=0).fit(x, y)
    assert classifier.checked_
    assert (classifier.predict(x) != y).sum() == classifier.loss_
    assert classifier.bound_ <= classifier.loss_


def test_pickle_model_and_repeatability():
    x, y = TABLES["parity"]
    first = tc.learn.MIPBinarizedClassifier((3,), random_state=3).fit(x, y)
    second = pickle.loads(
        pickle.dumps(tc.learn.MIPBinarizedClassifier((3,), random_state=3).fit(x, y))
    )
    for left, right in zip(first.network_.layers, second.network_.layers, strict=True):
        assert (left.weights == right.weights).all()
        assert (left.offset == right.offset).all()
    model = first.to_model()
    for row, label in zip(x, y, strict=True):
        values = model.evaluate(row)
        assert (values[1] > values[0]) == label


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": "speed"}, "objective='speed'"),
        ({"solver": "gurobi"}, "solver"),
        ({"weights": "octal"}, "weights='octal'"),
        ({"hidden": (0,)}, "hidden"),
        ({"margin": 0}, "margin"),
        ({"timeout": -1}, "timeout"),
    ],
)
def test_bad_parameters(options, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        tc.learn.MIPBinarizedClassifier(**options).fit(SQUARE, [0, 1, 1, 0])


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([[np.nan, 1], [1, 1]], [0, 1], "NaN"),
        ([[0, 1], [1, 1]], [0, 0], "one class"),
        ([[1, 1], [1, 1]], [0, 1], "constant"),
        ([["a", "b"], ["c", "d"]], [0, 1], "convert"),
    ],
)
def test_bad_data(x, y, words):
    with pytest.raises(ValueError, match=words):
        tc.learn.MIPBinarizedClassifier().fit(x, y)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["cbc", "highs"])
@pytest.mark.parametrize("name", ["xor", "and"])
@pytest.mark.parametrize("hidden", [1, 2])
def test_one_solver_alone_finds_the_optimum_that_a_certificate_proves(name, hidden, solver):
    x, y = TABLES[name]
    classifier = tc.learn.MIPBinarizedClassifier((hidden,), solver=solver, random_state=0).fit(x, y)
    assert classifier.loss_ == classifier.bound_ == fewest_errors(x, y, hidden, (-1, 1), bias=True)
    assert classifier.proof_ == ("certificate" if classifier.loss_ else "trivial")


def test_annealing_alone_proves_what_the_data_prove():
    x, y = TABLES["xor"]
    classifier = tc.learn.MIPBinarizedClassifier((1,), solver="annealing", random_state=0).fit(x, y)
    assert (classifier.loss_, classifier.bound_, classifier.proof_) == (1, 0, "trivial")
    assert not classifier.optimal_


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weights", ["binary", "ternary", "real"])
def test_cbc_trains_two_layers_on_digits_without_an_error(seed, weights):
    """Plain big-M leaves CBC without a solution here; neuron by neuron it needs few programs."""
    data = load_digits()
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(np.isin(data.target, (3, 5))))
    x = np.where(data.data[rows[:40]] >= 8, 1, -1)
    classifier = tc.learn.MIPBinarizedClassifier(
        (8, 4), weights=weights, solver="cbc", random_state=seed
    ).fit(x, data.target[rows[:40]])
    assert (classifier.loss_, classifier.bound_, classifier.proof_) == (0, 0, "trivial")
    assert classifier.score(x, data.target[rows[:40]]) == 1


def test_cbc_accepts_a_start_for_the_whole_program():
    """With the start, there is nothing to search: no node is needed."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random((20, 12)) < 0.5, -1.0, 1.0)
    labels = (x[:, :5].sum(axis=1) > 0).astype(int)
    task = task_of(TrainingSet(x, labels, np.ones(20), 2))
    shape = Architecture((12, 4, 3, 1), "binary", bias=True, margin=Fraction(1, 64))
    encoding = Encoding(task, shape, Objective("errors"))
    found = anneal(task, shape, rng, budget=Budget.of(9))
    (claim,) = Effort(("cbc",), 30, 1, 0).claims(encoding.program, lift(encoding, found))
    assert isinstance(claim, Optimal)
    assert claim.objective == 0
    assert errors_of(network_of(encoding.params(claim.point), shape, 1.0), task) == 0


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["binary", "ternary"]), st.booleans())
# of weights (-1, -1) the largest sum is 2, and an offset of -2 would leave it at sign(0) = 1
@example(seed=441, kind="ternary", signs=True)
def test_pairs_of_half_spaces_give_the_optimum_of_two_neurons(seed, kind, signs):
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(6, 20)), int(rng.integers(2, 5))
    x = rng.choice([-1.0, 1.0], shape) if signs else rng.integers(-1, 3, shape).astype(float)
    labels = np.append([0, 1], rng.integers(2, size=len(x) - 2))
    weight = rng.integers(1, 4, len(x)).astype(float)
    task = task_of(TrainingSet(x, labels, weight, 2))
    architecture = Architecture((x.shape[1], 2, 1), kind, bias=True, margin=Fraction(1, 64))
    known = enumerate_networks(task, architecture, Budget.of(9))
    assert known is not None
    assert best_pair(task, architecture, known[0], Budget.of(9)) == (known[0], None)
    found = best_pair(task, architecture, known[0] + 3, Budget.of(9))
    assert found is not None
    assert found[0] == known[0]
    assert errors_of(network_of(found[1], architecture, 2.0), task) == known[0]


def test_the_proof_for_two_neurons_goes_beyond_enumeration():
    """14 signs allow more truth vectors than enumeration goes through; pairs need no solver."""
    rng = np.random.default_rng(1)
    x = rng.choice([-1, 1], (60, 14))
    y = (x[:, :5].sum(axis=1) > 0) | (x[:, 5:9].sum(axis=1) > 2) ^ (rng.random(60) < 0.1)
    classifier = tc.learn.MIPBinarizedClassifier((2,), random_state=0).fit(x, y)
    assert classifier.optimal_
    assert classifier.proof_ == ("enumeration" if classifier.loss_ else "trivial")


def brute_measures(x, y, hidden, values):
    """(errors, hinge, minus margins, weight) of all networks of one hidden layer with offsets."""
    neurons = [
        (np.array(w), b)
        for w in itertools.product(values, repeat=x.shape[1])
        for b in np.arange(-3, 3.5, 0.5)
    ]
    for chosen in itertools.combinations_with_replacement(neurons, hidden):
        sums = np.array([x @ w + b for w, b in chosen])
        if not sums.all():
            continue  # a neuron on its boundary is none of the program's
        bits = np.where(sums >= 0, 1, -1).T
        margin = np.abs(sums).min(axis=1).sum()
        for v in itertools.product(values, repeat=hidden):
            for b in np.arange(-2, 2.5, 0.5):
                out = bits @ np.array(v) + b
                if out.all():
                    hinge = np.maximum(0, 1 - np.where(y, out, -out)).sum()
                    weight = sum(np.abs(w).sum() for w, _ in chosen) + np.abs(v).sum()
                    yield ((out > 0) != y).sum(), hinge, -margin, weight


@pytest.mark.parametrize("solver", ["cbc", "highs"])
@pytest.mark.parametrize(
    ("objective", "order"),
    [
        ("hinge", (1,)),
        ("max-margin", (0, 2)),
        ("min-weight", (0, 3)),
        ("robust-sparse", (0, 2, 3)),
    ],
)
def test_every_objective_is_that_of_brute_force(objective, order, solver):
    """A ternary neuron on and-or tables of two signs, measured lexicographically."""
    x, y = TABLES["and"]
    best = min(
        tuple(values[k] for k in order) for values in brute_measures(x, y, 1, (-1, 0, 1))
    )  # fmt: skip
    classifier = tc.learn.MIPBinarizedClassifier(
        (1,), weights="ternary", objective=objective, solver=solver, random_state=0
    ).fit(x, y)
    assert tuple(stage.value for stage in classifier.stages_) == best
    assert all(stage.optimal for stage in classifier.stages_)


@pytest.mark.slow
def test_a_limit_in_nodes_makes_the_result_repeatable():
    x, y = TABLES["xor"]
    made = [
        tc.learn.MIPBinarizedClassifier((1,), solver="cbc", max_nodes=3, random_state=1).fit(x, y)
        for _ in range(2)
    ]
    left, right = (m.network_.layers for m in made)
    assert all((a.weights == b.weights).all() for a, b in zip(left, right, strict=True))
