"""Counts against brute force: over domains with groups, under conditions, in Hamming balls."""

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from corpus import some_threshold_network

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork, count_classes
from tamecheck.cli.entry import main
from tamecheck.errors import InputError
from tamecheck.explain.counts import ball_size, count, count_ball
from tamecheck.explain.domain import domain_of
from tamecheck.explain.words import Language, Vocabulary
from tamecheck.loaders.tables.schema import Bit, Column, Group, Schema


def some_domain(network, rng):
    """The inputs in random groups."""
    order, one_hot, thermometer = rng.permutation(network.inputs).tolist(), {}, {}
    while len(order) > 1:
        size = int(rng.integers(1, min(5, len(order) + 1)))
        group, order = order[:size], order[size:]
        if size > 1:
            kind = one_hot if rng.random() < 0.5 else thermometer
            kind[f"g{group[0]}"] = group
    return domain_of(network, one_hot=one_hot, thermometer=thermometer)


def points(domain, allowed=None):
    chosen = allowed or [range(len(f.codes)) for f in domain.features]
    return [domain.states(codes) for codes in itertools.product(*chosen)]


def tally(network, rows):
    if not rows:
        return [0] * network.classes
    return np.bincount(network.decide(np.array(rows)), minlength=network.classes).tolist()


@pytest.mark.parametrize("seed", range(16))
def test_counts_over_grouped_inputs(seed):
    network, rng = some_threshold_network(seed)
    domain = some_domain(network, rng)
    assert count(network, domain) == tally(network, points(domain))


@pytest.mark.parametrize("seed", range(8))
def test_counts_of_some_codes(seed):
    network, rng = some_threshold_network(seed)
    domain = some_domain(network, rng)
    allowed = [
        tuple(np.flatnonzero(rng.random(len(f.codes)) < 0.6).tolist()) for f in domain.features
    ]
    assert count(network, domain, allowed) == tally(network, points(domain, allowed))


@pytest.mark.parametrize("seed", range(16))
def test_counts_in_a_ball(seed):
    network, rng = some_threshold_network(seed)
    domain, radius = some_domain(network, rng), int(rng.integers(0, 5))
    rows = points(domain)
    centre = rows[int(rng.integers(len(rows)))]
    near = [row for row in rows if np.count_nonzero(row != centre) <= radius]
    assert count_ball(network, domain, centre, radius) == tally(network, near)
    assert ball_size(domain, centre, radius) == len(near)


def test_a_large_ball_in_many_inputs():
    # the majority of 100: with all high, 2 flips never matter; 1 + 100 + 4950 points
    n = 100
    layer = ThresholdLayer(np.ones((1, n), dtype=np.int64), np.zeros(1, dtype=np.int64))
    levels = (Fraction(-1),) * n, (Fraction(1),) * n
    readout = np.array([[-1], [1]], dtype=np.int64)
    network = ThresholdNetwork(*levels, (layer,), readout, np.zeros(2, dtype=np.int64))
    domain = domain_of(network)
    assert count_ball(network, domain, np.ones(n, dtype=np.int8), 2) == [0, 5051]
    with pytest.raises(InputError, match="smaller radius"):
        count_ball(network, domain, np.ones(n, dtype=np.int8), 9)
    with pytest.raises(InputError, match="count_within"):
        count(network, domain)


@pytest.mark.parametrize("inputs", [9, 15])
@pytest.mark.parametrize("seed", range(6))
def test_counts_by_patterns_of_the_first_layer(inputs, seed):
    network, _ = some_threshold_network(seed, inputs)
    bits = np.arange(1 << inputs)[:, None] >> np.arange(inputs) & 1
    states = (2 * bits - 1).astype(np.int8)
    assert count_classes(network) == tally(network, list(states))
    held = tally(network, list(states[states[:, 2] == -1]))
    assert count_classes(network, {2: -1}) == held


def answer(capsys, *arguments):
    code = main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return code, out, err


MAJORITY = ("--expr", "sign(x0 + x1 + x2)", "--domain", "-1,1")


def test_the_verb_counts(capsys):
    code, out, _ = answer(capsys, "count", *MAJORITY, "--json")
    assert (code, json.loads(out)) == (
        0,
        {"total": 8, "counts": [4, 4], "rests_on": "recomputation"},
    )


def test_the_verb_counts_under_conditions(capsys):
    # with x0 high, one of x1 and x2 suffices; named inputs are conditions too
    _, out, _ = answer(capsys, "count", *MAJORITY, "--if", "x0=1", "--json")
    assert json.loads(out)["counts"] == [1, 3]
    _, out, _ = answer(
        capsys, "count", *MAJORITY, "--names", "a,b,c", "--if", "b=1, c=-1", "--json"
    )
    assert json.loads(out)["counts"] == [1, 1]


def test_inputs_that_are_numbers_have_their_own_names(capsys):
    _, out, _ = answer(
        capsys, "count", "--expr", "sign(a + b + c)", "--domain", "-1,1", "--if", "b=-1", "-q"
    )
    assert out == "3 1\n"


def test_the_verb_counts_groups(capsys):
    # exactly one of three is high, so the sum is -1
    _, out, _ = answer(capsys, "count", *MAJORITY, "--one-hot", "0-2", "-q")
    assert out == "3 0\n"
    # none, one, two or three are high
    _, out, _ = answer(capsys, "count", *MAJORITY, "--thermometer", "t=0-2", "-q")
    assert out == "2 2\n"


def test_the_verb_counts_a_ball(capsys, tmp_path):
    file = tmp_path / "x.json"
    file.write_text("[1, 1, 1]")
    _, out, _ = answer(capsys, "count", *MAJORITY, "--input", file, "--hamming", 2, "--json")
    # 1 + 3 + 3 points; the last three are lost
    found = json.loads(out)
    rests_on = found.pop("rests_on")
    assert found == {"total": 7, "counts": [3, 4], "decision": 1, "robust": "4/7"}
    assert rests_on == "recomputation"


MISFITS = {
    "--if x7=1": "not understood",
    "--if x1=3": "is never 3",
    "--domain 1": "no pair of levels",
    "--one-hot 2-0": "no group",
    "--one-hot 0-1 --thermometer 1-2": "two groups",
    "--names a,b": "2 names for 3 inputs",
    "--hamming 2": "go together",
}


@pytest.mark.parametrize(("options", "words"), MISFITS.items())
def test_bad_options_are_one_line(capsys, options, words):
    code, out, err = answer(capsys, "count", *MAJORITY, *options.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_no_binarized_network(capsys):
    code, _, err = answer(capsys, "count", "--expr", "x*y + x")
    assert code == 4
    assert "no binarized network" in err


def test_conditions_in_words():
    network, _ = some_threshold_network(0, 5)
    domain = domain_of(
        network,
        one_hot={"colour": (0, 1, 2)},
        thermometer={"age": (3, 4)},
        words={
            0: ("colour ≠ red", "colour = red"),
            1: ("colour ≠ blue", "colour = blue"),
            2: ("colour ≠ green", "colour = green"),
            3: ("age < 30", "age ≥ 30"),
            4: ("age < 50", "age ≥ 50"),
        },
    )
    read = lambda text: Language(network, domain).conditions(text)  # noqa: E731
    assert read("colour = blue, age >= 30") == [(1,), (1, 2)]
    assert read("age<50") == [(0, 1, 2), (0, 1)]
    assert read("x1=0") == [(0, 2), (0, 1, 2)]
    assert read("x3=1,x4=0") == [(0, 1, 2), (1,)]
    assert read("x3=0,x4=1") == [(0, 1, 2), ()]


def test_conditions_about_names_and_values_with_signs_and_commas():
    network, _ = some_threshold_network(0, 5)
    schema = Schema(
        (Column("a", ("b = c", "d, e = f")), Column("a = b", ("c", "≥ 3"), index=1), Column("x3")),
        (
            Bit(0, "a", category="b = c", other="d, e = f"),
            Bit(1, "a = b", category="c", other="≥ 3"),
            *(Bit(2, "x3", lower=k) for k in (1, 2, 3)),
        ),
        (
            Group("free", "a", (0,)),
            Group("free", "a = b", (1,)),
            Group("thermometer", "x3", (2, 3, 4)),
        ),
    )
    domain = Vocabulary.of(schema).domain(network)
    read = lambda text: Language(network, domain, schema.features).conditions(text)  # noqa: E731
    assert read("a = d, e = f, x3 >= 2") == [(0,), (0, 1), (2, 3)]
    assert read("a = b = ≥ 3")[1] == (0,)
    assert read("a = b ≠ ≥ 3,a≠d, e = f") == [(1,), (1,), (0, 1, 2, 3)]
    with pytest.raises(InputError, match="can be about 'a' and 'a = b'"):
        read("a = b = c")
    # the first input by its number
    assert read("0=1")[0] == (1,)


def test_conditions_that_exclude_each_other_are_said_to(capsys):
    code, out, err = answer(capsys, "count", *MAJORITY, "--if", "x0=1,x0=-1", "--json")
    assert (code, json.loads(out)["total"]) == (0, 0)
    assert "exclude each other" in err
