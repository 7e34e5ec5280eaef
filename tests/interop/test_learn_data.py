"""Networks trained on real tables, and exact counts of what they decide."""

import itertools

import numpy as np
import pytest

from tamecheck.binarized import count_classes, recognise
from tamecheck.learn import Binariser, SteBinarizedClassifier, TameBinarizedClassifier
from tamecheck.loaders.tables.table import read_table


@pytest.fixture(scope="module")
def votes(data):
    path = data / "tab" / "house-votes-84.data"
    return read_table(path, target=0, header=False, missing="drop")


@pytest.mark.parametrize("make", [SteBinarizedClassifier, TameBinarizedClassifier])
@pytest.mark.parametrize("weights", ["real", "ternary"])
def test_votes(votes, make, weights):
    binariser = Binariser(names=votes.names).fit(votes.rows)
    assert len(binariser.bits_) == 16
    x = binariser.transform(votes.rows)
    train = np.arange(len(x)) % 4 > 0
    trained = make((6,), weights=weights, epochs=60, random_state=0)
    trained.fit(x[train], votes.labels[train])
    assert trained.score(x[~train], votes.labels[~train]) > 0.8
    # all 2**16 inputs: the model as logic counts what NumPy decides
    counts = count_classes(recognise(trained.to_model().graph, [(-1, 1)] * 16))
    every = np.array(list(itertools.product([-1.0, 1.0], repeat=16)))
    assert counts == np.bincount(trained.network_.decide(every), minlength=2).tolist()


@pytest.mark.parametrize(
    ("file", "options", "rows", "features"),
    [
        ("monks-1.train.arff", {"target": "class"}, 124, 6),
        ("keel/titanic.dat.gz", {"header": False}, 2201, 3),
        ("pyxai/iris.csv.gz", {}, 150, 4),
        ("xreason/zoo.csv.gz", {}, 101, 16),
        ("house-votes-84.data", {"target": 0, "header": False}, 232, 16),
    ],
)
def test_tables_are_read(data, file, options, rows, features):
    table = read_table(data / "tab" / file, **options)
    assert table.rows.shape == (rows, features)
    assert table.labels.shape == (rows,)
