"""Certificates made by hand at the edges of the rules: what is refused, accepted, and said."""

import json

import pytest

import tamecheck as tc
from tamecheck.cli import main

ILL_DEFINED = "kernel-gather-const-index-"
"""A constant index that is no integer in range: the graph is no function."""


@pytest.fixture
def cases(data):
    return data.parent / "cases" / "kernel"


def files(folder, least):
    found = sorted(folder.glob("*.json"))
    assert len(found) >= least
    return found


def test_every_lie_is_refused(cases):
    for path in files(cases / "reject", 448):
        assert tc.recheck(path).verdict == "invalid", path.name


def test_every_truth_at_an_edge_is_accepted(cases):
    for path in files(cases / "accept", 98):
        trusted = "incomplete" in path.name
        expected = "incomplete" if trusted else "valid"
        if path.name.startswith(ILL_DEFINED):
            expected = "invalid"
        assert tc.recheck(path).verdict == expected, path.name


def test_what_is_narrow_is_refused_or_said_to_be(cases, capsys):
    said = {}
    index = "node 2: a constant index is no integer in range"
    for path in files(cases / "narrow", 6):
        main(["recheck", str(path), "--json"])
        answer = json.loads(capsys.readouterr().out)
        said[path.stem.split(",")[0]] = answer["why"] or answer["narrow"] or answer["assumes"]
    assert said == {
        "acc_gather_const_index_1_2": index,
        "acc_gather_const_index_data_out_of_range": index,
        "acc_local_unknown_constant": [
            "the constants whose data are not in the certificate (1) are rational numbers"
        ],
        "ball_fixed_levels": "the radius is larger than the number of free inputs, 0",
        "ball_one_free": "the radius is larger than the number of free inputs, 1",
        "point_domain": ["all inputs are fixed: the claim is about a single point"],
    }
