"""What protected attributes decide, beside the definition on every point."""

import csv
import json
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from corpus import threshold_network

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.binarized.copies import Chain, copies
from tamecheck.cli import main
from tamecheck.errors import InputError
from tamecheck.explain import Explainer, domain_of
from tamecheck.explain.check import Recomputation


def network(rng, inputs=6):
    widths = rng.integers(1, 4, size=rng.integers(0, 3))
    made = threshold_network(rng, inputs, widths, lambda: int(rng.integers(2, 5)), low=0)
    if made.classes == 2 and rng.random() < 0.5:
        # a model with a single output
        single = np.array([[0], [1]])
        return replace(made, readout=made.readout * single, offsets=made.offsets * single[:, 0])
    return made


def domain(rng, net):
    groups = {"one_hot": {"kind": (0, 1, 2)}, "thermometer": {"size": (3, 4)}}
    return domain_of(net, **{name: g for name, g in groups.items() if rng.random() < 0.6})


def every(dom):
    return list(product(*(range(len(f.codes)) for f in dom.features)))


def others(dom, codes, features):
    """The points that differ from one in some features only, itself included."""
    for values in product(*(range(len(dom.features[k].codes)) for k in features)):
        turned = list(codes)
        for k, value in zip(features, values, strict=True):
            turned[k] = value
        yield tuple(turned)


@pytest.mark.parametrize("seed", range(16))
def test_flips_rows_and_groups_are_those_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    net = network(rng)
    dom = domain(rng, net)
    points = every(dom)
    decided = {c: int(net.decide(dom.states(c)[None])[0]) for c in points}
    asked = rng.choice(len(dom.features), size=rng.integers(1, 3), replace=False).tolist()

    def flips(features):
        turned = {c: {decided[o] for o in others(dom, c, features)} for c in points}
        return {c for c, classes in turned.items() if len(classes) > 1}

    rows = [points[k] for k in rng.integers(len(points), size=5)]
    labels = [None if rng.random() < 0.3 else int(rng.integers(net.classes)) for _ in rows]
    held = [bool(k) for k in rng.integers(2, size=len(rows))]
    inputs = [net.point(dom.states(c)) for c in rows]
    explainer = Explainer.over(net, dom)
    names = [dom.features[k].name for k in asked]
    found = explainer.protected(names, rows=inputs, labels=labels, held_out=held)
    assert found.checked
    assert found.flips == len(flips(asked))
    assert found.rows == tuple(k for k, row in enumerate(rows) if row in flips(asked))
    assert found.each == (
        {dom.features[k].name: len(flips([k])) for k in asked} if len(asked) > 1 else {}
    )
    assert (found.witness is None) == (not flips(asked))
    if found.witness is not None:
        pair = [found.witness.point, found.witness.other_point]
        ends = [dom.codes(net.states(np.array([list(map(Fraction, p))]))[0]) for p in pair]
        assert [decided[end] for end in ends] == [found.witness.decision, found.witness.other]
        assert found.witness.decision != found.witness.other
        assert ends[1] in set(others(dom, ends[0], asked))
    for group in found.groups:
        k = next(k for k in asked if dom.features[k].name == group.attribute)
        code = dom.features[k].values.index(group.value)
        own = [decided[c] for c in points if c[k] == code]
        assert group.domain == tuple(map(own.count, range(net.classes)))
        wrong = [
            label is not None and label != decided[row]
            for row, label in zip(rows, labels, strict=True)
        ]
        here = [row[k] == code for row in rows]
        assert group.table.rows == sum(here)
        assert group.table.errors == sum(np.logical_and(wrong, here))
        assert group.held_out.errors == sum(np.logical_and.reduce([wrong, here, held]))
    # all reasons contain an attribute where it flips the decision, and only there
    involved = explainer.involvement(inputs[0], names)
    assert involved.complete
    assert (len(involved.reasons) == involved.all_reasons) == (rows[0] in flips(asked))


def is_single(net):
    """Whether it is a model with a single output."""
    return net.classes == 2 and not net.readout[0].any() and not net.offsets[0]


def said(net, dom, codes, of):
    scores = net.scores(dom.states(codes)[None])[0]
    return int(scores[1]) if of == "score" else int(np.argmax(scores))


def question(seed):
    """Numbers to draw, a network, its domain, and whether scores or decisions are asked about."""
    rng = np.random.default_rng(seed)
    net = network(rng)
    dom = domain(rng, net)
    of = "score" if is_single(net) and seed % 2 else "decision"
    return rng, net, dom, of


@pytest.mark.parametrize("seed", range(24))
def test_copies_and_the_recomputation_tell_where_an_order_is_not_kept(seed):
    rng, net, dom, of = question(seed)
    relation = ("equal", "rises", "falls")[seed % 3]
    k = int(rng.integers(len(dom.features)))
    feature = dom.features[k]
    chain = Chain(feature.inputs, feature.codes, relation)
    made = copies(net, [chain], of)

    def breaks(codes):
        values = [said(net, dom, other, of) for other in others(dom, codes, [k])]
        return any(
            (a > b and relation != "falls") or (a < b and relation != "rises")
            for a, b in combinations(values, 2)
        )

    broken = [codes for codes in every(dom) if breaks(codes)]
    assert [c for c in every(dom) if made.decide(dom.states(c)[None])[0] == 1] == broken
    values = [(code,) for code in range(len(feature.codes))]
    again = Recomputation(net, dom).count_breaches([k], values, chain.pairs, score=of == "score")
    assert again * len(values) == len(broken)


@pytest.fixture(scope="module")
def loan(tmp_path_factory):
    """A model of a table in which sex decides, and the table."""
    folder = tmp_path_factory.mktemp("loan")
    rng = np.random.default_rng(0)
    with (folder / "loan.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sex", "income", "owner", "decision"])
        for _ in range(120):
            sex, owner, income = rng.choice(["f", "m"]), rng.choice(["no", "yes"]), rng.integers(9)
            good = income + 2 * (sex == "m") + 3 * (owner == "yes") > 6
            writer.writerow([sex, income, owner, "yes" if good else "no"])
    model, table = str(folder / "loan.json"), str(folder / "loan.csv")
    options = [
        "--target",
        "decision",
        "--test",
        "0.2",
        "--method",
        "ste",
        "--hidden",
        "3",
        "--epochs",
        "20",
    ]
    assert main(["train", table, *options, "-o", model, "-q"]) == 0
    return model, table


def test_the_command_counts_and_gives_rows_by_number(loan, capsys):
    model, table = loan
    question = ["explain", model, "--protected", "sex", "--data", table, "--rows", "3,7", "--json"]
    assert main(question) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0 < found["flips"] < found["points"]
    assert found["checked"]
    assert [case["row"] for case in found["cases"]] == [3, 7]
    for case in found["cases"]:
        assert case["flips"] == (case["row"] in found["rows"])
        assert case["flips"] == (len(case["reasons"]) == case["all_reasons"])
    assert found["witness"]["row"] == found["rows"][0]
    assert found["witness"]["label"] in {"yes", "no"}
    assert found["table"] == {"rows": 120, "flips": len(found["rows"])}
    assert sum(group["held_out"]["rows"] for group in found["groups"]) == 24
    assert main([*question[:4], "-q"]) == 0
    assert capsys.readouterr().out.startswith("sex alone changes the decision at ")
    assert main(question[:-1]) == 0
    assert "labelled rows held out wrong" in capsys.readouterr().out


def test_what_cannot_be_asked_is_refused(loan, capsys):
    model, _ = loan
    for options in (["nobody"], [""], ["sex", "--kind", "relevancy"], ["sex", "-o", "out.json"]):
        assert main(["explain", model, "--protected", *options]) == 2
    assert "There is no input or feature 'nobody'." in capsys.readouterr().err
    net = network(np.random.default_rng(1))
    with pytest.raises(InputError, match="Did you mean 'x3'"):
        Explainer.over(net, domain_of(net)).protected(["xx3"])


def test_names_may_hold_commas_and_blanks(tmp_path, capsys):
    text = "sign(a + b + c)"
    names = tmp_path / "names.json"
    names.write_text(json.dumps(["sex, at birth", "in come", "c"]), encoding="utf-8")
    words = ["--expr", text, "--domain", "-1,1", "--names", str(names)]
    assert main(["explain", *words, "--protected", "in come, sex, at birth", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protected"] == ["sex, at birth", "in come"]
    assert main(["verify", *words, "--monotone", "sex, at birth:+,in come:+"]) == 0
    assert main(["verify", *words, "--fair", "c,sex, at birth"]) == 1


def test_out_of_time_there_are_bounds():
    rng = np.random.default_rng(0)
    weights = rng.integers(-9, 10, size=(12, 40))
    layer = ThresholdLayer(weights, rng.integers(-9, 10, size=12))
    ends = (Fraction(-1),) * 40, (Fraction(1),) * 40
    readout = np.stack([np.zeros(12, np.int64), rng.choice([-1, 1], size=12)])
    net = ThresholdNetwork(*ends, (layer,), readout, np.array([0, 1]))
    found = Explainer.over(net, domain_of(net)).protected(["x0"], timeout=0.1)
    assert found.flips is None
    assert 0 <= found.bounds[0] <= found.bounds[1] <= found.points == 2**40
    assert not found.checked
