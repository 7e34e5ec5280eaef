"""The verb, and many rows at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from corpus import dask_client, save_forest

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.explain import Explainer
from tamecheck.explain.batch import explain_rows
from tamecheck.learn import BinarizedNetwork, Layer

SIGNS = ("--domain", "-1,1")


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(3)
    return BinarizedNetwork(
        (
            Layer(rng.choice([-1.0, 1.0], size=(7, 5)), rng.integers(-1, 2, size=5).astype(float)),
            Layer(rng.choice([-1.0, 1.0], size=(5, 3)), np.zeros(3)),
        )
    )


@pytest.fixture
def files(trained, tmp_path):
    rows = np.random.default_rng(4).choice([-1, 1], size=(9, 7))
    rows[0, 0] = -1
    trained.to_model().save(tmp_path / "net.json")
    np.save(tmp_path / "rows.npy", rows)
    np.save(tmp_path / "row.npy", rows[0])
    return tmp_path, rows


@pytest.mark.parametrize("kind", ["abductive", "contrastive", "counterfactual"])
def test_the_json_answer_has_the_keys_of_the_contract(files, capsys, kind):
    folder, rows = files
    arguments = ["explain", f"{folder}/net.json", *SIGNS, "--input", f"{folder}/row.npy"]
    code = main([*arguments, "--kind", kind, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert {"decision", "features", "literals", "minimal", "checked", "size", "rule"} <= set(found)
    assert found["minimal"] is True
    assert found["checked"] is True
    if kind == "counterfactual":
        changed = [i for i in range(7) if float(found["witness"][i]) != rows[0][i]]
        assert changed == found["features"]


def test_the_text_says_what_the_answer_rests_on(files, capsys):
    folder, _ = files
    assert (
        main(["explain", f"{folder}/net.json", *SIGNS, "--input", f"{folder}/row.npy", "--second"])
        == 0
    )
    out = capsys.readouterr().out
    assert "then class" in out
    assert "rests on: recomputation, z3 agrees" in out


def test_names_with_control_characters_are_written_out(files, capsys):
    folder, _ = files
    names = ",".join(f"n{i}\x1b[31m" for i in range(7))
    main(
        ["explain", f"{folder}/net.json", *SIGNS, "--input", f"{folder}/row.npy", "--names", names]
    )
    assert "\x1b" not in capsys.readouterr().out


def test_a_table_is_written_line_by_line_and_taken_up_where_it_stopped(files, capsys):
    folder, rows = files
    arguments = ["explain", f"{folder}/net.json", *SIGNS, "--input", f"{folder}/rows.npy", "-o"]
    assert main([*arguments, f"{folder}/whole.jsonl"]) == 0
    whole = (folder / "whole.jsonl").read_text(encoding="utf-8")
    assert len(whole.splitlines()) == 1 + len(rows)
    # cut in the middle of the fifth line
    lines = whole.splitlines(keepends=True)
    part = "".join(lines[:4]) + lines[4][:10]
    (folder / "part.jsonl").write_text(part, encoding="utf-8")
    assert main([*arguments, f"{folder}/part.jsonl"]) == 0
    assert (folder / "part.jsonl").read_text(encoding="utf-8") == whole
    capsys.readouterr()


@pytest.mark.slow
def test_workers_and_executors_give_the_same_answers(trained, files):
    _, rows = files
    explainer = Explainer(trained.to_model(), (-1, 1))
    alone = list(explain_rows(explainer, list(rows)))
    assert list(explain_rows(explainer, list(rows), workers=2)) == alone
    with ThreadPoolExecutor(2) as pool:
        assert list(explain_rows(explainer, list(rows), executor=pool)) == alone
    for form in ("list", "generator_unordered"):
        pool = joblib.Parallel(n_jobs=2, backend="threading", return_as=form)
        assert list(explain_rows(explainer, list(rows), executor=pool)) == alone
    with pytest.raises(tc.InputError, match="A int is no executor"):
        list(explain_rows(explainer, list(rows), executor=3))


@pytest.mark.slow
def test_a_dask_client_gives_the_same_bytes(trained, files):
    _, rows = files
    explainer = Explainer(trained.to_model(), (-1, 1))
    alone = list(explain_rows(explainer, list(rows)))
    with dask_client(2, threads=1) as client:
        found = list(explain_rows(explainer, list(rows), executor=client))
    assert json.dumps(found) == json.dumps(alone)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Give --input or --data"),
        (["--input", "{}/missing.npy"], "missing.npy"),
        (
            ["--input", "{}/row.npy", "--immutable", "a", "--kind", "counterfactual"],
            "no input or feature 'a'",
        ),
        (["--input", "{}/row.npy", "--domain", "0,1"], "neither 0 nor 1"),
        (["--input", "{}/row.npy", "--workers", "0"], "no positive number"),
        (
            ["--input", "{}/row.npy", "--immutable", "0"],
            "--immutable is not for --kind abductive. It is for --kind counterfactual",
        ),
        (
            ["--input", "{}/row.npy", "--kind", "counterfactual", "--smallest"],
            "--smallest is not for --kind counterfactual",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_2(files, capsys, arguments, expected):
    folder, _ = files
    words = [word.format(folder) for word in arguments]
    assert main(["explain", f"{folder}/net.json", *SIGNS, *words]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert said.count("\n") == 1


def test_a_model_that_is_no_binarized_network_needs_a_domain(capsys, tmp_path):
    (tmp_path / "x.json").write_text("[0, 1]", encoding="utf-8")
    asked = ["explain", "--expr", "max(x+y,0)", "--input", f"{tmp_path}/x.json"]
    assert main(asked) == 4
    assert "no binarized network" in capsys.readouterr().err
    # of four points, that of two zeros has the other class
    assert main([*asked, "--domain", "0,1"]) == 0
    assert capsys.readouterr().out.startswith("if y = 1 then class 1\n")


def test_a_forest_is_explained_over_the_ranges_of_a_table(tmp_path, capsys):
    model, table = save_forest(tmp_path)
    point = str(tmp_path / "p.json")
    Path(point).write_text("[25, 80]")
    assert main(["explain", model, "--data", table, "--rows", "0", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["checked"]
    assert said["minimal"]
    assert said["rests_on"] == "recomputation"
    assert set(said["names"]) <= {"age", "income"}
    named = ["--input", point, "--box", "age=18:79,income=10:89", "--names", "age,income"]
    whole = ["--integers", "age,income", "--kind", "counterfactual", "--immutable", "age"]
    assert main(["explain", model, *named, *whole, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["names"] == ["income"]
    assert said["other"] == 0
    assert said["witness"][1].isdigit()
    assert main(["explain", model, "--input", point, "--box", "0:1"]) == 2
    assert "x0 = 25 is outside of the domain" in capsys.readouterr().err
    assert main(["explain", model, "--input", point]) == 4
    assert "give --box" in capsys.readouterr().err
    assert main(["explain", model, *named, "--protected", "age"]) == 2
    assert "--protected is about networks" in capsys.readouterr().err
