"""Ctrl-C during training ends the search that is under way and keeps what it found."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from types import TracebackType

from sklearn.exceptions import ConvergenceWarning

__all__ = ["Interruption"]


@dataclass(slots=True, eq=False)
class Interruption:
    """A context that a ``KeyboardInterrupt`` ends quietly, and that remembers it.

    One object goes through all searches of a training, so that those that follow an interrupted one
    know that they are not wanted any more.

    Parameters
    ----------
    happened
        Whether a block was interrupted.
    """

    happened: bool = False

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self.happened = self.happened or interrupted
        return interrupted

    def warn(self, kept: str, stacklevel: int) -> None:
        """Say what is kept, if a block was interrupted; the level is that of `warnings.warn`."""
        if self.happened:
            text = f"Training was interrupted; {kept}."
            warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel + 1)
