"""A quotient is bounded where the divisor stays away from 0, and only there."""

import copy
import json

import tamecheck as tc


def certificate():
    return tc.expression("sin(x/y)").check("x=-1:1,y=1:inf").certificate


def of_divisor(document):
    nodes = document["model"]["graph"]["nodes"]
    return [s for s in document["steps"] if nodes[s["node"]].get("name") == "y"]


def test_a_divisor_away_from_zero_bounds_a_quotient():
    assert tc.recheck(json.dumps(certificate())).verdict == "valid"


def test_the_bound_of_the_divisor_must_be_cited():
    document = copy.deepcopy(certificate())
    for step in document["steps"]:
        if step["rule"] == "bounded" and len(step["from"]) == 2:
            step["from"] = step["from"][:1]
    report = tc.recheck(json.dumps(document))
    assert (report.verdict, report.why) == ("invalid", "boundedness does not follow")


def test_an_unbounded_enclosure_may_cite_nothing_but_shows_nothing():
    document = copy.deepcopy(certificate())
    for step in of_divisor(document):
        if step["rule"] == "enclosure":
            step.update({"lower": [None], "upper": [None], "from": []})
    assert tc.recheck(json.dumps(document)).verdict == "invalid"
