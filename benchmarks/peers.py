"""A child of another interpreter that answers questions: the libraries that we compare with."""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

Ask = Callable[..., Any]


def serve(answer: Ask) -> None:
    """Answer questions, tuples of arguments, on the standard streams."""
    import torch

    torch.set_num_threads(1)
    # solvers print on the standard output of the process
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            question = pickle.load(sys.stdin.buffer)  # noqa: S301 (our own parent)
        except EOFError:
            return
        pickle.dump(answer(*question), answers)
        answers.flush()


def main(
    script: str, about: str | None, answer: Ask, work: Callable[[Ask], None], *, quiet: bool = False
) -> None:
    """Run the work with a way to ask the peers, or answer for them in the child."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--peers", default=sys.executable, help="their interpreter")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(answer)
        return
    command = [options.peers, script, "--serve"]
    pipe, errors = subprocess.PIPE, subprocess.DEVNULL if quiet else None
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors) as child:

        def ask(*question: Any) -> Any:
            to_child: Any = child.stdin
            pickle.dump(question, to_child)
            to_child.flush()
            from_child: Any = child.stdout
            return pickle.load(from_child)  # noqa: S301 (our own child)

        work(ask)
        if child.stdin is not None:
            child.stdin.close()
