"""Every answer names the row and the line of the file; a file of answers knows its question."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.explain.batch import explain_rows
from tamecheck.learn import Binariser, SteBinarizedClassifier

# rows 1 and 4 have no value, rows 0 and 2 are alike; row 3 begins on line 6, after a blank line
TABLE = 'age,kind,y\n20,a,no\n,a,yes\n20,a,no\n\n"50",b,yes\n60,?,no\n61,b,yes\n33,b,no\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    (folder / "t.csv").write_text(TABLE, encoding="utf-8")
    (folder / "u.csv").write_text(TABLE.replace("33,b", "50,b"), encoding="utf-8")
    for name, seed in (("net.json", "0"), ("other.json", "1")):
        options = ["--missing", "drop", "--method", "ste", "--hidden", "3", "--epochs", "9", "-q"]
        out = str(folder / name)
        table = [str(folder / "t.csv"), "--target", "y"]
        assert main(["train", *table, *options, "--seed", seed, "-o", out]) == 0
    return folder


def run(capsys, *arguments):
    capsys.readouterr()
    code = main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return code, json.loads(out) if out.startswith("{") else out, err


PLACES = [(0, 2, "no"), (2, 4, "no"), (3, 6, "yes"), (5, 8, "yes"), (6, 9, "no")]


def test_explanations_name_rows_of_the_file(folder, capsys):
    table = ["--data", folder / "t.csv", "--drop-missing", "--json"]
    code, found, err = run(capsys, "explain", folder / "net.json", *table)
    assert code == 0
    said = [(one["row"], one["line"], one["label"]) for one in found["explanations"]]
    assert said == PLACES
    assert "left out: row 1 (line 3), row 4 (line 7)" in err
    code, found, _ = run(capsys, "explain", folder / "net.json", *table, "--rows", "3")
    assert (found["row"], found["line"], found["label"], code) == (3, 6, "yes", 0)
    code, out, _ = run(capsys, "explain", folder / "net.json", *table[:-1], "--rows", "2-3")
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "row 2 (line 4), labelled no",
        "row 3 (line 6), labelled yes",
    ]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("1", "Row 1 (line 3) was left out: column 'age' has no value"),
        ("0,4", "Row 4 (line 7) was left out: column 'kind' has no value"),
        ("7", "There is no row 7. The table has 7 rows, 0 to 6"),
        ("3-1", "3 is after 1"),
        ("0-99999999999", "no row 99999999999"),
        ("0-", "no rows such as"),
    ],
)
def test_rows_that_are_not_there_are_refused(folder, capsys, rows, says):
    table = ["--data", folder / "t.csv", "--drop-missing", "--rows", rows]
    for verb in (["explain"], ["report", "-o", folder / "r.html"]):
        code, _, err = run(capsys, verb[0], folder / "net.json", *verb[1:], *table)
        assert (code, says in err.splitlines()[-1]) == (2, True), err


def test_rules_name_rows_of_the_file(folder, capsys):
    table = ["--data", folder / "t.csv", "--drop-missing", "--json"]
    code, found, _ = run(capsys, "rules", folder / "net.json", *table)
    assert (code, found["table"]["rows"]) == (0, 5)
    assert [(one["row"], one["line"]) for one in found["table"]["left_out"]] == [(1, 3), (4, 7)]
    first = [one for held in found["table"]["held"] for one in held["first"]]
    assert {(one["row"], one["line"], one["label"]) for one in first} <= set(PLACES)
    assert sum(held["count"] for held in found["table"]["held"]) >= 5


@pytest.mark.slow
def test_a_report_names_rows_of_the_file(folder, capsys):
    out = folder / "report.html"
    table = ["--data", folder / "t.csv", "--drop-missing", "--rows", "3"]
    code, _, _ = run(capsys, "report", folder / "net.json", *table, "-o", out, "-q")
    assert code in (0, 3)
    page = out.read_text(encoding="utf-8")
    assert "Row 3 is decided for" in page
    assert "It begins on line 6 of the file. Its label is yes." in page
    assert "row 1 (line 3): column &#x27;age&#x27; has no value" in page
    assert "The model was trained on all of these rows" in page
    assert 'download="row-3.distance.certificate.json"' in page


def test_training_says_which_rows_it_left_out_and_held_out(folder, capsys):
    command = ["train", folder / "t.csv", "--target", "y", "--missing", "drop", "--test", "0.4"]
    command += ["--method", "ste"]
    code, found, _ = run(capsys, *command, "--json", "-o", folder / "held.json")
    assert code == 0
    assert found["left_out"][0] == {"row": 1, "line": 3, "why": "column 'age' has no value"}
    assert set(found["test_rows"]) < {0, 2, 3, 5, 6}
    code, out, _ = run(capsys, *command, "-o", folder / "held.json")
    assert "(always no: " in out


def test_a_missing_value_can_be_a_category(folder, capsys):
    (folder / "na.csv").write_text("kind,y\nNA,0\nnone,1\na,1\nNA,0\n", encoding="utf-8")
    command = ["train", folder / "na.csv", "--target", "y", "--method", "ste", "--json"]
    command += ["-o", folder / "na.json"]
    code, _, err = run(capsys, *command)
    assert (code, "3 values are missing, the first in row 0 (line 2)" in err) == (2, True)
    code, found, _ = run(capsys, *command, "--missing", "level")
    assert found["features"] == ["kind = NA", "kind = a", "kind = none"]
    code, found, _ = run(
        capsys, "explain", folder / "na.json", "--data", folder / "na.csv", "--rows", "1", "--json"
    )
    assert (code, found["label"]) == (0, "1")


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (["--kind", "contrastive"], "kind"),
        (["--smallest"], "options"),
        (["--prefer", "age"], "options"),
        (["--seed", "1"], "options"),
        (["--timeout", "9"], "options"),
        (["--rows", "0,2"], "rows"),
        (["--data", "u.csv"], "data"),
        (["--thermometer", "0-1"], "domain"),
    ],
)
def test_a_file_of_answers_to_another_question_is_refused(
    folder, capsys, monkeypatch, change, differs
):
    monkeypatch.chdir(folder)
    out = folder / f"{differs}-{change[-1].strip('-')}.jsonl"
    asked = ["explain", "net.json", "--data", "t.csv", "--drop-missing", "-o", out, "-q"]
    assert run(capsys, *asked)[0] == 0
    before = out.read_bytes()
    # the same question again: the same bytes
    assert run(capsys, *asked)[0] == 0
    code, _, err = run(capsys, *asked, *change)
    assert (code, out.read_bytes()) == (2, before)
    assert "answers another question (other" in err
    assert differs in err
    code, _, err = run(capsys, *["other.json" if word == "net.json" else word for word in asked])
    assert (code, "other" in err, out.read_bytes()) == (2, True, before)
    # cut in the middle of a line, it is taken up and gets the same bytes
    out.write_bytes(before[:-20])
    assert run(capsys, *asked)[0] == 0
    assert out.read_bytes() == before


def test_a_domain_is_asked_for_where_nothing_says_it(capsys, tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    trained = LogisticRegression().fit(rows, rows.sum(axis=1) > 0.3)
    model = tc.from_sklearn(trained)
    with pytest.raises(tc.InputError, match="The domain is not known"):
        tc.Explainer(model)
    with pytest.raises(tc.InputError, match="The domain is not known"):
        tc.get_rules(model)
    model.save(tmp_path / "real.json")
    (tmp_path / "x.json").write_text("[1, 1]", encoding="utf-8")
    for verb in (["rules"], ["count"], ["explain", "--input", tmp_path / "x.json"]):
        code, out, err = run(capsys, verb[0], tmp_path / "real.json", *verb[1:])
        assert (code, out) == (2, "")
        assert "--domain -1,1" in err
    assert tc.Explainer(model, (-1, 1)).network.inputs == 2


def test_a_model_that_reads_only_signs_has_the_domain_of_signs():
    known = tc.Explainer(tc.expression("sign(a) + 2*sign(b) - 1")).network
    assert (known.low, known.high) == ((-1, -1), (1, 1))
    for text in ("sign(a) + b", "sign(a + b)", "sign(a) + sign(2*b)"):
        with pytest.raises(tc.InputError, match="domain is not known"):
            tc.Explainer(tc.expression(text))


def test_estimators_know_the_two_values_that_they_were_trained_on():
    rows = np.random.default_rng(0).integers(0, 2, (30, 3))
    labels = rows[:, 0]
    frame = pd.DataFrame(rows, columns=["p", "q", "r"])
    trained = SteBinarizedClassifier((2,), random_state=0).fit(frame, labels)
    made = tc.Explainer(trained)
    assert (made.network.low[0], made.network.high[0]) == (0, 1)
    assert [f.name for f in made.domain.features] == ["p", "q", "r"]
    # a line of the frame by name, in whatever order
    assert made.decide(frame.loc[3, ["r", "p", "q"]]) == trained.predict(frame.loc[[3]])[0]
    with pytest.raises(tc.InputError, match="column 'q' is missing"):
        made.decide(frame.loc[3, ["r", "p"]])
    with pytest.raises(tc.InputError, match="another than the one that is known"):
        tc.Explainer(trained, (-1, 1))
    real = SteBinarizedClassifier((2,), random_state=0).fit(rows + 0.5, labels)
    with pytest.raises(tc.InputError, match="domain is not known"):
        tc.Explainer(real)


def test_lines_of_a_frame_are_named_by_position_and_index():
    frame = pd.DataFrame(
        {"age": [20, 31, 45, 62], "kind": ["a", "b", "a", "b"]}, index=["p", "q", "q", "s"]
    )
    labels = np.array(["no", "no", "yes", "yes"])
    pipeline = make_pipeline(Binariser(), SteBinarizedClassifier((3,), random_state=0))
    pipeline.fit(frame, labels)
    made = tc.Explainer(pipeline)
    answers = list(explain_rows(made, frame))
    assert [(one["row"], one["line"], one["index"]) for one in answers] == [
        (0, None, "p"),
        (1, None, "q"),
        (2, None, "q"),
        (3, None, "s"),
    ]
    assert [one["class"] for one in answers] == pipeline.predict(frame).tolist()
    assert [made.classes[made.decide(row)] for row in frame.to_dict("records")] == [
        one["class"] for one in answers
    ]
    wrong = frame.assign(kind=["a", "b", "c", "c"])
    with pytest.raises(tc.InputError, match=r"row 2 \(index q\), column 'kind': 'c' is a category"):
        list(explain_rows(made, wrong))
    with pytest.raises(tc.InputError, match="column 'kind' is missing"):
        list(explain_rows(made, frame[["age"]]))
    with pytest.raises(tc.InputError, match="column 'more' is none"):
        list(explain_rows(made, frame.assign(more=1)))
    rules = tc.get_rules(pipeline, data=frame)
    assert (rules.faithful, rules.fidelity) == ("exact", 1.0)
    scaled = make_pipeline(Binariser(), Binariser(), SteBinarizedClassifier((3,)))
    with pytest.raises(tc.InputError, match="A pipeline is a Binariser and an estimator"):
        tc.Explainer(scaled)


@pytest.mark.slow
def test_truth_values_of_a_frame_are_those_of_its_training():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "kind=a": rng.random(30) < 0.5,
            "n": rng.integers(0, 5, 30),
            "s": rng.choice(["x", "y"], 30),
        }
    )
    labels = rng.integers(0, 2, 30)
    for given in (frame, frame[["kind=a"]], frame[["kind=a", "n"]]):
        pipeline = make_pipeline(Binariser(), SteBinarizedClassifier((3,), random_state=0))
        said = pipeline.fit(given, labels).predict(given).tolist()
        made = tc.Explainer(pipeline)
        assert [one["decision"] for one in explain_rows(made, given)] == said
        assert [made.decide(given.iloc[k]) for k in range(30)] == said
        assert [made.decide(given.iloc[k].tolist()) for k in range(30)] == said
