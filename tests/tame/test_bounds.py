"""Bounds that the derivation asks for, and that the kernel confirms."""

import json

import numpy as np
import onnx
import pytest
from corpus import onnx_model
from onnx import helper

import tamecheck as tc
from tamecheck.tame.verdict import Verdict


@pytest.mark.parametrize("text", ["sin(x/y)", "floor(1/x)"])
def test_a_quotient_by_what_reaches_zero_is_not_bounded_and_refutes(text):
    assert tc.expression(text).check("0:1").verdict is Verdict.NOT_TAME


@pytest.mark.parametrize("box", [None, "-1:1"])
def test_bounds_behind_a_product_with_many_weights(box, tmp_path):
    weights = np.random.default_rng(1).integers(-3, 4, size=(150, 150)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("LayerNormalization", ["h", "s"], ["y"]),
    ]
    stored = {"w": weights, "s": np.ones(150, np.float32)}
    model = onnx_model(nodes, [1, 150], stored, {"y": [1, 150]}, opset=17)
    onnx.save(model, tmp_path / "m.onnx")
    answer = tc.load(tmp_path / "m.onnx").check(box)
    assert answer.structure.public_name == "semialgebraic"
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"


@pytest.mark.parametrize(("text", "box"), [("0^x", "1:2"), ("0^(x^2+1)", None), ("x^y", "0:1")])
def test_powers_with_a_varying_exponent_are_judged_at_positive_bases(text, box):
    answer = tc.expression(text).check(box)
    assert answer.verdict is Verdict.TAME
    assert answer.defined.total is not True
    assert [need.needs.partition(" ")[2] for need in answer.defined.where] == ["> 0"]


def test_powers_with_a_positive_base_or_a_natural_exponent_are_known():
    for box in ("x=1:2,y=0:1", "x=-1:1,y=2"):
        answer = tc.expression("x^y").check(box)
        assert answer.verdict is Verdict.TAME
        assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"
