"""Short forms of random small networks, beside the decisions of all points."""

import itertools
import json
import time
from fractions import Fraction

import numpy as np
import pytest

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.cli import main
from tamecheck.explain import domain_of
from tamecheck.explain.forms import decisions_of
from tamecheck.explain.telling import tell


def network(rng, inputs, classes):
    layers, width = [], inputs
    for _ in range(int(rng.integers(0, 3))):
        hidden = int(rng.integers(1, 6))
        weights = rng.integers(-4, 5, (hidden, width)) * (rng.random((hidden, width)) < 0.7)
        layers.append(ThresholdLayer(weights, rng.integers(-3, 4, hidden)))
        width = hidden
    levels = (Fraction(-1),) * inputs, (Fraction(1),) * inputs
    offsets = rng.integers(-2, 3, classes)
    return ThresholdNetwork(*levels, tuple(layers), rng.integers(-3, 4, (classes, width)), offsets)


def subject(seed):
    """A network, its domain, and all points of it with their decisions."""
    rng = np.random.default_rng(seed)
    made = network(rng, 9, int(rng.integers(2, 4)))
    groups = [{}, {"one_hot": {"a": (0, 1, 2)}}, {"thermometer": {"b": (3, 4, 5)}}]
    groups.append({**groups[1], **groups[2]})
    domain = domain_of(made, **groups[int(rng.integers(4))])
    sizes = [len(f.codes) for f in domain.features]
    codes = np.array(list(itertools.product(*map(range, sizes))))
    states = np.array([domain.states(row) for row in codes.tolist()])
    return rng, made, domain, codes, states, made.decide(states)


@pytest.mark.parametrize("seed", range(12))
def test_a_form_is_as_often_right_as_it_says(seed):
    rng, made, domain, codes, states, decided = subject(seed)
    rows = rng.integers(len(codes), size=20)
    for most in (0, 1, 3, 12):
        seen = []
        told = tell(
            made,
            domain,
            states=states[rows],
            most_conditions=most,
            budget=Budget.of(20),
            watch=seen.append,
        )
        said = told.decisions(codes)
        assert told.counted
        assert told.right == Fraction(int((said == decided).sum()), len(codes))
        assert told.table == Fraction(int((said == decided)[rows].sum()), 20)
        assert told.conditions <= most
        assert told.rests_on == "recomputation"
        # what was found on the way claims no more than is true
        for form in seen:
            hits = decisions_of(form.body, codes) == decided
            assert form.right <= Fraction(int(hits.sum()), len(codes))
        assert (told.faithful == "exact") == bool((said == decided).all())


def test_the_verb_prints_what_it_has_when_it_is_interrupted(capsys, monkeypatch):
    model = [
        "--expr",
        "sign(x0 + x1 - x2) + sign(x1 + x2) + sign(x0 - x1 + x3)",
        "--domain",
        "-1,1",
    ]

    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tamecheck.explain.rules.get_rules", interrupt)
    assert main(["rules", *model, "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["form"]["covers"] == {"domain": "1", "table": None}
    assert found["text"].startswith(found["form"]["text"])


@pytest.mark.slow
def test_the_time_is_kept(capsys):
    """A network of 60 inputs and 8 neurons: no list in the time, but a form with a proved share."""
    rng = np.random.default_rng(0)
    sums = (
        " + ".join(f"{int(w)}*x{i}" for i, w in enumerate(rng.integers(1, 9, 60))) for _ in range(8)
    )
    expression = " + ".join(f"sign({one} - {k})" for k, one in enumerate(sums))
    begun = time.process_time()
    code = main(["rules", "--expr", expression, "--domain", "-1,1", "--timeout", "2", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert time.process_time() - begun < 8
    assert code == 3
    assert found["form"]["conditions"] <= 12
    assert 0 <= Fraction(found["form"]["covers"]["domain"]) < 1
    assert not found["form"]["counted"]
    assert found["text"].startswith(found["form"]["text"])


def test_the_exact_rules_are_written_to_a_file(capsys, tmp_path):
    model = ["--expr", "sign(x0 + x1 + x2)", "--domain", "-1,1"]
    for name in ("rules.json", "rules.md", "rules.txt"):
        for _ in range(2):
            assert main(["rules", *model, "-o", str(tmp_path / name)]) == 0
        assert "x0 = 1" in (tmp_path / name).read_text()
    found = json.loads((tmp_path / "rules.json").read_text())
    assert (found["faithful"], len(found["rules"])) == ("exact", 6)
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["rules", *model, "-o", str(tmp_path / "mine.txt")]) == 2
    capsys.readouterr()
