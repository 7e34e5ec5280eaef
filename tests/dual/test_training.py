"""Training programs of binarised networks: sizes, answers, counts, duals."""

import runpy
from fractions import Fraction as Q
from itertools import product
from pathlib import Path

import pytest
from sklearn.datasets import load_digits

from tamecheck.duality import normalise
from tamecheck.duality.optimum import search_at
from tamecheck.duality.training import (
    Weights,
    pair_tameness,
    sensitivities,
    training_program,
)
from tamecheck.duality.tree import tree_dual
from tamecheck.errors import InputError
from tamecheck.programs import solve

SQUARE = [(a, b, 1) for a in (0, 1) for b in (0, 1)]
LABELS = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0], "xnor": [1, 0, 0, 1]}


def test_size_of_the_program_for_two_hidden_neurons():
    program = training_program(SQUARE, LABELS["xor"], (2,)).program
    assert len(program.rows) == 56
    assert len(program.columns) == 28
    assert sum(column.kind.integral for column in program.columns) == 12


@pytest.mark.parametrize(
    ("name", "hidden", "mistakes"),
    [
        ("and", 1, 0),
        ("or", 1, 0),
        ("xor", 1, 1),
        ("xnor", 1, 1),
        ("xor", 2, 0),
        ("xnor", 2, 0),
    ],
)
def test_least_mistakes_and_strong_dual(name, hidden, mistakes):
    training = training_program(SQUARE, LABELS[name], (hidden,))
    function = tree_dual(training.program)
    assert function.optimum == mistakes
    assert function.strong
    assert all(item.status is not False for item in function.checks.values())
    answer = solve(training.program, certify=True).answer
    assert training.mistakes(answer.point) == mistakes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weights", "hidden", "count"),
    [
        (Weights.TERNARY, (), 9),
        (Weights.SIGN, (), 4),
        pytest.param(Weights.SIGN, (2,), 15, marks=pytest.mark.slow),
    ],
)
def test_number_of_boolean_functions_that_are_realised(weights, hidden, count):
    inputs = list(product((-1, 1), repeat=2))
    realised = 0
    for labels in product((0, 1), repeat=4):
        form = normalise(training_program(inputs, labels, hidden, weights=weights).program)
        found = search_at(form, form.right)
        assert found.closed
        realised += form.outward(found.value) == 0
    assert realised == count


def test_tameness_of_the_pair_and_sensitivities():
    training = training_program(SQUARE, LABELS["xor"], (1,))
    function = tree_dual(training.program)
    pair = pair_tameness(training, function)
    assert (pair["verdict"], pair["structure"]) == ("tame", "semilinear")
    found = sensitivities(training, function)
    slopes = function.gradient().element
    total = sum(slopes[name] for name in training.groups)
    assert found["threshold"] == total
    assert -sum(sum(row) for row in found["samples"]) == total


@pytest.mark.parametrize("weights", list(Weights))
def test_deeper_networks_are_checked_by_a_forward_pass(weights):
    inputs = [(-1, 1), (1, 1), (1, -1)]
    training = training_program(inputs, [1, 0, 1], (2, 2), weights=weights)
    answer = solve(training.program, certify=True, seconds=60).answer
    assert answer.objective == training.mistakes(answer.point)


def test_budget_of_weights():
    # one ternary neuron is OR of two inputs with two weights; with one weight it makes a mistake
    inputs = list(product((-1, 1), repeat=2))
    ternary = Weights.TERNARY
    for budget, mistakes in ((2, 0), (1, 1), (0, 1)):
        training = training_program(inputs, [0, 1, 1, 1], weights=ternary, budget=budget)
        function = tree_dual(training.program)
        assert function.strong
        assert function.optimum == mistakes
        assert sensitivities(training, function)["budget"] <= 0
    with pytest.raises(InputError, match="budget says nothing"):
        training_program(inputs, [0, 1, 1, 1], weights=Weights.SIGN, budget=1)


@pytest.mark.slow
def test_training_on_digits_has_a_strong_dual():
    # 20 digits 3 and 5 as two-level pixels with a constant, 4 hidden neurons: no mistake is needed
    images, classes = load_digits(return_X_y=True)
    chosen = [k for k, own in enumerate(classes) if own in (3, 5)][:20]
    samples = [[*(1 if pixel >= 8 else -1 for pixel in images[k]), 1] for k in chosen]
    training = training_program(samples, [int(classes[k] == 5) for k in chosen], (4,))
    function = tree_dual(training.program)
    assert function.strong
    assert function.optimum == function.dual_value == 0
    assert function.checks["columns"].status


def test_bad_data():
    with pytest.raises(InputError, match="2 samples and 1 labels"):
        training_program([(1,), (2,)], [1])
    with pytest.raises(InputError, match="Labels"):
        training_program([(1,)], [2])
    with pytest.raises(InputError, match="integer data"):
        training_program([(Q(1, 2),)], [1], weights=Weights.SIGN)
    with pytest.raises(InputError, match="threshold"):
        training_program([(1,)], [1], threshold=2)


@pytest.mark.slow
def test_example_script_prints_the_sizes_and_the_least_losses(capsys):
    script = Path(__file__).parents[2] / "examples" / "dual_of_training.py"
    runpy.run_path(str(script), run_name="__main__")
    text = capsys.readouterr().out
    assert "two hidden neurons: 56 rows, 28 variables" in text
    assert "F(b) = 1, z(b) = 1" in text
    assert "F(b) = 0, z(b) = 0" in text
