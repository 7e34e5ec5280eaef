"""The object that users hold: one method a question, and the answers are those of the packages."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli import main


@pytest.fixture
def model():
    return tc.expression("relu(x)-relu(-x)")


def test_cells_of_a_box(model):
    found = model.cells("x=-1:1")
    assert len(found.cells) == 2


def test_the_clarke_jacobian_and_the_chain_rule_differ(model):
    assert model.jacobian({"x": 0}).contains([[1]])
    assert not model.jacobian({"x": 0}).contains([[2]])
    assert model.jacobian({"x": 0}, kind="conservative").contains([[2]])


def test_no_answer_is_given_that_the_kernel_refuses(model, monkeypatch):
    found = model.check()
    claim = {**found.certificate["claim"], "properties": ["smooth"]}
    forged = replace(found, certificate={**found.certificate, "claim": claim})
    monkeypatch.setattr("tamecheck.model.check", lambda *_, **__: forged)
    asked = model.check()
    assert (asked.status, asked.properties.continuous) == ("tame", None)
    assert asked.weaker[-1].startswith("nothing more: The kernel does not accept the proof")
    assert set(asked.certificate["claim"]) == {"verdict", "structures"}
    assert tc.recheck(asked.certificate).verdict == "valid"


def test_without_a_step_that_the_kernel_accepts_the_answer_is_unknown(model, monkeypatch):
    found = model.check()
    forged = replace(found, certificate={**found.certificate, "steps": []})
    monkeypatch.setattr("tamecheck.model.check", lambda *_, **__: forged)
    asked = model.check()
    assert (asked.status, asked.certificate, asked.rests_on) == ("unknown", None, None)
    assert "does not accept the proof" in asked.open[0].why


def test_gradients_of_a_batch():
    model = tc.expression("max(x, y) * 2")
    found = model.gradient([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(found, [[2, 0], [0, 2]])


def test_values_in_floats_and_exactly(model):
    assert model.evaluate(0.5) == 0.5
    assert tc.expression("x/3").evaluate(1, exact=True).item() == Fraction(1, 3)


def test_the_number_of_inputs_is_checked(model):
    with pytest.raises(tc.InputError, match="takes 1 inputs"):
        model.evaluate(1, 2)


def test_a_model_prints_what_it_is(model):
    assert "x[] -> y[]" in str(model)


@pytest.mark.parametrize(
    ("text", "status", "rests_on"),
    [("max(x, 0)", "tame", "certificate"), ("sin(x)", "not-tame", "certificate")],
)
def test_a_check_says_itself_as_json(text, status, rests_on, capsys):
    answer = tc.expression(text).check()
    document = answer.to_json()
    assert answer.status == document["verdict"] == status
    assert answer.rests_on == document["rests_on"] == rests_on
    assert main(["check", "--expr", text, "--json"]) == (0 if status == "tame" else 1)
    printed = json.loads(capsys.readouterr().out)
    assert {k: v for k, v in printed.items() if k != "model"} == {
        k: v for k, v in json.loads(json.dumps(document)).items() if k != "model"
    }
