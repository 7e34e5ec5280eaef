"""Real networks: a verdict for each, and every certificate accepted by the kernel."""

import csv
import json

import pytest

import tamecheck as tc
from tamecheck.tame.verdict import Verdict

LINEAR = {
    *("Gemm", "MatMul", "Conv", "Relu", "Sign", "MaxPool", "BatchNormalization", "Add", "Sub"),
    *("Reshape", "Flatten", "Transpose", "Dropout", "Softmax"),
}
"""Operators whose composition, up to a final Softmax, is semilinear."""


def models(data):
    paths = [
        path
        for folder in ("bnn", "nets")
        for path in sorted((data / folder).rglob("*"))
        if path.name.endswith((".onnx", ".onnx.gz"))
    ]
    assert len(paths) > 50
    return paths


def properties(data):
    with (data / "INSTANCES.tsv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    first = {}
    for row in rows[1:]:
        first.setdefault(data / row[1], data / row[2])
    return first


def accepted(answer):
    report = tc.recheck(json.dumps(answer.certificate))
    assert report.verdict == "valid", report
    assert report.model_sha256 == answer.graph.sha256
    return report


def test_every_network_gets_a_verdict_that_the_kernel_confirms(data):
    for path in models(data):
        model = tc.load(path)
        answer = model.check()
        if "lsnc" in path.parts or "ml4acopf_2023" in path.parts:
            # sines of what is not bounded
            assert answer.verdict is Verdict.NOT_TAME, path
            accepted(answer)
            continue
        assert answer.verdict is Verdict.TAME, path
        accepted(answer)
        if set(model.loaded.source_ops) <= LINEAR or "qonnx" in path.parts:
            scores = answer.before_softmax or answer.structures
            assert scores[0].public_name == "semilinear", path


def test_every_network_is_tame_on_the_box_of_its_property(data):
    from tamecheck.loaders.text.vnnlib import read_vnnlib

    found = 0
    for path, spec in properties(data).items():
        model = tc.load(path)
        box = read_vnnlib(spec).box(model.inputs)
        answer = model.check(box)
        assert answer.verdict is Verdict.TAME, path
        accepted(answer)
        if "lsnc" in path.parts or "ml4acopf_2023" in path.parts:
            assert answer.structure.public_name == "an"
        found += 1
    assert found > 30


@pytest.mark.parametrize("name", ["TFC_1W1A", "qkeras_jettagging"])
def test_a_quantised_network_is_one_without_any_box(data, name):
    answer = tc.load(data / "bnn" / "qonnx" / f"{name}.onnx").check()
    assert any("quantiser" in line.why or "sign" in line.op for line in answer.derivation)
