"""Smallest hitting sets, one after the other, by python-sat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tamecheck.errors import SolverError

__all__ = ["HittingSets"]


class HittingSets:
    """Sets of numbers that meet every set to be hit and contain no blocked one.

    Raises
    ------
    SolverError
        If python-sat is not installed.
    """

    def __init__(self) -> None:
        try:
            from pysat.examples.hitman import Hitman
        except ImportError:
            raise SolverError(
                "python-sat is not installed.", hint="pip install python-sat"
            ) from None
        made: Any = Hitman
        self._solver: Any = made(solver="m22", htype="sorted")
        self._empty = True
        self._blocked = False

    def hit(self, numbers: Iterable[int]) -> None:
        """From now on, sets must contain one of the numbers."""
        self._empty = False
        self._solver.hit(list(numbers))

    def block(self, numbers: Iterable[int]) -> None:
        """From now on, sets must not contain all of the numbers."""
        listed = list(numbers)
        if listed:
            self._solver.block(listed)
        else:
            self._blocked = True

    def smallest(self) -> tuple[int, ...] | None:
        """A smallest set, or None if there is none left."""
        if self._blocked:
            return None
        if self._empty:
            return ()
        found = self._solver.get()
        return None if found is None else tuple(sorted(found))

    def close(self) -> None:
        """Free the solver."""
        self._solver.delete()
