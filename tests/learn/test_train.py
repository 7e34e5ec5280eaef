"""``tamecheck train``: what it prints, writes and refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.learn.mip import classifier as mip
from tamecheck.learn.mip import stages as mip_stages


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    ages = rng.integers(18, 90, 80)
    smokes = rng.choice(["yes", "no"], 80)
    ill = np.where((ages >= 50) & (smokes == "yes"), "ill", "well")
    rows = [f"{a},{s},{i}" for a, s, i in zip(ages, smokes, ill, strict=True)]
    (tmp_path / "people.csv").write_text("age [years],smokes,state\n" + "\n".join(rows))
    (tmp_path / "signs.csv").write_text("-1,-1,0\n-1,1,1\n1,-1,1\n1,1,0\n")
    return tmp_path


@pytest.mark.parametrize("method", ["tame", "ste"])
def test_json_and_files(folder, capsys, method):
    command = ["train", "people.csv", "--target", "state", "--method", method, "--json"]
    assert main([*command, "--hidden", "6", "--test", "0.25", "-o", "net.json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["train_accuracy"] > 0.9
    assert 0 <= answer["test_accuracy"] <= 1
    assert answer["bound"] is None
    assert answer["seconds"] > 0
    assert answer["rows"] == {"train": 60, "test": 20, "dropped": 0}
    assert answer["classes"] == ["ill", "well"]
    assert answer["features"][-1] == "smokes = yes"
    assert all(name.startswith("age ≥") for name in answer["features"][:-1])
    model = tc.load(answer["model"])
    assert model.inputs["x"] == (len(answer["features"]),)
    beside = json.loads((folder / "net.json.features.json").read_text(encoding="utf-8"))
    assert (beside["features"], beside["classes"]) == (answer["features"], ["ill", "well"])
    assert beside["negations"][-1] == "smokes = no"
    assert beside["training"]["held_out"] == answer["test_rows"]
    assert len(answer["test_rows"]) == 20
    most = answer["baselines"]["majority"]
    assert (most["class"], answer["held_out"]["accuracy"]) == ("well", answer["test_accuracy"])


@pytest.mark.usefixtures("folder")
def test_programming_gives_a_proved_bound(capsys):
    command = ["train", "signs.csv", "--target=-1", "--no-header", "--method", "mip"]
    command += ["--hidden", "2", "--json"]
    assert main(command) == 0
    answer = json.loads(capsys.readouterr().out)
    # two neurons suffice for exclusive or, so no error is the optimum
    assert (answer["train_accuracy"], answer["bound"]) == (1.0, 0.0)
    assert answer["model"] == "signs-mip.json"
    assert main([*command, "--epochs", "3"]) == 2
    assert main([*command[:5], "tame", "--solver", "cbc"]) == 2


@pytest.mark.usefixtures("folder")
def test_the_smallest_network_that_is_as_good_is_chosen_and_told_beside_baselines(capsys):
    command = ["train", "people.csv", "--target", "state", "--epochs", "30", "-o", "net.json"]
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    chosen, tried = answer["selection"]["chosen"], answer["selection"]["candidates"]
    assert [one["hidden"] for one in tried] == [[1], [2], [4], [8], [16]]
    best = max(tried, key=lambda one: one["mean"])
    near = [one for one in tried if one["mean"] >= best["mean"] - best["error"]]
    assert answer["hidden"] == chosen["hidden"] == near[0]["hidden"]
    assert tc.load("net.json").inputs["x"] == (len(answer["features"]),)
    assert answer["rows"] == {"train": 64, "test": 16, "dropped": 0}
    assert set(answer["baselines"]) == {"majority", "logistic", "tree3"}
    scores = [answer["held_out"], *answer["baselines"].values()]
    for one in scores:
        assert set(one["recall"]) == {"ill", "well"}
        assert one["balanced_accuracy"] == sum(one["recall"].values()) / 2
    own = answer["held_out"]["accuracy"]
    no_better = [k for k, one in answer["baselines"].items() if one["accuracy"] >= own]
    assert answer["no_better_than"] == no_better
    record = tc.load("net.json").schema.training.record
    assert record["held_out"] == answer["held_out"]
    assert record["selection"] == answer["selection"]
    # the same bytes again, and in words
    before = Path("net.json").read_bytes()
    assert main(command) == 0
    assert Path("net.json").read_bytes() == before
    shown = capsys.readouterr().out
    assert "tree of depth 3" in shown
    assert ("no better than" in shown) == bool(no_better)


@pytest.mark.usefixtures("folder")
def test_a_rare_class_is_found_with_class_weights_or_it_is_said_why_not(folder, capsys):
    rng = np.random.default_rng(1)
    x, noise = rng.integers(0, 100, 300), rng.integers(0, 100, 300)
    rare = (x > 60) & (rng.random(300) < 0.2)
    rows = [f"{a},{b},{'yes' if y else 'no'}" for a, b, y in zip(x, noise, rare, strict=True)]
    (folder / "rare.csv").write_text("a,b,y\n" + "\n".join(rows))
    command = ["train", "rare.csv", "--target", "y", "--method", "ste", "--epochs", "20", "--json"]
    recalls = []
    for more in ([], ["--class-weight", "balanced"]):
        assert main([*command, *more]) == 0
        answer = json.loads(capsys.readouterr().out)
        recalls.append(answer["held_out"]["recall"]["yes"])
        said = any("recall of class yes" in text for text in answer["remarks"])
        assert said == (recalls[-1] <= 0.5)
    assert recalls[0] < recalls[1]


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("solver", ["cbc", "highs"])
def test_a_limit_in_nodes_gives_the_same_bytes(solver, folder):
    command = ["train", "people.csv", "--target", "state", "--method", "mip", "--hidden", "2"]
    for name in ("a.json", "b.json"):
        assert main([*command, "--solver", solver, "--nodes", "5", "-q", "-o", name]) == 0
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()


@pytest.mark.usefixtures("folder")
def test_signs_are_taken_as_they_are_and_the_file_has_a_name(capsys):
    assert main(["train", "signs.csv", "--target", "-1", "--no-header", "--seed", "3"]) == 0
    shown = capsys.readouterr().out
    assert "tame: train accuracy 1.0000" in shown
    model = tc.load("signs-tame.json")
    labels = [int(np.argmax(model.evaluate(x))) for x in ([-1, -1], [-1, 1], [1, -1], [1, 1])]
    assert labels == [0, 1, 1, 0]


def test_the_same_seed_writes_the_same_bytes_and_onnx_is_the_same_function(folder):
    for name in ("a.json", "b.json", "c.onnx"):
        command = ["train", "people.csv", "--target", "state", "--hidden", "3,3", "-q"]
        assert main([*command, "-o", name]) == 0
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()
    first, second = tc.load("a.json"), tc.load("c.onnx")
    x = np.where(np.random.default_rng(0).random(first.inputs["x"]) < 0.5, -1, 1)
    left, right = first.evaluate(x, exact=True), second.evaluate(x, exact=True)
    assert left.tolist() == right.reshape(-1).tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["people.csv", "--target", "stat"], "Did you mean 'state'"),
        (["people.csv", "--hidden", "4,x"], "no widths"),
        (["people.csv", "--test", "1.5"], "not between 0 and 1"),
        (["people.csv", "--test", "0.001"], "leaves no rows to test"),
        (["people.csv", "--method", "magic"], "invalid choice"),
        (["people.csv", "-o", "net.txt"], "JSON or ONNX"),
        (["people.csv", "-o", "no/such/net.json"], "folder of the file does not exist"),
        (["missing.csv"], "no such file"),
        (["one.csv"], "only one class: 'p'"),
        (["empty.csv"], "is empty"),
        (["nan.csv"], "missing, the first in row 1 (line 3), column 'a'"),
        (["constant.csv"], "No feature varies"),
        (["latin.csv"], "not UTF-8"),
        (["gap.csv"], "--drop-missing"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, arguments, words):
    (folder / "one.csv").write_text("a,b\n1,p\n2,p\n")
    (folder / "empty.csv").write_text("")
    (folder / "nan.csv").write_text("a,b\n1,2\nnan,3\n")
    (folder / "constant.csv").write_text("a,b\n5,2\n5,3\n")
    (folder / "latin.csv").write_bytes(b"a,b\n\xe9,2\n1,3\n")
    (folder / "gap.csv").write_text("a,b\n1,2\n?,3\n")
    label = [] if "--target" in arguments else ["--target=-1"]
    assert main(["train", *arguments, *label]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert words in shown.err


def test_an_interrupted_training_saves_what_it_has_and_says_so(folder, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(mip_stages, "enumerate_networks", interrupt)
    command = [
        "train",
        "people.csv",
        "--target=-1",
        "--method",
        "mip",
        "--hidden",
        "1",
        "--json",
        "-o",
        "net.json",
    ]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["interrupted"]
    assert shown.err.endswith(
        "tamecheck: Training was interrupted; the network is the best so far.\n"
    )
    assert (folder / "net.json").exists()


def test_an_interrupt_before_there_is_a_network_writes_nothing(folder, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(mip, "anneal", interrupt)
    command = ["train", "people.csv", "--target", "state", "--method", "mip", "-q"]
    assert main([*command, "-o", "net.json"]) == 130
    assert capsys.readouterr().err == "tamecheck: interrupted\n"
    assert not (folder / "net.json").exists()


def test_rows_with_missing_values_can_be_dropped(folder, capsys):
    (folder / "gap.csv").write_text("a,b\n1,0\n?,1\n2,1\n3,1\n")
    assert main(["train", "gap.csv", "--target", "b", "--drop-missing"]) == 0
    assert "1 rows with missing values are left out" in capsys.readouterr().err
