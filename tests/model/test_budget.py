"""Budgets: seconds from now, parts of them, and cancellation."""

import math

import pytest

from tamecheck.budget import Budget
from tamecheck.errors import TimeLimitError


def test_without_a_limit_nothing_is_ever_spent():
    budget = Budget.of(None)
    assert budget.seconds == math.inf
    assert not budget.is_spent
    budget.check()


def test_a_part_ends_no_later_than_the_whole():
    whole = Budget.of(5.0)
    assert whole.part(100.0).deadline == whole.deadline
    assert whole.part(1.0).deadline < whole.deadline
    assert Budget.of(None).part(1.0).seconds <= 1.0


def test_cancelling_the_whole_cancels_its_parts():
    whole = Budget.of(None)
    part = whole.part(1000.0)
    whole.cancelled.set()
    assert part.is_spent
    assert part.seconds == 0.0
    with pytest.raises(TimeLimitError, match="the search is over"):
        part.check("the search")


def test_a_budget_of_no_seconds_is_spent_at_once():
    with pytest.raises(TimeLimitError):
        Budget.of(0).check()
