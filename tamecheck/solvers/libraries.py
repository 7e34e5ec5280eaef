"""Libraries of solvers: which are installed, and what they keep for a whole process kept apart.

So threads do not meet in a library: z3 crashes if two of them use one context, and HiGHS prints on
the process's standard output, which nobody may redirect while others write to it.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from tamecheck.errors import InputError

PACKAGES = {"cbc": "mip", "highs": "highspy"}
"""The package, and the module of the same name, through which each solver is asked."""

INSTALL = "pip install mip highspy"
"""The command that installs them."""


def is_installed(solver: str) -> bool:
    """Whether the module of a solver is there; it is not imported."""
    return find_spec(PACKAGES[solver]) is not None


def version_of(solver: str) -> str | None:
    """The version of a solver's package, or of a package by its own name; None if it has none."""
    try:
        return version(PACKAGES.get(solver, solver))
    except PackageNotFoundError:
        return None


def highspy() -> Any:
    """The module of HiGHS, without which no program is solved."""
    try:
        return import_module("highspy")
    except ModuleNotFoundError:
        raise InputError(
            "Solving a program needs HiGHS, which is not installed.",
            hint=f"Install it, with CBC: {INSTALL}.",
        ) from None


_MOMENT = 0.05
"""Seconds after which Ctrl-C and deadlines are noticed."""

_SILENT = (("output_flag", False), ("threads", 1))


@cache
def _blas() -> Any:
    """BLAS as it is loaded: looking for it takes longer than many a product."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> Any:
    """A context in which small matrix products do not wait for threads that share them."""
    return _blas().limit(limits=1, user_api="blas")


def z3_context() -> Any:
    """A context of z3 for one use; its terms may be dropped by any thread, as they are garbage."""
    z3: Any = import_module("z3")
    context = z3.Context()
    z3.Z3_enable_concurrent_dec_ref(context.ref())
    return context


def z3_answer(solver: Any, context: Any) -> Any:
    """What ``solver.check()`` says; an exception in this thread interrupts it."""
    # z3 would take Ctrl-C for itself, and is not safe in that with several threads
    solver.set(ctrl_c=False)
    answer: Future[Any] = Future()

    def ask() -> None:
        try:
            answer.set_result(solver.check())
        except Exception as error:  # noqa: BLE001 (raised again where it is awaited)
            answer.set_exception(error)

    worker = threading.Thread(target=ask, daemon=True)
    worker.start()
    try:
        while worker.is_alive():
            worker.join(_MOMENT)
    finally:
        while worker.is_alive():
            context.interrupt()
            worker.join(_MOMENT)
    return answer.result()


def highs() -> Any:
    """A solver of HiGHS that prints nothing, with one thread."""
    solver = _silent_highs()()
    for option, value in _SILENT:
        solver.setOptionValue(option, value)
    return solver


@cache
def _silent_highs() -> type[Any]:
    known: Any = highspy().Highs

    class SilentHighs(known):
        """A solver that is told to be silent before it prints who it is."""

        def enableCallbacks(self) -> None:  # noqa: N802 (HiGHS calls it when it is made)
            for option, value in _SILENT:
                self.setOptionValue(option, value)
            parent: Any = super()
            parent.enableCallbacks()

    return SilentHighs
