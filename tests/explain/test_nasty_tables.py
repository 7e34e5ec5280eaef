"""Tables whose names and values look like sentences, beside brute force over their own columns."""

import csv
import io
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli import main

NAMES = [
    *(
        "kind=a",
        "kind=b",
        "kind",
        "size (cm)",
        "size (kg)",
        "size",
        "x ≥ 3",
        "a <= b",
        "age [years]",
    ),
    *('say "hi"', "f(x)", "[0, 1)", "≠", "x0", "1", "3", "-1", "if", "a, b", "not in {c}", "true"),
    *("a and b", "c or d", "größe", "n/a", "NA2", "<b>", "x0=1", "a = b", "b = c", "in [1, 2) km"),
]
WORDS = [
    *("a", "b", "-", "1", "1.0", "01", "True", "False", ">= 900 EUR", "< 0 DM", "0 <= x < 200 DM"),
    *("a = b", "b = c", "n.a.", "not known", "nan!", "[1, 2)", "{a, b}", '"q"', "'", "a, b", "≥ 3"),
    *(
        "a or b",
        "x and y",
        "1_000",
        "(cm)",
        "c (kg)",
        "<i>",
        "--",
        "$1",
        "true",
        "yes",
        "é",
        "0x10",
    ),
]
SEEDS = range(int(os.environ.get("TAMECHECK_TABLES", "4")))


def some_table(seed):
    """Names, and rows of cells as text; the last column is the label."""
    rng = np.random.default_rng(seed)
    names = rng.choice(NAMES, size=int(rng.integers(2, 5)), replace=False).tolist()
    columns = []
    for _ in names:
        kind = rng.integers(4)
        if kind == 0:
            columns.append(rng.choice(["True", "False"], 40).tolist())
        elif kind == 1:
            columns.append(rng.integers(0, rng.integers(2, 30), 40).tolist())
        elif kind == 2:
            columns.append(np.round(rng.normal(size=40), 2).tolist())
        else:
            words = rng.choice(WORDS, size=int(rng.integers(2, 5)), replace=False).tolist()
            columns.append(rng.choice(words, 40).tolist())
    labels = rng.choice(["no", "yes (1)"], 40).tolist()
    return names, [list(map(str, row)) for row in zip(*columns, labels, strict=True)]


def text_of(names, rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([names, *rows])
    return out.getvalue()


def run(capsys, *arguments):
    capsys.readouterr()
    code = main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return code, json.loads(out) if out.startswith("{") else out, err


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def cells_of(cells, said):
    """A cell of the file for each cell of the domain of a column, by what its inputs say."""
    if all(map(is_number, cells)):
        cuts = sorted(one["lower"] for one in said)
        values = [float(cell) for cell in cells]
        parts = [[] for _ in range(len(cuts) + 1)]
        for value in values:
            parts[sum(value >= cut for cut in cuts)].append(value)
        return [repr(part[0]) for part in parts]
    return sorted(set(cells))


def signs(row, said):
    """The inputs of a row, by the data of the file beside the model alone."""
    found = []
    for one in said:
        cell = row[one["column"]]
        holds = float(cell) >= one["lower"] if "lower" in one else cell == one["category"]
        found.append(1 if holds else -1)
    return found


@pytest.fixture
def trained(request, tmp_path, capsys, monkeypatch):
    """A tiny network of a table, the rows that can occur, and the class of each."""
    monkeypatch.chdir(tmp_path)
    names, rows = some_table(request.param)
    (tmp_path / "t.csv").write_text(text_of([*names, "y"], rows), encoding="utf-8")
    options = ["--method", "ste", "--hidden", "3", "--epochs", "3", "--thresholds", "2"]
    suffix = (".json", ".onnx")[request.param % 2]
    command = ["train", "t.csv", "--target=-1", *options, "--seed", request.param, "--json"]
    command += ["-o", f"net{suffix}"]
    code, answer, err = run(capsys, *command, *(["--test", "0.3"] if request.param % 3 else []))
    assert code == 0, err
    document = json.loads((tmp_path / f"net{suffix}.features.json").read_text(encoding="utf-8"))
    if suffix == ".onnx":
        (tmp_path / f"net{suffix}.features.json").unlink()
    said = document["inputs"]
    columns = [
        cells_of([row[k] for row in rows], [one for one in said if one["column"] == k])
        for k in range(len(names))
    ]
    every = list(itertools.product(*columns))
    model = tc.load(f"net{suffix}")
    network = tc.Explainer(model).network
    points = np.array([signs(row, said) for row in every])
    # the model itself on a few of them, the network of integers on all
    decided = network.decide(points.astype(np.int8)).tolist()
    for k in range(0, len(every), 1 + len(every) // 5):
        scores = np.asarray(model.evaluate(points[k], exact=True)).reshape(-1).tolist()
        assert scores.index(max(scores)) == decided[k]
    return f"net{suffix}", names, rows, every, points, decided, answer["classes"]


@pytest.mark.slow
@pytest.mark.parametrize("trained", SEEDS, indirect=True)
def test_answers_are_those_of_brute_force(trained, capsys):
    net, names, rows, every, points, decided, classes = trained
    # the domain and the counts
    code, found, err = run(capsys, "count", net, "--json")
    assert (code, found["total"]) == (0, len(every)), err
    assert found["counts"] == [decided.count(k) for k in range(len(classes))]
    # the rules
    code, found, err = run(capsys, "rules", net, "--data", "t.csv", "--json", "-q")
    assert (code, found["faithful"], found["domain"]["points"]) == (0, "exact", len(every)), err
    assert (found["fidelity"], found["table"]["rows"]) == (1.0, len(rows))
    for point, decision in zip(points.tolist(), decided, strict=True):
        says = {
            rule["then"]
            for rule in found["rules"]
            if all(
                [point[i] for i in part["inputs"]] in part["states"] for part in rule["conditions"]
            )
        }
        assert says == {decision}
    # the explanations of rows of the training, and of every row that can occur
    code, found, err = run(capsys, "explain", net, "--data", "t.csv", "--json", "-q")
    assert code == 0, err
    assert [one["row"] for one in found["explanations"]] == list(range(len(rows)))
    assert [one["label"] for one in found["explanations"]] == [row[-1] for row in rows]
    said = {name: k for k, name in enumerate(columns_in_words(names))}
    Path("every.csv").write_text(text_of(names, every), encoding="utf-8")
    code, found, err = run(capsys, "explain", net, "--data", "every.csv", "--json", "-q")
    assert code == 0, err
    assert [one["decision"] for one in found["explanations"]] == decided
    for row, one in zip(every, found["explanations"], strict=True):
        kept = [said[name] for name in one["names"]]
        # sufficient, and no part of it is
        assert {alike(row, every, decided, kept)} == {1}
        assert all(alike(row, every, decided, set(kept) - {k}) > 1 for k in kept)


def columns_in_words(names):
    """What columns are called: the same without a unit, where that is another name."""
    bare = [n.rsplit(" ", 1)[0] if n in UNITS else n for n in names]
    taken = bare + [n for n in names if n in UNITS]
    return [b if taken.count(b) == 1 else n for n, b in zip(names, bare, strict=True)]


UNITS = ("size (cm)", "size (kg)", "age [years]")


def alike(row, every, decided, kept):
    """How many classes the rows have that agree with a row on some columns."""
    same = [
        decision
        for other, decision in zip(every, decided, strict=True)
        if all(other[k] == row[k] for k in kept)
    ]
    return len(set(same))
