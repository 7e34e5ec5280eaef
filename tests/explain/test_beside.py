"""The verbs read the file that training wrote beside a model, and rows of the same table."""

import json

import pytest

import tamecheck as tc
from tamecheck.cli import main

ROWS = [
    "age,size,keen,bought",
    *(
        f"{age},{size},{keen},{'yes' if (age > 40) + (size == 'm') + (keen == 'y') >= 2 else 'no'}"
        for age in (20, 30, 50, 60)
        for size in "sml"
        for keen in "yn"
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.csv").write_text("\n".join(ROWS) + "\n")
    out = str(folder / "shop.json")
    train = ["train", str(folder / "shop.csv"), "--target", "bought", "-o", out, "-q"]
    assert main([*train, "--method", "ste", "--hidden", "6", "--thresholds", "1"]) == 0
    return folder


def answer(capsys, *arguments):
    capsys.readouterr()
    code = main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return code, out, err


def test_two_categories_are_each_other_in_words(folder):
    said = json.loads((folder / "shop.json.features.json").read_text(encoding="utf-8"))
    assert said["features"] == ["age ≥ 40", "size = l", "size = m", "size = s", "keen = y"]
    assert said["negations"][0::4] == ["age < 40", "keen = n"]


def test_rules_and_counts_are_about_the_features(folder, capsys):
    code, out, err = answer(capsys, "rules", folder / "shop.json", "--json", "-q")
    found = json.loads(out)
    assert (code, found["faithful"], found["domain"]["points"], err) == (0, "exact", 12, "")
    assert {"age", "size", "keen"} >= {
        part["feature"] for rule in found["rules"] for part in rule["conditions"]
    }
    code, out, _ = answer(capsys, "count", folder / "shop.json", "--json")
    assert (code, json.loads(out)["total"]) == (0, 12)
    assert json.loads(out)["classes"] == ["no", "yes"]


def test_the_file_can_be_left_aside(folder, capsys):
    code, out, _ = answer(capsys, "count", folder / "shop.json", "--names", "-", "--json")
    assert (code, json.loads(out)["total"]) == (0, 32)


def test_a_file_of_another_model_is_refused(folder, capsys):
    expression = "sign(a + b + c + d + e)"
    tc.expression(expression).save(folder / "other.json")
    said = (folder / "shop.json.features.json").read_bytes()
    (folder / "other.json.features.json").write_bytes(said)
    code, _, err = answer(capsys, "rules", folder / "other.json")
    assert code == 2
    assert "other.json.features.json: What the inputs say belongs to another model" in err
    tc.expression("sign(a + b)").save(folder / "two.json")
    (folder / "two.json.features.json").write_bytes(said)
    code, _, err = answer(capsys, "rules", folder / "two.json")
    assert (code, "5 names for 2 inputs" in err) == (2, True)


def test_sentences_of_earlier_versions_are_not_read(folder, capsys):
    (folder / "old.json").write_bytes((folder / "shop.json").read_bytes())
    old = {"features": ["age ≥ 40", "size = l", "size = m", "size = s", "keen = y"], "classes": []}
    (folder / "old.json.features.json").write_text(json.dumps(old), encoding="utf-8")
    for verb in ("rules", "count"):
        code, _, err = answer(capsys, verb, folder / "old.json")
        assert (code, "sentences are not read. Train the model again" in err) == (2, True)
    code, out, _ = answer(
        capsys, "count", folder / "old.json", "--names", "-", "--domain", "-1,1", "-q"
    )
    assert (code, sum(map(int, out.split()))) == (0, 32)


def test_rules_are_measured_on_the_table(folder, capsys):
    table = ["--data", folder / "shop.csv", "--target", "bought", "--json"]
    code, out, _ = answer(capsys, "rules", folder / "shop.json", *table)
    assert (code, json.loads(out)["fidelity"]) == (0, 1.0)


def test_rows_of_the_table_are_explained_by_name(folder, capsys):
    # 50, l, y: bought
    table = ["--data", folder / "shop.csv", "--rows", "16"]
    code, out, _ = answer(capsys, "explain", folder / "shop.json", *table)
    assert (code, out.splitlines()[0]) == (0, "if age ≥ 40 and keen = y then yes")
    kind = ["--kind", "counterfactual", "--towards", "no", "--immutable", "age"]
    code, out, _ = answer(capsys, "explain", folder / "shop.json", *table, *kind, "--json")
    found = json.loads(out)
    assert (found["label"], found["other_label"], found["names"]) == ("yes", "no", ["keen"])
    assert found["rule"] == "yes becomes no with keen = y → keen = n"
    assert (found["row"], found["line"], found["class"]) == (16, 18, "yes")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rows", "99"], "The table has 24 rows"),
        (["--rows", "16", "--kind", "counterfactual", "--towards", "yes"], "wanted class already"),
        (["--rows", "16", "--kind", "counterfactual", "--towards", "perhaps"], "no, yes"),
        (["--rows", "16", "--prefer", "height"], "no input or feature 'height'"),
        (["--input", "x.csv"], "not both"),
    ],
)
def test_bad_options_are_one_line(folder, capsys, arguments, says):
    table = ["--data", folder / "shop.csv"]
    code, _, err = answer(capsys, "explain", folder / "shop.json", *table, *arguments)
    assert (code, says in err.splitlines()[-1]) == (2, True)
