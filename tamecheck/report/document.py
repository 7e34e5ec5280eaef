"""The report: what is worked out, in which order, and what is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tamecheck.report.accuracy import data_part
from tamecheck.report.explanations import explanations_part
from tamecheck.report.files import Recheck, certificates_part, versions_part
from tamecheck.report.geometry import (
    cells_part,
    decisions_part,
    gradient_part,
    jacobian_part,
)
from tamecheck.report.markup import Markup, element, joined
from tamecheck.report.page import page
from tamecheck.report.rows import robustness_part
from tamecheck.report.rules import count_part, rules_part
from tamecheck.report.runner import Task, run_tasks
from tamecheck.report.section import NotMadeError, Part, Section
from tamecheck.report.subject import Subject
from tamecheck.report.tameness import (
    consequences_part,
    derivation_part,
    model_part,
    tameness_part,
    verdict_markup,
)

__all__ = ["SECTIONS", "Report", "make_report"]

_BEFORE = (
    ("model", "The model", model_part, 1.0),
    ("tameness", "Is it tame?", tameness_part, 1.0),
    ("consequences", "What follows", consequences_part, 1.0),
    ("derivation", "Derivation", derivation_part, 1.0),
    ("gradient", "Gradient field", gradient_part, 4.0),
    ("cells", "Cells", cells_part, 3.0),
    ("jacobian", "Clarke Jacobian", jacobian_part, 3.0),
    ("data", "The model on the table", data_part, 2.0),
    ("decisions", "Decision regions", decisions_part, 3.0),
    ("rules", "Decision rules", rules_part, 4.0),
    ("counts", "Counts", count_part, 2.0),
    ("explanations", "Explanations of single rows", explanations_part, 4.0),
    ("robustness", "Robustness", robustness_part, 5.0),
)
_AFTER = (("certificates", "Certificates"), ("versions", "Versions, hashes, checking again"))

SECTIONS = tuple(key for key, *_ in _BEFORE) + tuple(key for key, _ in _AFTER)
"""The keys of all sections, in order; every report has each of them."""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report.

    Parameters
    ----------
    html
        The page.
    sections
        What it holds, in order.
    """

    html: str
    sections: tuple[Section, ...]


def make_report(
    subject: Subject,
    *,
    argument: str,
    seconds: float,
    recheck: Recheck | None = None,
    remarks: Sequence[tuple[str, str]] = (),
) -> Report:
    """The report on a model.

    Parameters
    ----------
    subject
        The model, and what is to be shown of it.
    argument
        What names the model on a command line, quoted for a shell.
    seconds
        The time that all sections have together.
    recheck
        The kernel; certificates are not checked if None.
    remarks
        More rows for the list of versions: terms with what is known of them.
    """
    tasks = [
        Task(key, title, partial(build, subject), share) for key, title, build, share in _BEFORE
    ]
    sections = list(run_tasks(tasks, seconds))
    for (key, title), build in zip(
        _AFTER,
        (
            lambda: certificates_part(sections, recheck),
            lambda: versions_part(argument, subject.model.graph.sha256, sections, remarks),
        ),
        strict=True,
    ):
        sections.append(_last(key, title, build))
    summary = joined(
        verdict_markup(subject.check),
        element("p", _summary(sections), class_="soft"),
    )
    footer = element(
        "p", f"Made by tamecheck; the graph's SHA-256 is {subject.model.graph.sha256}."
    )
    name = f"Report on {subject.title}"
    return Report(page(name, summary, sections, footer), tuple(sections))


def _last(key: str, title: str, build: Callable[[], Part]) -> Section:
    started = time.monotonic()
    try:
        part = build()
    except NotMadeError as reason:
        return Section(key, title, "not-made", Markup(), str(reason))
    state = "partly" if part.missing else "made"
    return Section(key, title, state, part.body, part.missing, time.monotonic() - started)


def _summary(sections: Sequence[Section]) -> str:
    missing = [section.title for section in sections if section.state == "not-made"]
    if not missing:
        return f"All {len(sections)} sections are made."
    return (
        f"{len(sections) - len(missing)} of {len(sections)} sections are made; not made, each with "
        f"its reason: {', '.join(missing)}."
    )
