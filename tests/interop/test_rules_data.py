"""Rules and counts of real tables and networks: MONK problems, votes, iris, wine, NPAQ."""

import csv
import itertools
import json

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli.entry import main
from tamecheck.explain.cell_rules import rules_of_cells
from tamecheck.learn import SteBinarizedClassifier

SIZES = (3, 3, 2, 3, 4, 2)
CONCEPTS = {
    1: lambda a: a[0] == a[1] or a[4] == 0,
    2: lambda a: sum(code == 0 for code in a) == 2,
}


def test_the_verb_counts_as_catalogued(data, capsys):
    checked = 0
    with (data / "MANIFEST.tsv").open(newline="") as file:
        for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if not row[0].startswith("bnn/npaq") or "class histogram" not in row[4]:
                continue
            text = row[4].split("}^", 1)[1]
            counts = json.loads(text[text.index(": [") + 2 : text.index("]") + 1])
            assert main(["count", str(data / row[0]), "--json"]) == 0
            found = json.loads(capsys.readouterr().out)
            assert (found["counts"], found["total"]) == (counts, sum(counts))
            checked += 1
    assert checked >= 10


def test_rules_of_a_catalogued_network(data, capsys):
    path = str(data / "bnn/npaq/mnist-9-bnn_9_1blk_1.onnx")
    assert main(["rules", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["faithful"] == "exact"
    model = tc.load(path)
    rng = np.random.default_rng(0)
    for states in rng.choice([-1, 1], (20, 9)).tolist():
        scores = np.asarray(model.evaluate(np.array([states]), exact=True)).reshape(-1).tolist()
        says = {
            rule["then"]
            for rule in found["rules"]
            if all(
                [states[i] for i in part["inputs"]] in part["states"] for part in rule["conditions"]
            )
        }
        assert says == {scores.index(max(scores))}


def monk(data, number):
    text = (data / f"tab/monks-{number}.test.arff").read_text().split("@data")[1]
    rows = np.array([[int(v) for v in line.split(",")] for line in text.split()])
    codes = rows[:, 1:] - 1
    signs = [2 * np.eye(size)[codes[:, k]] - 1 for k, size in enumerate(SIZES)]
    return np.concatenate(signs, axis=1), rows[:, 0]


@pytest.mark.parametrize("number", CONCEPTS)
def test_a_network_that_learnt_a_monk_problem_gives_its_concept(data, number):
    x, y = monk(data, number)
    trained = SteBinarizedClassifier(hidden=(16,), random_state=0, epochs=300).fit(x, y)
    assert (trained.predict(x) == y).all()
    starts = np.cumsum([0, *SIZES]).tolist()
    groups = {f"a{k + 1}": range(starts[k], starts[k + 1]) for k in range(6)}
    found = tc.get_rules(trained, one_hot=groups)
    assert found.faithful == "exact"
    for codes in itertools.product(*map(range, SIZES)):
        says = {
            rule.then
            for rule in found
            if all(codes[part.feature] in part.codes for part in rule.conditions)
        }
        assert says == {int(CONCEPTS[number](codes))}


@pytest.mark.slow
def test_rules_of_votes(data):
    lines = (data / "tab/house-votes-84.data").read_text().split()
    rows = [line.split(",") for line in lines]
    x = np.array([[1.0 if vote == "y" else -1.0 for vote in row[1:]] for row in rows])
    trained = SteBinarizedClassifier(hidden=(4,), random_state=0).fit(x, [r[0] for r in rows])
    found = tc.get_rules(trained, data=x)
    assert (found.faithful, found.fidelity) == ("exact", 1.0)
    some = tc.get_rules(trained, data=x, most=100)
    assert len(some) == 100
    assert 0 < some.faithful < 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("table", ["iris", "wine"])
def test_rules_of_cells_on_many_points(table):
    from sklearn import datasets
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = getattr(datasets, f"load_{table}")(return_X_y=True)
    network = MLPClassifier((4,), random_state=0, max_iter=2000)
    trained = make_pipeline(StandardScaler(), network).fit(x, y)
    low, high = x.min(axis=0), x.max(axis=0)
    model = tc.from_sklearn(trained)
    found = rules_of_cells(model, {"x": (low.tolist(), high.tolist())})
    points = np.random.default_rng(0).uniform(low, high, (100_000, x.shape[1]))
    said, label = found.decide(points), trained.predict(points)
    # where floats disagree, the exact scores of the model decide
    for row in np.flatnonzero(said != label):
        exact = model.evaluate(points[row], exact=True)[1]
        assert said[row] == exact.item()
    assert (said != label).sum() < 10
