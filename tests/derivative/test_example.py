"""The example on derivatives prints what the page says."""

import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "derivatives.py"


def test_the_example_finds_autodiff_outside_the_clarke_set(capsys):
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    out = capsys.readouterr().out
    assert "outside the set" in out
    assert "no clarke Jacobian" in out
