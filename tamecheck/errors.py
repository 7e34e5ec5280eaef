"""Every error that tamecheck raises, and the exit code that the command line gives it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "CertificateError",
    "DomainError",
    "InputError",
    "SolverError",
    "TamecheckError",
    "TimeLimitError",
    "UnsupportedError",
]


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
