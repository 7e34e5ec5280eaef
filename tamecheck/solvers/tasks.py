"""A child process that answers tasks of `tamecheck.solvers.executors.Workers` until there are none.

Run as ``python -m tamecheck.solvers.tasks``: pickled calls on stdin, pickled answers on stdout.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tamecheck.errors import SolverError
from tamecheck.solvers.executors import receive, send
from tamecheck.solvers.processes import end_with_parent


def main() -> None:
    """Answer what comes on stdin, and end at its end."""
    end_with_parent()
    # what a solver prints goes nowhere; the answers go where stdout went
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    questions = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    found: tuple[bool, Any]
    while True:
        try:
            question = receive(questions)
        except EOFError:
            # a solver's destructor may crash; the answers are out
            os._exit(0)
        except Exception as error:  # noqa: BLE001 (what cannot be unpickled)
            found = (False, error)
        else:
            found = _answer(*question)
        try:
            send(answers, found)
        except Exception as error:  # noqa: BLE001 (whatever pickling raises)
            why = f"The answer cannot be sent ({type(error).__name__}: {error}): {found[1]!r:.200}"
            send(answers, (False, SolverError(why)))


def _answer(
    function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]
) -> tuple[bool, Any]:
    """Whether the call returned, and what it returned or raised."""
    try:
        return True, function(*given, **named)
    except Exception as error:  # noqa: BLE001 (as a future has it)
        return False, error


if __name__ == "__main__":
    main()
