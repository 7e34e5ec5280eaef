"""Outlines, trees, lists and clauses of decisions, beside the decisions themselves."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.explain.concepts import Counting, Equality, always, concept_of
from tamecheck.explain.domain import Domain, Feature
from tamecheck.explain.tables import grid_of
from tamecheck.explain.trees import DecisionTree, Split, decision_list, decision_tree
from tamecheck.learn import BinarizedNetwork, Layer


def values(name, *texts):
    codes = (2 * np.eye(len(texts)) - 1).astype(np.int8)
    said = tuple(f"{name} = {t}" for t in texts)
    return Feature(name, tuple(range(len(texts))), codes, said, (), tuple(map(str, texts)))


def steps(name, *bounds):
    count = len(bounds)
    codes = np.where(np.arange(count) < np.arange(count + 1)[:, None], 1, -1).astype(np.int8)
    words = tuple((f"{name} < {t}", f"{name} ≥ {t}") for t in bounds)
    return Feature(name, tuple(range(count)), codes, ("",) * (count + 1), words)


def grid(features, concept):
    domain = Domain(tuple(features))
    sizes = [len(f.codes) for f in features]
    table = np.array([concept(c) for c in itertools.product(*map(range, sizes))], dtype=np.uint8)
    return grid_of(domain, table.reshape(sizes))


def concept_text(features, concept):
    root = decision_tree(grid(features, concept), concept_of)
    return DecisionTree(root, ("no", "yes", "maybe")).text


ABC = [values(name, "n", "y") for name in "abc"]
MONK = [
    values(name, *range(1, size + 1))
    for name, size in zip("abcdef", (3, 3, 2, 3, 4, 2), strict=True)
]


@pytest.mark.parametrize(
    ("features", "concept", "text"),
    [
        (ABC, lambda c: sum(c) >= 2, "if at least 2 of {a = y; b = y; c = y} then yes\nelse no"),
        (ABC, lambda c: sum(c) == 1, "if exactly 1 of {a = y; b = y; c = y} then yes\nelse no"),
        (ABC, lambda c: sum(c) == 3, "if a = y and b = y and c = y then yes\nelse no"),
        (ABC, lambda c: sum(c) >= 1, "if a = y or b = y or c = y then yes\nelse no"),
        (ABC, lambda c: sum(c) % 2, "if 1 or 3 of {a = y; b = y; c = y} then yes\nelse no"),
        (ABC, lambda c: c[1], "if b = y then yes\nelse no"),
        (ABC, lambda c: (c[0] and not c[1]), "if a = y and b = n then yes\nelse no"),
        (
            ABC,
            lambda c: 2 if sum(c) == 1 else sum(c) > 1,
            (
                "if at least 2 of {a = y; b = y; c = y} then yes\n"
                "else if exactly 1 of {a = y; b = y; c = y} then maybe\nelse no"
            ),
        ),
        (
            MONK,
            lambda c: c[0] == c[1] or c[4] == 0,
            "if e = 1 or a = b then yes\nelse no",
        ),
        (
            MONK,
            lambda c: sum(code == 0 for code in c) == 2,
            "if exactly 2 of {a = 1; b = 1; c = 1; d = 1; e = 1; f = 1} then yes\nelse no",
        ),
        (
            MONK,
            lambda c: (c[4] == 2 and c[3] == 0) or (c[4] != 3 and c[1] != 2),
            "if e = 4 then no\nelse if b ≠ 3 or (d = 1 and e = 3) then yes\nelse no",
        ),
        (
            [steps("age", 30, 50), ABC[0]],
            lambda c: c[0] == 2 and c[1],
            "if age ≥ 50 and a = y then yes\nelse no",
        ),
        ([steps("age", 30, 50)], lambda c: c[0] == 1, "if age ≥ 30 and age < 50 then yes\nelse no"),
        (ABC, lambda _: 1, "yes"),
    ],
)  # fmt: skip
def test_decisions_in_few_words(features, concept, text):
    assert concept_text(features, concept) == text


def test_what_is_symmetric_but_not_quite_is_no_concept():
    """Pairwise exchanges leave it alone where they are tried, and yet one cell differs."""
    table = grid(ABC, lambda c: sum(c) >= 2)
    broken = table.table.copy()
    broken[0, 1, 1] = 0
    assert concept_of(type(table)(table.domain, table.axes, broken)) is None


def test_concepts_are_what_they_say():
    counted = concept_of(grid(ABC, lambda c: sum(c) == 2))
    assert isinstance(counted, Counting)
    assert counted.by_count == (0, 0, 1, 0)
    same = concept_of(grid(MONK[:2], lambda c: c[0] == c[1]))
    assert isinstance(same, Equality)
    assert same.pairs == ((0, 0), (1, 1), (2, 2))
    # equal under other names is not equal
    assert concept_of(grid([MONK[0], values("g", "x", "y", "z")], lambda c: c[0] == c[1])) is None


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_every_form_decides_as_the_table(data):
    sizes = data.draw(st.lists(st.integers(2, 4), min_size=1, max_size=4))
    features = [
        steps(f"s{k}", *range(size - 1))
        if data.draw(st.booleans())
        else values(f"v{k}", *range(size))
        for k, size in enumerate(sizes)
    ]
    classes = data.draw(st.integers(2, 3))
    cells = data.draw(
        st.lists(
            st.integers(0, classes - 1), min_size=int(np.prod(sizes)), max_size=int(np.prod(sizes))
        )
    )
    table = np.array(cells, dtype=np.uint8).reshape(sizes)
    made = grid_of(Domain(tuple(features)), table)
    tree = DecisionTree(decision_tree(made, always), tuple("abc"))
    outline = DecisionTree(decision_tree(made, concept_of), tuple("abc"))
    listed = decision_list(made, tuple("abc"))
    for codes in itertools.product(*map(range, sizes)):
        known = dict(enumerate(codes))
        assert tree.decide(known) == outline.decide(known) == listed.decide(known) == table[codes]
    assert outline.leaves <= tree.leaves


def test_a_tree_has_a_limit():
    parity = grid([values(f"v{k}", 0, 1, 2) for k in range(4)], lambda c: sum(c) % 3 == 0)
    assert decision_tree(parity, always, most=10) is None
    assert isinstance(decision_tree(parity, always), Split)


LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


@pytest.fixture(scope="module")
def game():
    """A network that sees three crosses in a line; each field is x, o or b, one-hot."""
    weights = np.zeros((27, 8))
    for neuron, line in enumerate(LINES):
        weights[[3 * field for field in line], neuron] = 1
    lines = Layer(weights, np.full(8, -2.0))
    any_line = np.array([[-1.0, 1.0]] * 8)
    return BinarizedNetwork((lines, Layer(any_line, np.array([-7.0, 7.0]))))


def test_the_lines_of_a_game_are_its_rules(game):
    """Proved over all 3^9 boards: the rules of x are the eight lines, and no others."""
    names = [f"f{field}" for field in range(9)]
    texts = [f"{name} = {value}" for name in names for value in "xob"]
    groups = {name: range(3 * k, 3 * k + 3) for k, name in enumerate(names)}
    words = {i: (text.replace("=", "≠"), text) for i, text in enumerate(texts)}
    from tamecheck.explain import domain_of, network_of

    network = network_of(game.to_model(), (-1, 1))
    found = tc.get_rules(
        network, domain_of(network, one_hot=groups, words=words), classes=["other", "x wins"]
    )
    assert (found.faithful, found.domain.size) == ("exact", 3**9)
    assert {rule.if_ for rule in found if rule.then == 1} == {
        " and ".join(f"f{field} = x" for field in line) for line in LINES
    }
    assert len(found.decision_list()) == 9
    assert found.decision_list().default == 0
    # as clauses: in each, one field of every line
    for clause in found.clauses(1):
        fields = {int(part[1]) for part in clause.split(" or ")}
        assert all(fields & set(line) for line in LINES)
    tree = found.tree()
    for board in np.random.default_rng(0).integers(3, size=(200, 9)).tolist():
        wins = any(all(board[field] == 0 for field in line) for line in LINES)
        assert tree.decide(dict(enumerate(board))) == int(wins)


def answer(capsys, *arguments):
    code = main(["rules", "--expr", "sign(x0 + x1 + x2)", "--domain", "-1,1", *arguments])
    return code, capsys.readouterr().out


def test_the_verb_writes_each_form(capsys):
    code, out = answer(capsys)
    lines = ["class 1 from 2 points, else class 0:", *(f"  +1  x{k} = 1" for k in range(3))]
    assert (code, out.splitlines()[:4]) == (0, lines)
    assert "all 8 points" in out.splitlines()[4]
    _, out = answer(capsys, "--form", "cnf")
    assert out.splitlines()[:2] == ["1 if all of", "  x0 = 1 or x1 = 1"]
    _, out = answer(capsys, "--form", "list", "--json")
    found = json.loads(out)
    assert found["form"]["kind"] == "list"
    assert found["form"]["size"] == 4
    assert found["outline"].startswith("if at least 2 of")
    _, out = answer(capsys, "--form", "tree", "--json")
    assert json.loads(out)["form"]["size"] == 6
    _, out = answer(capsys, "--form", "rules")
    assert len(out.splitlines()) == 7


def test_rules_cut_short_have_no_clauses(capsys):
    code, out = answer(capsys, "--form", "cnf", "--limit", "2")
    assert (code, out.splitlines()[0]) == (3, "There is no cnf of this size.")
