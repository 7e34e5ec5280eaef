"""The walks of docs/architecture.md: every stop is passed, in the order of the page."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import tamecheck
from tamecheck.cli import main
from tamecheck.learn import TameBinarizedClassifier
from tamecheck.models import path

ROOT = Path(tamecheck.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
PROGRAM = """Minimize
 obj: 3 x + 2 y
Subject To
 r: 2 x + 3 y >= 7
Generals
 x y
End
"""


def walks():
    """For each heading of a walk, its stops as ``(file, function)``."""
    section = PAGE.split("\n## Four walks\n")[1].split("\n## ")[0]
    for part in section.split("\n### ")[1:]:
        title, _, text = part.partition("\n")
        yield title, re.findall(r"^\d+\. `([\w/]+\.py)` `([\w.]+)`", text, re.MULTILINE)


def check(_folder):
    main(["check", str(path("relu")), "--box", "-1:1"])


def dual(folder):
    (folder / "p.lp").write_text(PROGRAM, encoding="utf-8")
    main(["dual", str(folder / "p.lp"), "--method", "gomory"])


def explain(folder):
    (folder / "row.csv").write_text(",".join(["1"] * 30), encoding="utf-8")
    main(["explain", str(path("bnn")), "--input", str(folder / "row.csv"), "--domain", "-1,1"])


def train(_folder):
    points = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    TameBinarizedClassifier(hidden=(2,), epochs=1).fit(points, [0, 1, 1, 0])


RUNS = {
    "A model through `check`": check,
    "A program through `dual`": dual,
    "A row through `explain`": explain,
    "A batch through the tame classifier": train,
}


def functions_called(run, folder):
    """The functions of the package that a run enters, in the order of their first calls."""
    called = {}

    def note(frame, event, _argument):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(ROOT)):
            file = Path(code.co_filename).relative_to(ROOT).as_posix()
            called.setdefault((file, code.co_qualname), len(called))

    sys.setprofile(note)
    try:
        run(folder)
    finally:
        sys.setprofile(None)
    return called


@pytest.mark.parametrize(("title", "stops"), list(walks()))
def test_a_walk_passes_its_stops_in_order(title, stops, tmp_path, capsys):
    assert 5 <= len(stops) <= 10
    called = functions_called(RUNS[title], tmp_path)
    capsys.readouterr()
    missing = [stop for stop in stops if stop not in called]
    assert not missing
    times = [called[stop] for stop in stops]
    assert times == sorted(times), [stop for _, stop in sorted(zip(times, stops, strict=True))]


def test_every_walk_is_run():
    assert [title for title, _ in walks()] == list(RUNS)
