"""Which of the optional solvers are installed."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from tamecheck.errors import InputError

__all__ = ["INSTALL", "PACKAGES", "highspy", "installed", "version_of"]

PACKAGES = {"cbc": "mip", "highs": "highspy"}
"""The package, and the module of the same name, through which each solver is asked."""

INSTALL = "pip install mip highspy"
"""The command that installs them."""


def installed(solver: str) -> bool:
    """Whether the module of a solver is there; it is not imported."""
    return find_spec(PACKAGES[solver]) is not None


def version_of(solver: str) -> str | None:
    """The version of a solver's package, None if it has none."""
    try:
        return version(PACKAGES[solver])
    except PackageNotFoundError:
        return None


def highspy() -> Any:
    """The module of HiGHS, without which no program is solved.

    Raises
    ------
    InputError
        If it is not installed, saying how to install it.
    """
    try:
        return import_module("highspy")
    except ModuleNotFoundError:
        raise InputError(
            "Solving a program needs HiGHS, which is not installed.",
            hint=f"Install it, with CBC: {INSTALL}.",
        ) from None
