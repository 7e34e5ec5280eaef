"""Ask whether a model of yours is tame, from Python.

``python examples/check_your_model.py [MODEL [BOX]]``: an ``.onnx`` or ``.json`` file, and a box
such as ``-1:1`` or ``x=0:1,y=-1:1``.  Without arguments, the binarised network of the package.
"""

from __future__ import annotations

import sys

import tamecheck as tc
from tamecheck.models import path


def main() -> int:
    """Print what is known about the model; 0 if it is tame."""
    file = sys.argv[1] if len(sys.argv) > 1 else path("bnn")
    box = sys.argv[2] if len(sys.argv) > 2 else None
    try:
        model = tc.load(file)
        answer = model.check(box)
    except tc.TamecheckError as error:
        print(error.message)
        return error.exit_code

    print(f"model:     {model}")
    print(f"verdict:   {answer.verdict.value}")
    for structure in answer.structures:
        print(f"structure: {structure.public_name}, {structure.symbol} ({structure.source})")
    for consequence in answer.consequences:
        print(f"follows:   {consequence.theorem} ({consequence.source})")
    for gap in answer.open:
        print(f"open:      {gap.node}: {gap.why}; to settle it: {gap.settles}")
    if answer.witness is not None:
        print(f"witness:   {answer.witness.summary}")
    return 0 if answer.verdict in (tc.Verdict.TAME, tc.Verdict.LOCALLY_TAME) else 1


if __name__ == "__main__":
    sys.exit(main())
