"""Small tables that once were read as other tables: domains, categories, and rows by name."""

import csv
import json

import pytest

from tamecheck.cli import main


@pytest.fixture
def cases(data):
    return data.parent / "cases" / "tables"


def run(capsys, *arguments):
    capsys.readouterr()
    code = main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return code, json.loads(out) if out.startswith("{") else out, err


def trained(capsys, cases, tmp_path, name, target):
    out = tmp_path / "net.json"
    options = ["--method", "ste", "--hidden", "8", "--epochs", "5", "--test", "0"]
    options += ["--json", "-o", out]
    code, answer, err = run(capsys, "train", cases / name, "--target", target, *options)
    assert code == 0, err
    return out, answer


def test_every_expected_table_is_tried(cases):
    with (cases / "EXPECTED.tsv").open(encoding="utf-8", newline="") as file:
        known = {row["file"]: row["target"] for row in csv.DictReader(file, delimiter="\t")}
    assert known == {
        "booleans_named_like_levels.csv": "label",
        "categories_with_operators.csv": "class",
        "units.csv": "y",
        "dash_or_one_train.csv": "y",
        "unseen_category_new.csv": "y",
    }


@pytest.mark.parametrize(
    ("name", "target", "points"),
    [
        ("booleans_named_like_levels.csv", "label", 2 * 2 * 2 * 5),
        ("categories_with_operators.csv", "class", 4 * 5),
        ("units.csv", "y", 5 * 5),
    ],
)
def test_the_domain_is_the_product_of_the_columns_cells(  # noqa: PLR0913, PLR0917  # fixtures
    cases, tmp_path, capsys, name, target, points
):
    net, answer = trained(capsys, cases, tmp_path, name, target)
    code, found, _ = run(capsys, "count", net, "--json")
    assert (code, found["total"]) == (0, points)
    code, found, _ = run(capsys, "rules", net, "--json", "--data", cases / name)
    assert (code, found["domain"]["points"], found["fidelity"]) == (0, points, 1.0)
    with (cases / name).open(encoding="utf-8", newline="") as file:
        labels = [row[target] for row in csv.DictReader(file)]
    code, found, err = run(capsys, "explain", net, "--json", "--data", cases / name)
    assert code == 0, err
    said = found["explanations"]
    assert [(one["row"], one["line"]) for one in said] == [(k, k + 2) for k in range(len(labels))]
    assert [one["label"] for one in said] == labels
    right = sum(one["class"] == label for one, label in zip(said, labels, strict=True))
    assert right / len(labels) == pytest.approx(answer["train_accuracy"])


def test_a_category_stays_what_it_was_in_training(cases, tmp_path, capsys):
    net, _ = trained(capsys, cases, tmp_path, "dash_or_one_train.csv", "y")
    new = cases / "dash_or_one_new.csv"
    code, found, err = run(
        capsys, "explain", net, "--data", new, "--json", "--kind", "relevancy", "-q"
    )
    assert code == 0, err
    assert [one["label"] for one in found["explanations"]] == ["yes"] * 3
    code, found, _ = run(capsys, "explain", net, "--data", new, "--json", "--rows", "0")
    assert (found["row"], found["line"], code) == (0, 2, 0)
    assert "flag = -" not in found["literals"]
    code, _, err = run(capsys, "explain", net, "--data", cases / "unseen_category_new.csv")
    assert code == 2
    assert err.count("\n") == 2
    assert "row 0 (line 2), column 'flag': 'Z' is a category that was not there in training" in err
