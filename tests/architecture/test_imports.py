"""Imports go one way, and nothing heavy is imported at start-up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"flint", "mip", "numpy", "onnx", "rich", "scipy", "sklearn", "sympy", "torch", "z3"}
IMPORT_TAMECHECK = "import tamecheck"
SHOW_HELP = """
from tamecheck.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
"""


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_import_contracts_hold():
    done = run("-c", "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("program", [IMPORT_TAMECHECK, SHOW_HELP], ids=["import", "help"])
def test_start_up_imports_nothing_heavy(program):
    report = f"{program}\nimport sys\nprint(*sorted(m.split('.')[0] for m in sys.modules))"
    done = run("-c", report)
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())
