"""Orders over the domain of a binarized network, beside all pairs of points; and the command."""

import json
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.certificates import recheck
from tamecheck.cli import main
from tamecheck.errors import InputError
from tamecheck.explain import domain_of
from tamecheck.explain.orders import Question, verify_orders
from tests.explain.test_protected import every, loan, network, question, said

__all__ = ["loan"]


def pairs(dom, orders):
    """All points with all that are later in the orders and else the same."""
    for codes in every(dom):
        choices = [[code] for code in codes]
        for k, relation in orders.items():
            last = len(dom.features[k].codes)
            start = codes[k] if relation == "rises" else 0
            choices[k] = range(start, codes[k] + 1 if relation == "falls" else last)
        for other in product(*choices):
            yield codes, other


@pytest.mark.parametrize("seed", range(24))
def test_orders_are_those_of_all_pairs(seed):
    rng, net, dom, of = question(seed)
    kinds = ["equal"] if seed % 3 == 0 else ["rises", "falls"]
    chosen = rng.choice(len(dom.features), size=rng.integers(1, 3), replace=False).tolist()
    orders = {k: kinds[rng.integers(len(kinds))] for k in chosen}
    values = {codes: said(net, dom, codes, of) for codes in every(dom)}
    broken = any(
        values[a] > values[b] or ("equal" in kinds and values[a] != values[b])
        for a, b in pairs(dom, orders)
    )
    found = verify_orders(net, dom, orders, of=of)
    assert found.verdict == ("violated" if broken else "holds")
    assert found.rests_on == ("replay" if broken else "recomputation")
    assert found.certificate is None or not broken
    if found.certificate is not None:
        assert recheck(found.certificate).verdict == "valid"
    if broken:
        ends = [
            dom.codes(net.states(np.array([list(point)]))[0])
            for point in (found.witness.inputs, found.witness.other_inputs)
        ]
        assert tuple(ends) in set(pairs(dom, orders))
        assert [str(values[end]) for end in ends] == list(found.witness.said)
        assert len(found.witness.changed) == 1


def test_out_of_time_and_questions_that_are_none():
    net = network(np.random.default_rng(3))
    dom = domain_of(net)
    assert verify_orders(net, dom, {0: "rises"}, timeout=0).verdict in {"unknown", "violated"}
    several = next(n for n in map(network, map(np.random.default_rng, range(9))) if n.classes > 2)
    with pytest.raises(InputError, match="no one score"):
        verify_orders(several, domain_of(several), {0: "rises"}, of="score")


def test_the_command_finds_a_pair_or_shows_that_there_is_none(loan, capsys):
    model, _ = loan
    assert main(["verify", model, "--monotone", "income:+", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["rests_on"], found["of"]) == (
        "holds",
        "certificate",
        "decision",
    )
    assert found["monotone"] == {"income": "+"}
    assert found["classes"] == ["no", "yes"]
    assert main(["verify", model, "--fair", "sex", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["fair"], found["rests_on"]) == (["sex"], "replay")
    witness = found["witness"]
    assert sum(a != b for a, b in zip(witness["input"], witness["other_input"], strict=True)) == 1
    assert witness["changes"][0][0] == "sex"
    assert main(["verify", model, "--monotone", "income:-,owner:+"]) == 1
    out = capsys.readouterr().out
    assert "the order of the classes: no < yes" in out
    assert main(["verify", model, "--monotone", "income"]) == 2
    assert main(["verify", model, "--monotone", "income:+", "--fair", "sex"]) == 2
    assert main(["verify", model, "--fair", "sex", "--hamming", "1"]) == 2


def test_a_certificate_is_about_one_question(loan, capsys, tmp_path):
    model, _ = loan
    proof = str(tmp_path / "proof.json")
    assert main(["verify", model, "--monotone", "income:+", "-o", proof]) == 0
    assert f"certificate: {proof}" in capsys.readouterr().out
    assert main(["recheck", proof, model, "--monotone", "income:+"]) == 0
    for other in (["--monotone", "income:-"], ["--fair", "income"], ["--monotone", "owner:+"], []):
        assert main(["recheck", proof, model, *other]) == 5
    # the kernel accepts a smaller ball too, which says less
    document = json.loads((tmp_path / "proof.json").read_text())
    document["claim"]["radius"] -= 1
    (tmp_path / "less.json").write_text(json.dumps(document))
    assert main(["recheck", str(tmp_path / "less.json")]) == 0
    less = ["recheck", str(tmp_path / "less.json"), model, "--monotone", "income:+"]
    assert main(less) == 5


def test_copies_of_small_networks_have_small_certificates():
    # 2^28 combinations of the other inputs; counting them by equal sums takes long
    rng = np.random.default_rng(0)
    hidden, inputs = 4, 30
    weights = rng.integers(-3, 4, size=(hidden, inputs))
    readout = rng.choice([-2, -1, 1, 2], size=hidden)
    weights[:, :2] = (rng.integers(0, 4, size=hidden) * np.sign(readout))[:, None]
    layer = ThresholdLayer(weights, rng.integers(-3, 4, size=hidden))
    ends = (Fraction(-1),) * inputs, (Fraction(1),) * inputs
    net = ThresholdNetwork(
        *ends, (layer,), np.stack([0 * readout, readout]), np.zeros(2, dtype=np.int64)
    )
    dom = domain_of(net, thermometer={"income": (0, 1)}, one_hot={"kind": (2, 3, 4, 5)})
    question = Question.of_orders(net, dom, {0: "rises"}, "decision")
    found = question.certificate(Budget.of(60))
    assert len(found["tree"]) < 1000
    assert recheck(found).verdict == "valid"


@pytest.mark.parametrize(
    ("question", "code", "of"),
    [
        (["--monotone", "x:+,y:-"], 0, "score"),
        (["--monotone", "y:+"], 1, "score"),
        (["--monotone", "x:-", "--of", "decision"], 1, "decision"),
        (["--fair", "x"], 1, "decision"),
        (["--fair", "1"], 1, "decision"),
        (["--fair", "z"], 0, "decision"),
        (["--fair", "z,y"], 1, "decision"),
        (["--fair", "z", "--of", "score"], 0, "score"),
    ],
)
def test_networks_over_a_box(question, code, of, capsys):
    text = "max(x, 0) - max(y - 1, 0)/2 + 0*z"
    assert main(["verify", "--expr", text, *question, "--box", "-2:2", "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["of"] == of
    if code:
        first, other = (
            [Fraction(v) for v in found["witness"][key]] for key in ("input", "other_input")
        )
        assert sum(a != b for a, b in zip(first, other, strict=True)) == 1


def test_a_property_over_a_box_has_a_certificate_where_there_is_a_margin(capsys, tmp_path):
    proof = str(tmp_path / "proof.json")
    question = ["--expr", "max(x, 0) + 3 - max(y - 1, 0)/2", "--fair", "x", "--box", "-2:2"]
    assert main(["verify", *question, "-o", proof, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rests_on"] == "certificate"
    assert main(["recheck", proof, *question]) == 0
    assert main(["recheck", proof, *question[:2], "--fair", "y", "--box", "-2:2"]) == 5
    assert main(["recheck", proof, *question[:-1], "-2:1"]) == 5


def test_a_box_is_asked_for(capsys):
    assert main(["verify", "--expr", "max(x, 0)", "--monotone", "x:+"]) == 2
    assert "Say where they are: --box" in capsys.readouterr().err
    assert main(["verify", "--expr", "max(x, 0)", "--monotone", "y:+", "--box", "0:1"]) == 2
    assert "'y' is no input of the model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("question", "code"),
    [
        # who is in the other group has what is 0 there
        (["--fair", "sex"], 0),
        (["--fair", "0"], 0),
        (["--fair", "age"], 1),
        # 3/2 is between two integers
        (["--monotone", "age:+", "--of", "score"], 0),
        (["--monotone", "age:-", "--of", "score"], 1),
    ],
)
def test_integers_and_groups_of_a_network_are_looked_at_as_such(question, code, capsys):
    text = "max(f + m - 1/2, 0) + max(age - 1, 0) - 4*max(1/4 - abs(age - 3/2), 0)"
    within = ["--box", "f=0:1,m=0:1,age=0:3", "--one-hot", "sex=0-1", "--integers", "age"]
    if "age" in question and code:
        text += " - 1"
    assert main(["verify", "--expr", text, *question, *within, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    if code:
        ends = found["witness"]["input"], found["witness"]["other_input"]
        assert all(Fraction(value).denominator == 1 for end in ends for value in end)
        assert all(Fraction(end[0]) + Fraction(end[1]) == 1 for end in ends)


def test_groups_without_an_order_do_not_rise(capsys):
    question = ["--expr", "a + b + c", "--one-hot", "k=0-1", "--box", "0:1", "--monotone", "k:+"]
    assert main(["verify", *question]) == 2
    assert "have no order" in capsys.readouterr().err
