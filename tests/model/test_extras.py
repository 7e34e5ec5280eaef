"""What an extra installs is asked for where it is needed, by name, and nowhere else."""

import subprocess
import sys

import pytest

WITHOUT = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"sklearn", "scipy", "clarabel", "torch", "jax", "pandas"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())
import numpy as np
import tamecheck as tc
from tamecheck.cli import main
from tamecheck.models import path

def said(action):
    try:
        action()
    except tc.TamecheckError as error:
        print(error)

"""
LEARN = "scikit-learn is not installed. Install it with: pip install 'tamecheck[learn]'."


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_each_extra_is_named_where_it_is_missing(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "0,0\n1,1\n" * 8)
    found = run(f"""
said(lambda: tc.learn.TameBinarizedClassifier)
said(lambda: tc.from_torch(None, None))
said(lambda: __import__("tamecheck.layers.jax_layers"))
from tamecheck.solvers.cone import cone_solution
said(lambda: cone_solution(np.eye(1), np.zeros(1), np.eye(1), np.ones(1), [("zero", 1)]))
sys.stderr = sys.stdout
assert main(["train", {str(tmp_path / "t.csv")!r}, "--target", "b"]) == 4
""")
    assert found.splitlines() == [
        LEARN,
        "PyTorch is not installed. Install it with: pip install 'tamecheck[torch]'.",
        "JAX is not installed. Install it with: pip install 'tamecheck[jax]'.",
        "Clarabel is not installed. Install it with: pip install 'tamecheck[layers]'.",
        f"tamecheck: {LEARN}",
    ]


@pytest.mark.slow
def test_the_main_job_needs_no_extra(tmp_path):
    found = run(f"""
network = path("bnn")
assert main(["check", "-q", str(network), "-o", {str(tmp_path / "c.json")!r}]) == 0
assert main(["recheck", "-q", {str(tmp_path / "c.json")!r}]) == 0
assert main(["diff", "--expr", "abs(x)", "--at", "0"]) == 0
where = ["--expr", "abs(x)*y", "--box=-1:1", "-o", {str(tmp_path / "p.png")!r}]
assert main(["plot", "field", *where]) == 0
said(lambda: tc.Explainer(tc.expression("sign(x + y - 1)"), (0, 1)).abductive((1, 1)))
""")
    assert found.startswith("tame semilinear\nvalid\n")
