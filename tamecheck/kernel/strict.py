"""What ends a check: what is wrong, and the work that it may take."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import lcm
from sys import maxsize
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


class Reject(Exception):  # noqa: N818
    """The certificate is not accepted; the message says why."""


class Spent(Exception):  # noqa: N818
    """The check has done all the work that it may do, and is not at its end."""


_left: ContextVar[int] = ContextVar("_left", default=maxsize)  # steps, in this thread


@contextmanager
def allowance(steps: int) -> Generator[None, None, None]:
    """Allow so many steps inside the block."""
    before = _left.set(steps)
    try:
        yield
    finally:
        _left.reset(before)


def spend(steps: int) -> None:
    """Take steps from what is allowed."""
    left = _left.get() - steps
    if left < 0:
        raise Spent
    _left.set(left)


def spend_long(steps: int, bits: int) -> None:
    """Take steps, each an operation on numbers of so many bits, in quadratic time."""
    spend(steps * (1 + (bits >> 10) ** 2))


def require(condition: bool, why: str) -> None:  # noqa: FBT001
    """Reject unless the condition holds."""
    if not condition:
        raise Reject(why)


def pairs(left: Iterable[A], right: Iterable[B]) -> Iterator[tuple[A, B]]:
    """Pair the elements of two sequences, which have the same length."""
    return zip(left, right, strict=True)


def common(denominators: Iterable[int], most: int) -> int | None:
    """Return the least common multiple, None if it has more bits than that."""
    found = 1
    for d in denominators:
        found = lcm(found, d) if found % d else found
        spend_long(1, found.bit_length())
        if found.bit_length() > most:
            return None
    return found


def joint(denominators: Iterable[int], most: int) -> int:
    """Return the least common multiple, which must not have more bits than that."""
    found = common(denominators, most)
    if found is None:
        raise Reject("the common denominator is too long")
    return found
