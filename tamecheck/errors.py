"""Every error that tamecheck raises, its exit code, and text that no terminal obeys."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from importlib import import_module
from typing import Any


class TamecheckError(Exception):
    """Base of all errors of the package.

    Parameters
    ----------
    what
        One sentence: what was wrong.
    where
        The place: a file, a node name, a line, a position in an expression.
    hint
        What to do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The error on one line: ``where: what hint``."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        if self.hint and not head.endswith((".", "!", "?", ":", ";")):
            head += "."
        line = f"{head} {self.hint}" if self.hint else head
        return " ".join(line.split())


class InputError(TamecheckError):
    """A file, an expression, a box or an argument that cannot be read as what it should be."""


class DomainError(TamecheckError):
    """A function was asked for its value at a point where it has none (``log(-1)``, ``1/0``)."""


class CertificateError(TamecheckError):
    """A certificate that the kernel rejects."""

    exit_code = 5


class SolverError(TamecheckError):
    """A solver failed; its answer, if any, is not used."""

    exit_code = 3


class TimeLimitError(TamecheckError):
    """The time, the nodes or the patience of the caller ran out before there was an answer."""

    exit_code = 3


class MemoryLimitError(TamecheckError):
    """More memory would be needed than the caller allows."""

    exit_code = 3

    def __init__(self, limit: int) -> None:
        super().__init__(f"Out of memory: more than {limit / 1024**2:,.0f} MB.")


class EndedError(SolverError):
    """A process ended before it answered; a negative status is the number of a signal."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"The process ended with status {status} before it answered.")


class UnsupportedError(TamecheckError):
    """The model uses operators that tamecheck does not read; all of them are listed.

    Parameters
    ----------
    what
        One sentence.
    nodes
        Every offending node, as ``(name, reason)``.
    """

    exit_code = 4

    def __init__(
        self, what: str, *, nodes: Sequence[tuple[str, str]] = (), where: str = "", hint: str = ""
    ) -> None:
        self.nodes = tuple(nodes)
        listed = "; ".join(f"{name}: {reason}" for name, reason in self.nodes)
        super().__init__(f"{what} {listed}" if listed else what, where=where, hint=hint)


class MissingPackageError(UnsupportedError):
    """A package that only some of the work needs is not installed; names the extra that has it."""


def package(module: str, extra: str) -> Any:
    """A module of a package that belongs to an extra of tamecheck.

    Parameters
    ----------
    module
        Its full name, such as ``"scipy.optimize"``.
    extra
        The extra, as in ``pip install 'tamecheck[learn]'``.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        wanted = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != wanted:
            raise
        raise MissingPackageError(
            f"{_CALLED.get(wanted, wanted)} is not installed.",
            hint=f"Install it with: pip install 'tamecheck[{extra}]'.",
        ) from None


_CALLED = {
    "clarabel": "Clarabel",
    "jax": "JAX",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
}

_KEPT = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters, invisible marks of direction, halves of characters, odd line ends."""


def visible(text: str) -> str:
    r"""The text with control characters as escapes, so that a name in a file steers nothing.

    >>> visible("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def first_few(words: Sequence[str], most: int, more: str = ", …") -> str:
    """The first words between commas, and a sign that there are more."""
    return ", ".join(words[:most]) + (more if len(words) > most else "")


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode()
