"""A child process that answers tasks of `tamecheck.solvers.executors.Workers` until there are none.

Run as ``python -m tamecheck.solvers.tasks``: pickled calls on stdin, pickled answers on stdout.
"""

from __future__ import annotations

import os
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
    while True:
        found: tuple[bool, Any]
        try:
            function, given, named = receive(questions)
            found = (True, function(*given, **named))
        except EOFError:
            # a solver's destructor may crash; the answers are out
            os._exit(0)
        except Exception as error:  # noqa: BLE001 (as a future has it)
            found = (False, error)
        try:
            send(answers, found)
        except Exception as error:  # noqa: BLE001 (whatever pickling raises)
            why = f"The answer cannot be sent ({type(error).__name__}: {error}): {found[1]!r:.200}"
            send(answers, (False, SolverError(why)))


if __name__ == "__main__":
    main()
