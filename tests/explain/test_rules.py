"""Rules say what the network does: over the whole domain, or where they say so."""

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.cli.entry import main
from tamecheck.errors import InputError
from tamecheck.explain.domain import domain_of
from tamecheck.explain.rules import RuleTask, get_rules, rules_of_points
from tamecheck.explain.rules_result import about, percent, shares
from tamecheck.loaders.tables.schema import Bit, Column, Group, Schema
from tamecheck.loaders.tables.schema_file import schema_document

MONK = {
    "head": (0, 1, 2),
    "body": (3, 4, 5),
    "smiling": (6, 7),
    "holding": (8, 9, 10),
    "jacket": (11, 12, 13, 14),
    "tie": (15, 16),
}
NAMES = [f"{name}={k + 1}" for name, group in MONK.items() for k in range(len(group))]


def network(layers, readout, offsets, low=-1):
    n = len((layers[0][0] if layers else readout)[0])
    built = tuple(ThresholdLayer(np.array(w), np.array(t)) for w, t in layers)
    levels = (Fraction(low),) * n, (Fraction(1),) * n
    return ThresholdNetwork(*levels, built, np.array(readout), np.array(offsets))


def monk_1():
    """A neuron for each common value of head and body, one for the first jacket."""
    weights = np.zeros((4, 17), dtype=np.int64)
    for k in range(3):
        weights[k, [k, 3 + k]] = 1
    weights[3, 11] = 1
    return network([(weights, [2, 2, 2, 1])], [[0] * 4, [1] * 4], [0, 3])


def monk_2():
    """At least two first values, and not at least three: sums of six signs reach -2, and 0."""
    weights = np.zeros((2, 17), dtype=np.int64)
    weights[:, [group[0] for group in MONK.values()]] = 1
    return network([(weights, [-2, 0])], [[0, 0], [1, -1]], [0, -1])


CONCEPTS = {
    "monk-1": (monk_1, lambda a: a[0] == a[1] or a[4] == 0),
    "monk-2": (monk_2, lambda a: sum(code == 0 for code in a) == 2),
}


@pytest.mark.parametrize("problem", CONCEPTS)
def test_rules_of_a_monk_problem_are_the_published_concept(problem):
    build, concept = CONCEPTS[problem]
    found = get_rules(build(), one_hot=MONK)
    assert found.faithful == "exact"
    for codes in itertools.product(*map(range, (3, 3, 2, 3, 4, 2))):
        says = {
            rule.then
            for rule in found
            if all(codes[part.feature] in part.codes for part in rule.conditions)
        }
        assert says == {int(concept(codes))}


def test_monk_1_in_words():
    values = [str(k + 1) for group in MONK.values() for k in range(len(group))]
    found = get_rules(monk_1(), domain_of(monk_1(), names=values, one_hot=MONK))
    positive = {rule.if_ for rule in found if rule.then == 1}
    assert positive == {
        "head = 1 and body = 1",
        "head = 2 and body = 2",
        "head = 3 and body = 3",
        "jacket = 1",
    }
    assert "jacket ≠ 1" in found.text
    assert sum(rule.coverage for rule in found if rule.then == 1) == Fraction(3, 9) + Fraction(1, 4)


def some_network(seed):
    rng = np.random.default_rng(seed)
    n, largest = int(rng.integers(3, 8)), int(rng.integers(1, 4))
    layers, width = [], n
    for size in rng.integers(2, 6, int(rng.integers(0, 3))).tolist():
        layers.append(
            (rng.integers(-largest, largest + 1, (size, width)), rng.integers(-3, 4, size))
        )
        width = size
    classes = int(rng.integers(2, 4))
    readout = rng.integers(-9, 10, (classes, width))
    built = tuple(ThresholdLayer(w, t) for w, t in layers)
    levels = (Fraction(0),) * n, (Fraction(1),) * n
    made = ThresholdNetwork(*levels, built, readout, rng.integers(-9, 10, classes))
    order, one_hot, thermometer = rng.permutation(n).tolist(), {}, {}
    while len(order) > 1:
        size = int(rng.integers(1, min(4, len(order)) + 1))
        group, order = order[:size], order[size:]
        if size > 1:
            (one_hot if rng.random() < 0.5 else thermometer)[f"g{group[0]}"] = group
    return made, domain_of(made, one_hot=one_hot, thermometer=thermometer)


def check_rules(found, made, domain):
    """Every point is in a rule of its class, or in none if the rules are not exact."""
    reached = 0
    rows = []
    for codes in itertools.product(*(range(len(f.codes)) for f in domain.features)):
        states = domain.states(codes)
        rows.append(states)
        decided = int(made.decide(states[None, :])[0])
        says = {
            rule.then
            for rule in found
            if all(codes[part.feature] in part.codes for part in rule.conditions)
        }
        assert says <= {decided}
        reached += bool(says)
    assert Fraction(reached, domain.size) == found.covered
    if found.faithful == "exact":
        assert reached == domain.size
        assert (found.decide(np.array(rows)) == made.decide(np.array(rows))).all()


@pytest.mark.parametrize("seed", range(24))
def test_rules_of_random_networks(seed):
    made, domain = some_network(seed)
    found = get_rules(made, domain)
    assert found.faithful == "exact"
    check_rules(found, made, domain)


@pytest.mark.slow
def test_rules_of_more_networks():
    for seed in range(60, 200):
        made, domain = some_network(seed)
        check_rules(get_rules(made, domain), made, domain)


@pytest.mark.parametrize("seed", range(12))
def test_rules_that_are_cut_short_hold_and_prove_their_share(seed):
    made, domain = some_network(seed)
    found = get_rules(made, domain, most=2)
    check_rules(found, made, domain)
    if found.faithful != "exact":
        assert found.default is not None
        assert "Proved" in found.text


@pytest.mark.parametrize("seed", range(12))
def test_rules_from_points_hold_and_prove_their_share(seed):
    made, domain = some_network(seed)
    rng = np.random.default_rng(seed)
    codes = [[int(rng.integers(len(f.codes))) for f in domain.features] for _ in range(5)]
    states = np.stack([domain.states(row) for row in codes])
    labels = tuple(map(str, range(made.classes)))
    found = rules_of_points(RuleTask(made, domain, labels, states))
    check_rules(found, made, domain)
    assert found.fidelity == 1.0


def test_a_large_domain_has_a_proved_share():
    # of 40 inputs the first decides alone
    made = network([], [[0] * 40, [9] + [0] * 39], [0, 0])
    found = get_rules(made)
    assert (found.faithful, len(found)) == ("exact", 2)
    assert {rule.if_ for rule in found} == {"x0 = -1", "x0 = 1"}


def test_words_of_a_thermometer_are_merged():
    # age has thresholds 30, 50, 70; the decision is that exactly one holds
    words = {i: (f"age < {t}", f"age ≥ {t}") for i, t in enumerate((30, 50, 70))}
    made = network([([[1, 0, 0], [0, 1, 0]], [1, 1])], [[0, 0], [1, -1]], [0, -1])
    found = get_rules(made, domain_of(made, thermometer={"age": (0, 1, 2)}, words=words))
    assert [(rule.if_, rule.then, rule.coverage) for rule in found] == [
        ("age ≥ 50", 0, Fraction(1, 2)),
        ("age < 30", 0, Fraction(1, 4)),
        ("age ≥ 30 and age < 50", 1, Fraction(1, 4)),
    ]


def test_pipelines_bring_their_words():
    from sklearn.pipeline import make_pipeline

    from tamecheck.learn import Binariser, SteBinarizedClassifier

    rng = np.random.default_rng(0)
    ages = rng.integers(18, 80, 60).astype(float)
    rows = np.empty((60, 2), dtype=object)
    rows[:, 0], rows[:, 1] = ages, rng.choice(["red", "blue", "green"], 60)
    labels = np.where((ages > 40) & (rows[:, 1] != "red"), "yes", "no")
    pipeline = make_pipeline(
        Binariser(names=["age", "colour"], units={"age": "years"}, thresholds={"age": [40.5]}),
        SteBinarizedClassifier(hidden=(4,), random_state=0),
    ).fit(rows, labels)
    found = get_rules(pipeline, data=rows)
    assert found.faithful == "exact"
    assert found.fidelity == 1.0
    assert found.classes == ("no", "yes")
    assert found.domain.size == 6
    assert "colour" in found.text or "age" in found.text


def test_names_are_shown_as_text():
    made = network([], [[0, 0], [1, 0]], [0, 0])
    found = get_rules(made, names=["<script>alert(1)</script>", "a|b"], classes=["<b>", "|"])
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()
    markdown = found.to_markdown()
    assert "<script>" not in markdown
    # an unescaped bar would begin another cell
    assert all(row.replace("\\|", "").count("|") == 4 for row in markdown.splitlines()[:4])


def test_the_frame_has_a_row_for_each_rule():
    frame = get_rules(monk_1(), one_hot=MONK).to_dataframe()
    assert list(frame.columns) == ["if", "then", "coverage", "exact"]
    assert len(frame) == len(get_rules(monk_1(), one_hot=MONK))


def test_same_seed_same_rules():
    made, domain = some_network(7)
    assert get_rules(made, domain, seed=3).to_json() == get_rules(made, domain, seed=3).to_json()


def test_a_label_for_each_class():
    with pytest.raises(InputError, match="3 labels for 2 classes"):
        get_rules(monk_1(), one_hot=MONK, classes=["a", "b", "c"])


def answer(capsys, *arguments):
    code = main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return code, out, err


def test_the_verb_lists_rules(capsys, tmp_path):
    names = tmp_path / "model.features.json"
    schema = Schema(
        (Column("age"), Column("sex", ("f", "m"), 1)),
        (Bit(0, "age", lower=30), Bit(0, "age", lower=50), Bit(1, "sex", category="f", other="m")),
        (Group("thermometer", "age", (0, 1)), Group("free", "sex", (2,))),
        ("no", "yes"),
    )
    names.write_text(json.dumps(schema_document(schema)))
    model = ("--expr", "sign(x0 + x1 + x2)")
    code, out, _ = answer(capsys, "rules", *model, "--names", names, "--json")
    found = json.loads(out)
    assert (code, found["faithful"], found["domain"]["points"]) == (0, "exact", 6)
    assert {(r["if"], r["then"], r["label"], r["coverage"]) for r in found["rules"]} == {
        ("age ≥ 50", 1, "yes", "1/3"),
        ("age ≥ 30 and sex = f", 1, "yes", "1/3"),
        ("age < 30", 0, "no", "1/3"),
        ("age < 50 and sex = m", 0, "no", "1/3"),
    }
    assert all(rule["exact"] for rule in found["rules"])
    assert found["neurons"]["text"] == (
        "n1.1: at least 2 of {age ≥ 30; age ≥ 50; sex = f}\nyes if n1.1; else no"
    )
    code, out, _ = answer(capsys, "rules", *model, "--domain", "-1,1", "--neurons")
    assert "n1.1: at least 2 of {x0 = 1; x1 = 1; x2 = 1}\n1 if n1.1; else 0" in out


def test_the_verb_measures_on_data(capsys, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("a,b,c\n1,1,-1\n-1,-1,-1\n")
    _, out, _ = answer(capsys, "rules", "--expr", "sign(x0+x1+x2)", "--data", file, "--json")
    assert json.loads(out)["fidelity"] == 1.0
    file.write_text("1,1,1\n1,1\n")
    code, _, err = answer(capsys, "rules", "--expr", "sign(x0+x1+x2)", "--data", file)
    assert code == 2
    assert "rows.csv:2: The row has 2 values, not 3 (row 1)" in err


def test_shares_are_rounded_to_what_is_true():
    assert [about(Fraction(k, 6)) for k in (0, 1, 4, 6)] == ["0 %", "16.67 %", "66.67 %", "100 %"]
    assert percent(Fraction(2, 3)) == "66.66 %"
    assert about(Fraction(99_999, 100_000)) == "99.99 %"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([1, 1, 1], ["33.34%", "33.33%", "33.33%"]),
        ([2, 1], ["66.67%", "33.33%"]),
        ([1, 10**6], ["<0.01%", ">99.99%"]),
        ([0, 7], ["0.00%", "100.00%"]),
        ([0, 0], ["", ""]),
    ],
)
def test_shares_add_up(counts, said):
    assert shares(counts) == said


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=9).filter(any))
def test_shares_are_within_a_hundredth_and_add_up(counts):
    total, found = sum(counts), shares(counts)
    units = [Fraction(text.strip("<>%")) * 100 for text in found]
    for count, text, unit in zip(counts, found, units, strict=True):
        if text[0] not in "<>":
            assert abs(Fraction(10_000 * count, total) - unit) < 1
    if not any(text[0] in "<>" for text in found):
        assert sum(units) == 10_000
