"""Verdicts on a few published instances of each kind, and witnesses that float32 runs confirm."""

import csv

import pytest

import tamecheck as tc
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.verification import Holds, Violated, onnx_replay, verify

WORDS = {Holds: "unsat", Violated: "sat"}
CHOSEN = [
    ("test", slice(None)),
    ("rl_benchmarks", slice(0, None, 25)),
    ("reach_prob_density", slice(0, None, 6)),
    ("safenlp", slice(0, None, 10)),
    ("acasxu", slice(48, None, 8)),
    ("mnist_fc", slice(0, None, 6)),
    ("collins_rul_cnn", slice(0, None, 6)),
    ("tllverifybench", slice(0, 3)),
    ("ml4acopf_2023", slice(0, 1)),
]


def instances(data, benchmark):
    with (data / "INSTANCES.tsv").open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [row for row in rows if row["benchmark"] == benchmark]


@pytest.mark.parametrize(("benchmark", "part"), CHOSEN, ids=[name for name, _ in CHOSEN])
def test_the_published_verdict_is_reached(data, benchmark, part):
    for row in instances(data, benchmark)[part]:
        graph = tc.load(data / row["onnx"]).graph
        replay = onnx_replay(data / row["onnx"])
        answer = verify(graph, read_vnnlib(data / row["vnnlib"]), timeout=30, replay=replay)
        known = row["resolved"].split()[0]
        assert known in ("unknown", WORDS.get(type(answer), "open")), row
        if isinstance(answer, Violated):
            assert answer.witness.float32 is True


def test_a_binarized_network_for_traffic_signs_is_refuted(data):
    row = instances(data, "traffic_signs_recognition")[0]
    replay = onnx_replay(data / row["onnx"])
    graph = tc.load(data / row["onnx"]).graph
    answer = verify(graph, read_vnnlib(data / row["vnnlib"]), timeout=60, replay=replay)
    assert isinstance(answer, Violated)
    assert answer.witness.float32 is True


@pytest.mark.parametrize("name", ["unsat_v9_c9", "unsat_v38_c132", "unsat_v54_c125"])
def test_a_formula_in_a_network_is_refuted(data, name):
    folder = data / "vnncomp2025" / "sat_relu"
    model = tc.load(folder / "onnx" / f"{name}.onnx.gz")
    answer = tc.verify(model, folder / "vnnlib" / f"{name}.vnnlib.gz", timeout=60)
    assert answer.status == "holds"
    assert answer.rests_on == "recomputation"
