"""Tests of a checker from tables: what it accepts, what it refuses and why, what a check costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

Check = Callable[..., Any]
Holds = Callable[[Any, Any], bool]
"""What else holds of a report and its document."""


def accepts(check: Check, documents: Mapping[str, Any], also: Holds | None = None) -> Any:
    """A test of each document: it is valid."""

    @pytest.mark.parametrize("name", documents)
    def test(name: str) -> None:
        document = documents[name]
        report = check(json.dumps(document))
        assert (report.verdict, report.why, report.step) == ("valid", "", None), report
        assert also is None or also(report, document), report

    return test


def refuses(check: Check, lies: Sequence[tuple[Any, Any, str]], also: Holds | None = None) -> Any:
    """A test of each lie: it is invalid at this step, for this reason, and nothing is claimed."""

    @pytest.mark.parametrize("number", range(len(lies)))
    def test(number: int) -> None:
        document, step, why = lies[number]
        report = check(json.dumps(document))
        assert (report.verdict, report.step, report.why) == ("invalid", step, why), report
        assert (report.claim, report.model_sha256) == (None, None), report
        assert also is None or also(report, document), report

    return test


def takes(check: Check, costs: Sequence[tuple[Any, int]], a_character: int) -> Any:
    """A test of each document: a check takes so many steps, and one less is too few."""

    @pytest.mark.parametrize("number", range(len(costs)))
    def test(number: int) -> None:
        document, steps = costs[number]
        text = json.dumps(document)
        allowed = steps - a_character * len(text)
        assert check(text, allowed).verdict == "valid"
        report = check(text, allowed - 1)
        assert (report.verdict, report.claim, report.trusted) == ("incomplete", None, ()), report
        few = "it needs more than the {} elementary steps that this check may take"
        assert report.why == few.format(steps - 1), report

    return test
