"""How tight the bounds of a batch of boxes are to be: what closed most of the region so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

_CHOICES = 8.0, np.inf
_PART = 0.25
_TRIED, _KEPT = 1 / 16, 0.98
_START, _SHARE = 2.0**32, 0.3
_DESCENTS = 1 / 8


@dataclass(frozen=True, slots=True)
class Effort:
    """How many elements of a layer are worth functionals of their own: whatever closes most boxes.

    Of each choice there is the work that was spent, and the part of the region closed by it.  The
    most thorough one comes first, since boxes that are halved in haste are many; each other has a
    small share of the work, and more where it closes more.
    ``reach`` is how far ascent has lifted bounds of late, so that lower ones are not tried.  Boxes
    that are followed in rationals have a share of all work: so much was ``settled`` of what
    ``passed``.  So have gradients from boxes that are open: so much has ``descended``.
    """

    spent: tuple[float, ...] = (0.0,)
    closed: tuple[float, ...] = (0.0,)
    reach: float = np.inf
    settled: float = 0.0
    passed: float = 0.0
    descended: float = 0.0

    @classmethod
    def of(cls, forward: bool) -> Effort:  # noqa: FBT001 (whether there is a choice)
        """What is known at first; where affine bounds go forward, functionals are a choice."""
        none = (0.0,) * (len(_CHOICES) if forward else 1)
        return cls(none, none)

    @property
    def settles(self) -> bool:
        """Whether a box may be followed in rationals now."""
        return self.settled <= _START + _SHARE * self.passed

    @property
    def descends(self) -> bool:
        """Whether violations may be looked for by gradients now."""
        return self.descended <= _DESCENTS * self.passed

    def choose(self) -> tuple[int, float]:
        """The choice for the next boxes: its number, and the most elements."""
        numbers = range(len(self.spent))
        chosen = min(numbers, key=self.spent.__getitem__)
        if self.spent[chosen] >= _TRIED * sum(self.spent):
            rates = [c / (s + 1) for c, s in zip(self.closed, self.spent, strict=True)]
            chosen = max(reversed(numbers), key=rates.__getitem__)
        return chosen, _CHOICES[-len(self.spent) :][chosen]

    def told(self, chosen: int, work: float, closed: float) -> Effort:
        """What is known after boxes for which a choice was made."""

        def moved(old: tuple[float, ...], more: float) -> tuple[float, ...]:
            return tuple(_KEPT * v + more if k == chosen else v for k, v in enumerate(old))

        return replace(
            self,
            spent=moved(self.spent, work),
            closed=moved(self.closed, closed),
            passed=self.passed + work,
        )

    def lifted(self, most: float) -> Effort:
        """What is known after ascent that has lifted a bound by at most so much in one batch."""
        reach = most if self.reach == np.inf else self.reach + _PART * (most - self.reach)
        return replace(self, reach=reach)
