"""Many items at once give what the verb gives of each, however they are shared and interrupted."""

import contextlib
import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from corpus import dask_client
from onnx import TensorProto, helper, numpy_helper

import tamecheck as tc
from tamecheck.cli import main

BOX = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n"
PROPERTY = BOX + "".join(
    f"(assert (>= X_{i} {{low}}))\n(assert (<= X_{i} {{high}}))\n" for i in range(2)
)
PROGRAM = "max\n o: 3 x + 2 y\nst\n c: x + y <= {}\nbounds\n x <= 2\n y <= 3\ngen\n x y\nend\n"
ITEMS = 12


def network(path, seed=0):
    rng = np.random.default_rng(seed)
    first = numpy_helper.from_array(rng.uniform(size=(2, 6)).astype(np.float32), "w")
    last = numpy_helper.from_array(rng.uniform(size=(6, 1)).astype(np.float32), "v")
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y"]),
    ]
    inputs = [value("x", TensorProto.FLOAT, [1, 2])]
    outputs = [value("y", TensorProto.FLOAT, [1, 1])]
    graph = helper.make_graph(nodes, "net", inputs, outputs, [first, last])
    opset = [helper.make_opsetid("", 13)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    there = tmp_path_factory.mktemp("a folder")
    network(there / "net.onnx")
    (there / "props").mkdir()
    for number in range(ITEMS):
        low, high = -0.1 * number, 0.1 * number + 0.05
        text = PROPERTY.format(low=low, high=high) + f"(assert (>= Y_0 {0.6 - 0.05 * number}))\n"
        (there / "props" / f"p{number:02}.vnnlib").write_text(text)
    (there / "models").mkdir()
    (there / "models" / "relu.json").write_text(_document("max(x,0) - sign(y)"))
    (there / "models" / "sine.json").write_text(_document("sin(x)"))
    (there / "models" / "open.json").write_text(_document("sin(x*sin(x))*sin(x)"))
    (there / "models" / "program.lp").write_text(PROGRAM.format(4))
    (there / "models" / "damaged.onnx").write_bytes(b"\x08\x07nonsense")
    # not meant, since it says that it is something else
    (there / "models" / "certificate.json").write_text('{"format":"tamecheck-certificate"}')
    for number in range(3):
        (there / f"program {number}.lp").write_text(PROGRAM.format(number - 1))
        (there / f"point{number}.json").write_text(f"[{number - 1}, 1]")
    return there


def _document(text):
    from tamecheck.loaders.json_model import graph_document

    return json.dumps(graph_document(tc.expression(text).graph))


@pytest.fixture(autouse=True)
def there(folder, monkeypatch, tmp_path):
    """Inputs beside the working folder, outputs in it."""
    monkeypatch.chdir(tmp_path)
    for name in folder.iterdir():
        (tmp_path / name.name).symlink_to(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def alone(capsys, arguments):
    """What the verb says of one item, without its seconds, and its exit code."""
    code = main([*arguments, "--json"])
    document = json.loads(capsys.readouterr().out)
    document.pop("exit_code", None)
    if "seconds" in document:
        document["seconds"] = None
    return json.dumps(document), code


def same_as_alone(capsys, line, arguments):
    document, code = alone(capsys, arguments)
    kept = {k: line[k] for k in line if k not in ("item", "arguments", "sha256", "exit_code")}
    assert json.dumps(kept) == document
    assert line["exit_code"] == code


@pytest.mark.slow
def test_a_line_is_what_the_verb_says_of_the_item_alone(capsys):
    assert main(["verify", "net.onnx", "props", "--workers", "2"]) == 1
    found = lines(capsys)
    assert [line["item"] for line in found] == list(range(ITEMS))
    assert {line["verdict"] for line in found} == {"holds", "violated"}
    for line in found:
        same_as_alone(capsys, line, ["verify", "net.onnx", line["arguments"]["spec"]])


@pytest.mark.slow
def test_check_takes_models_and_programs_of_a_folder_and_says_what_cannot_be_read(capsys):
    assert main(["check", "models", "--workers", "2"]) == 2
    found = {Path(line["arguments"]["model"]).name: line for line in lines(capsys)}
    codes = {name: line["exit_code"] for name, line in found.items()}
    expected = {"damaged.onnx": 2, "open.json": 3, "program.lp": 0, "relu.json": 0, "sine.json": 1}
    assert codes == expected
    for name, line in found.items():
        same_as_alone(capsys, line, ["check", f"models/{name}"])


@pytest.mark.slow
def test_explain_and_solve_take_patterns_and_several_files(capsys):
    expression = ["explain", "--expr", "sign(2*x + y)", "--domain", "-1,1", "--workers", "1"]
    assert main([*expression, "--input", "point[02].json"]) == 0
    found = lines(capsys)
    assert [line["arguments"] for line in found] == [
        {"input": "point0.json"},
        {"input": "point2.json"},
    ]
    for line in found:
        same_as_alone(capsys, line, [*expression, "--input", line["arguments"]["input"]])
    files = ["program 0.lp", "program 1.lp", "program 2.lp"]
    assert main(["solve", *files, "--workers", "1"]) == 1
    found = lines(capsys)
    assert [line["status"] for line in found] == ["infeasible", "optimal", "optimal"]
    for line, name in zip(found, files, strict=True):
        same_as_alone(capsys, line, ["solve", name])


@pytest.mark.slow
def test_a_list_may_say_more_of_each_item_and_has_its_own_folder(capsys, tmp_path):
    below = tmp_path / "lists"
    below.mkdir()
    with (below / "list.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["onnx", "vnnlib", "timeout", "seed"])
        table.writerow(["../net.onnx", "../props/p00.vnnlib", "5", "3"])
        table.writerow(["../net.onnx", "../props/p01.vnnlib", "", ""])
    # as VNN-COMP writes them: no head, and gzipped files are there
    (below / "instances.csv").write_text("../net.onnx,../props/p00.vnnlib,5\n\n")
    for name, count in (("list", 2), ("instances", 1)):
        main(["verify", f"lists/{name}.csv", "--workers", "1"])
        found = lines(capsys)
        assert len(found) == count
        assert found[0]["arguments"]["timeout"] == "5"
        same_as_alone(
            capsys, found[0], ["verify", "lists/../net.onnx", "lists/../props/p00.vnnlib"]
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model,box,colour\nnet.onnx,-1:1,red\n", "list.csv, line 1: 'colour' is no option"),
        ("model,timeout\nnet.onnx,soon\n", "list.csv, line 2: Argument --timeout: 'soon'"),
        ("model,model\na,b\n", "Two columns have the same name"),
        ("a,5,6,7\n", "list.csv, line 1: 4 cells, where 2 were expected"),
        ("\n\n", "The list is empty"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_before_anything_is_worked_out(text, said, capsys):
    Path("list.csv").write_text(text)
    assert main(["check", "list.csv"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "props"], "The folder has no files .onnx, .json, .mps, .lp for 'check'"),
        (["check", ""], "is no model"),
        (["check", "nets/*.onnx"], "No file has a name of this pattern"),
        (["verify", "net.onnx", "props", "--shard", "0/2"], "From 1/N to N/N"),
        (["verify", "net.onnx", "props", "--workers", "0"], "no positive number"),
        (["verify", "net.onnx", "props", "--vnncomp", "f"], "is about one answer"),
        (["explain", "net.onnx", "--input", "p*.json", "-o", "f"], "rows of one table"),
        (["check", "a.onnx", "b.onnx", "--colour"], "What is '--colour'"),
        (["info", "a.onnx", "b.onnx"], "What is 'b.onnx'?"),
    ],
)
def test_what_cannot_be_asked_of_many_is_refused(arguments, said, capsys):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_parts_are_merged_to_the_bytes_of_one_run(capsys):
    question = ["verify", "net.onnx", "props", "--workers", "1", "-q", "--results"]
    assert main([*question, "whole.jsonl"]) == 1
    for part in (1, 2):
        main([*question, f"part{part}.jsonl", "--shard", f"{part}/2"])
    assert main(["merge", "part1.jsonl", "-o", "merged.jsonl"]) == 3
    assert "6 of 12 items have no answer: 1, 3, 5, 7, 9, ..." in capsys.readouterr().out
    assert main(["merge", "part2.jsonl", "part1.jsonl", "part2.jsonl", "-o", "merged.jsonl"]) == 0
    assert Path("merged.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    # nothing is left to do
    before = Path("whole.jsonl").stat().st_ino
    assert main([*question, "whole.jsonl"]) == 1
    assert Path("whole.jsonl").stat().st_ino == before
    assert main(["verify", "net.onnx", "props/p0*", "--results", "whole.jsonl"]) == 2
    assert "another question" in capsys.readouterr().err
    main(["verify", "net.onnx", "props/p0*", "-q", "--results", "other.jsonl"])
    assert main(["merge", "part1.jsonl", "other.jsonl", "-o", "x.jsonl"]) == 2
    assert "part of another question than part1.jsonl" in capsys.readouterr().err
    assert main(["merge", "net.onnx", "-o", "x.jsonl"]) == 2


@pytest.mark.slow
def test_an_item_whose_file_has_changed_is_answered_again(capsys):
    Path("own").mkdir()
    for number in (0, 11):
        Path(f"own/{number}.vnnlib").write_text(Path(f"props/p{number:02}.vnnlib").read_text())
    question = ["verify", "net.onnx", "own", "--workers", "1", "--results", "found.jsonl", "-q"]
    assert main(question) == 1
    Path("own/11.vnnlib").write_text(Path("own/0.vnnlib").read_text())
    assert main(question) == 0
    assert "2 items in found.jsonl: 2 holds" in capsys.readouterr().out


def start(arguments):
    command = [sys.executable, "-m", "tamecheck", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_loses_nothing():
    question = ["verify", "net.onnx", "props", "--workers", "2", "-q", "--results"]
    main([*question, "whole.jsonl"])
    rng, known = random.Random(5), 0
    for _ in range(5):
        process = start([*question, "killed.jsonl"])
        time.sleep(rng.uniform(0.4, 1.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        with contextlib.suppress(FileNotFoundError):
            data = Path("killed.jsonl").read_bytes()
            lost = known > data.count(b"\n")
            known = data.count(b"\n")
            assert not lost
    assert start([*question, "killed.jsonl"]).wait() == 1
    assert Path("killed.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_ended_processes_and_limits_are_answers_of_their_items(capsys, monkeypatch):
    from tamecheck.cli import many

    sent = []

    def some(_work, parts, _executor, ended):
        sent.extend(parts)
        yield 0, ended(parts[0], many.EndedError(-signal.SIGSEGV))
        yield 2, ended(parts[2], many.MemoryLimitError(2**30))
        yield 1, ended(parts[1], many.EndedError(3))

    monkeypatch.setattr("tamecheck.solvers.executors.answers_as_they_come", some)
    files = [f"program {number}.lp" for number in range(3)]
    assert main(["solve", *files, "--timeout", "5", "--workers", "1"]) == 3
    found = lines(capsys)
    assert [line["error"] for line in found] == [
        "The process ended with status -11 before it answered.",
        "Out of time after 5 s.",
        "Out of memory: more than 1,024 MB.",
    ]
    assert [line["exit_code"] for line in found] == [3, 3, 3]
    assert len(sent) == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as Linux counts memory")
@pytest.mark.slow
def test_memory_is_limited_of_one_command_and_of_each_worker(capsys):
    command = [sys.executable, "-m", "tamecheck", "check", "--json"]
    for size, code in (("60M", 3), ("1G", 0)):
        done = subprocess.run(
            [*command, "models/relu.json", "--memory", size], capture_output=True, check=False
        )
        assert done.returncode == code
        if code:
            assert json.loads(done.stdout)["error"] == "Out of memory: more than 60 MB."
    assert main(["check", "models/relu.json", "models/sine.json", "--memory", "1G"]) == 1
    assert [line["exit_code"] for line in lines(capsys)] == [0, 1]
    assert main(["check", "net.onnx", "--memory", "much"]) == 2


@pytest.mark.slow
def test_executors_of_others_give_the_same_lines():
    question = ("check", "models/relu.json", "models/sine.json", "models/damaged.onnx")
    alone = list(tc.many(*question, timeout=60, workers=1))
    assert [line["exit_code"] for line in alone] == [0, 1, 2]
    with ThreadPoolExecutor(2) as pool:
        assert list(tc.many(*question, timeout=60, executor=pool)) == alone
    joblibs = joblib.Parallel(n_jobs=2, return_as="generator_unordered")
    assert list(tc.many(*question, timeout=60, executor=joblibs)) == alone
    with dask_client(1, threads=2) as client:
        assert list(tc.many(*question, timeout=60, executor=client)) == alone
    with pytest.raises(tc.InputError, match="is about one item"):
        tc.many("info", "models")
    with pytest.raises(tc.InputError, match="processes of tamecheck's own"):
        list(tc.many(*question, executor=pool, memory="1G"))


def test_certificates_of_many_are_files_by_number(capsys):
    main(["check", "models/relu.json", "models/sine.json", "-o", "proofs", "--workers", "1"])
    found = lines(capsys)
    assert [line["certificate"] for line in found] == [f"proofs/00000{k}.json" for k in range(2)]
    assert main(["recheck", "-q", "proofs/000001.json", "models/sine.json"]) == 0


def test_a_sarif_log_names_what_fails_and_where(capsys):
    assert main(["check", "models", "--workers", "1", "-q", "--sarif", "log.sarif"]) == 2
    log = json.loads(Path("log.sarif").read_text())
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [result["ruleId"] for result in run["results"]] == ["error", "unknown", "not-tame"]
    place = run["results"][2]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "models/sine.json"}
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["kind"] == "fail" or result["level"] == "none"
    assert run["properties"]["tame"] == 2
    # a later run may replace the log, and one of one answer has the same form
    assert main(["verify", "net.onnx", "props/p11.vnnlib", "-q", "--sarif", "log.sarif"]) == 1
    (result,) = json.loads(Path("log.sarif").read_text())["runs"][0]["results"]
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": "props/p11.vnnlib"
    }
    assert result["properties"]["witness"]["exact"] is True
    assert os.environ.get("TAMECHECK_MEMORY") is None
    capsys.readouterr()
