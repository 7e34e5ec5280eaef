"""The examples run as their first lines say, and the training script makes what is shipped."""

import contextlib
import io
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from corpus import script

from tamecheck.models import EMBEDDED, path

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted({entry.file for entry in EMBEDDED})


@dataclass(frozen=True)
class Done:
    """What a script has said, and its exit code."""

    returncode: int
    stdout: str
    stderr: str = ""


def run(script, *arguments):
    """Run a script as the interpreter does, in this process, which has imported what it needs."""
    file, out = str(EXAMPLES / script), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr(sys, "argv", [file, *map(str, arguments)])
        patch.syspath_prepend(EXAMPLES)
        try:
            runpy.run_path(file, run_name="__main__")
        except SystemExit as end:
            return Done(end.code or 0, out.getvalue())
    return Done(0, out.getvalue())


def run_process(script, *arguments):
    return subprocess.run(
        [sys.executable, EXAMPLES / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    done = run("train_embedded_models.py", folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def outline(file):
    graph = onnx.load(file).graph
    return (
        [(node.op_type, list(node.input), list(node.output)) for node in graph.node],
        [(tensor.name, tensor.data_type, list(tensor.dims)) for tensor in graph.initializer],
    )


@pytest.mark.parametrize("file", FILES)
def test_training_makes_the_networks_that_are_shipped(trained, file):
    # training in floats need not give the same last bits on every machine
    assert outline(trained[0] / file) == outline(path(file))


def test_training_reaches_its_accuracy(trained):
    figures = {line.split()[0]: float(line.split()[-1]) for line in trained[1].splitlines()}
    assert figures["bnn"] > 0.9
    assert figures["relu"] > 0.95
    assert figures["sine"] < 0.1
    assert figures["snake"] < 0.1


def test_the_shipped_binarised_network_is_binarised_and_accurate():
    weights = {
        t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path("bnn")).graph.initializer
    }
    assert set(np.unique(weights["w1"])) == set(np.unique(weights["w2"])) == {-1.0, 1.0}
    x = np.loadtxt(path("breast_cancer_test.csv"), delimiter=",")
    labels = np.loadtxt(path("breast_cancer_test_labels.csv"))
    before = x @ weights["w1"] + weights["b1"]
    assert (before != 0).all()
    scores = np.sign(before) @ weights["w2"] + weights["b2"]
    assert np.mean(scores.argmax(axis=1) == labels) > 0.9


@pytest.mark.parametrize(
    ("start", "arguments", "code", "words"),
    [
        (run, (), 0, "semilinear"),
        (run, (path("sine.onnx"), "-3:3"), 0, "ℝ_an"),
        (run, (path("snake"),), 1, "witness"),
        (run_process, ("missing.onnx",), 2, "missing.onnx"),
    ],
)
def test_check_your_model(start, arguments, code, words):
    done = start("check_your_model.py", *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stdout


def test_certificate_roundtrip(capsys):
    runpy.run_path(str(EXAMPLES / "certificate_roundtrip.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "the kernel says: valid" in out
    assert "the forged claim is invalid" in out


def test_convolutional_networks_get_certificates(tmp_path):
    done = run("verify_convolutional.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "radius 0.0625: holds" in done.stdout
    assert "certificate: valid" in done.stdout
    assert (tmp_path / "digits.onnx").is_file()


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_every_example_says_what_it_does(name):
    module = script(f"examples/{name}")
    assert module.__doc__
    assert callable(module.main)
