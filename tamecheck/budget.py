"""What a computation may spend: seconds, nodes of a search, and nothing once it is cancelled."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from threading import Event

from tamecheck.errors import TimeLimitError


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits that are made once, at the door, and passed down.

    Parameters
    ----------
    deadline
        The end, as the monotonic clock shows it; infinity without a limit.
    nodes
        The largest number of nodes of a search, None without a limit.
    cancelled
        Set by whoever does not want the answer any more.

    Examples
    --------
    >>> Budget.of(None).is_spent, Budget.of(0).is_spent
    (False, True)
    """

    deadline: float = math.inf
    nodes: int | None = None
    cancelled: Event = field(default_factory=Event, compare=False)

    @classmethod
    def of(cls, seconds: float | None, nodes: int | None = None) -> Budget:
        """A budget of so many seconds from now; None is no limit."""
        return cls(math.inf if seconds is None else time.monotonic() + seconds, nodes)

    @property
    def seconds(self) -> float:
        """The seconds that are left, at least 0."""
        return 0.0 if self.cancelled.is_set() else max(0.0, self.deadline - time.monotonic())

    @property
    def timeout(self) -> float | None:
        """The seconds that are left; None without a limit."""
        return None if math.isinf(self.deadline) else self.seconds

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.cancelled.is_set() or time.monotonic() >= self.deadline

    def part(self, seconds: float) -> Budget:
        """The same limits, and at most so many seconds from now."""
        return replace(self, deadline=min(self.deadline, time.monotonic() + seconds))

    def share(self, part: float) -> Budget:
        """The same limits, and at most this part of the seconds that are left."""
        return self.part(part * self.seconds)

    def check(self, what: str = "the time limit") -> None:
        """Raise `TimeLimitError` if nothing is left."""
        if self.is_spent:
            raise TimeLimitError(f"{what} is over")


@dataclass(slots=True)
class Work:
    """Steps that are counted, of which at most so many may be done, within a budget.

    What ends when they are spent ends at the same place whatever else the machine does.
    """

    most: float = math.inf
    budget: Budget = field(default_factory=Budget)
    done: float = 0.0

    def spend(self, steps: float) -> None:
        """Count steps that were done."""
        self.done += steps

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.done >= self.most or self.budget.is_spent
