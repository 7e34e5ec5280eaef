"""The report: what is worked out, in which order, and what is written.

Sections are made side by side, each in a process of its own with a limit: none harms another.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import multiprocessing
import os
import platform
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import TypeAlias

from tamecheck.cells import element_names
from tamecheck.errors import TamecheckError
from tamecheck.report import mathematics
from tamecheck.report.cases import cases_part
from tamecheck.report.front import form_part, overview_part, protected_part, quality_part
from tamecheck.report.page import (
    Chapter,
    Download,
    Markup,
    NotMadeError,
    Part,
    Section,
    again,
    bullets,
    code,
    element,
    facts,
    joined,
    page,
    paragraph,
    table,
)
from tamecheck.report.robustness import robustness_part
from tamecheck.report.rules import count_part, rules_part
from tamecheck.report.subject import Subject
from tamecheck.report.table import data_part, explanations_part, training_part

Build: TypeAlias = Callable[[float], Part]
"""Makes a section within so many seconds."""

_SIDE_BY_SIDE = 2
_GRACE = 1.0
_LEAST = 0.5


@dataclass(frozen=True, slots=True)
class Task:
    """A section that is to be made, in a share of the time relative to the others.

    ``build`` is told how long it may take, and ended when it takes longer.
    """

    key: str
    title: str
    build: Build
    share: float = 1.0


def run_tasks(tasks: Sequence[Task], seconds: float) -> tuple[Section, ...]:
    """All sections in order, within so many seconds and half of one.

    Each has its share of the time that is left when it starts; one for which none is left is not
    made.  Where processes cannot be forked
    the sections are made one after the other in this process, and keep their time themselves.
    """
    deadline = time.monotonic() + seconds
    if "fork" not in multiprocessing.get_all_start_methods():
        return _one_by_one(tasks, deadline)
    return _Pool(tasks, deadline).run()


def _one_by_one(tasks: Sequence[Task], deadline: float) -> tuple[Section, ...]:
    return tuple(
        make_section(task, _allowed(tasks[number:], deadline, side_by_side=1))
        for number, task in enumerate(tasks)
    )


def _allowed(left: Sequence[Task], deadline: float, *, side_by_side: int) -> float:
    """The seconds of the first of the tasks that are left."""
    total = sum(task.share for task in left)
    rest = deadline - time.monotonic()
    # short sections leave time over, so a long one may take more than its share
    return max(_LEAST, min(rest, 2 * side_by_side * rest * left[0].share / total))


def make_section(task: Task, limit: float) -> Section:
    """The section, or why it is not made."""
    started = time.monotonic()
    try:
        part = task.build(limit)
    except TamecheckError as error:
        return _failed(task, error.message, started)
    except MemoryError:
        return _failed(task, "It does not fit in memory.", started)
    except Exception as error:  # noqa: BLE001 (the other sections are still worth having)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _failed(task, f"Internal error ({what}). Please report it, with the model.", started)
    seconds = time.monotonic() - started
    state = "partly" if part.missing else "made"
    return Section(task.key, task.title, state, part.body, part.missing, seconds, part.downloads)


def _failed(task: Task, why: str, started: float) -> Section:
    seconds = time.monotonic() - started
    return Section(task.key, task.title, "not-made", Markup(), why, seconds)


@dataclass(frozen=True, slots=True)
class _Running:
    number: int
    process: ForkProcess
    started: float
    limit: float


class _Pool:
    """Runs a few tasks at a time."""

    def __init__(self, tasks: Sequence[Task], deadline: float) -> None:
        self._tasks, self._deadline = tasks, deadline
        self._running: dict[Connection, _Running] = {}
        self._found: dict[int, Section] = {}
        self._next = 0

    def run(self) -> tuple[Section, ...]:
        """The sections in order; on an interrupt all processes are ended first."""
        try:
            while len(self._found) < len(self._tasks):
                while len(self._running) < _SIDE_BY_SIDE and self._next < len(self._tasks):
                    self._start()
                if self._running:
                    self._collect()
        finally:
            for pipe in list(self._running):
                self._end(pipe)
        return tuple(self._found[number] for number in range(len(self._tasks)))

    def _start(self) -> None:
        number, self._next = self._next, self._next + 1
        left = self._tasks[number:]
        if time.monotonic() >= self._deadline:
            why = "Out of time: none was left for it. Try a longer --timeout."
            self._found[number] = _failed(left[0], why, time.monotonic())
            return
        limit = _allowed(left, self._deadline, side_by_side=_SIDE_BY_SIDE)
        context = multiprocessing.get_context("fork")
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(self._tasks[number], limit, writer))
        process.start()
        writer.close()
        self._running[reader] = _Running(number, process, time.monotonic(), limit)

    def _collect(self) -> None:
        for ready in wait(list(self._running), timeout=0.05):
            if isinstance(ready, Connection):
                self._receive(ready)
        for pipe, running in list(self._running.items()):
            end = min(running.started + running.limit + _GRACE, self._deadline + _LEAST)
            if time.monotonic() > end:
                self._end(pipe)
                why = f"Out of time: it was given {running.limit:.0f} s. Try a longer --timeout."
                self._found[running.number] = self._lost(running, why)

    def _receive(self, pipe: Connection) -> None:
        running = self._running[pipe]
        try:
            self._found[running.number] = pipe.recv()
        except EOFError:
            running.process.join()
            why = f"Its process ended with status {running.process.exitcode}."
            self._found[running.number] = self._lost(running, why)
        self._end(pipe)

    def _lost(self, running: _Running, why: str) -> Section:
        return _failed(self._tasks[running.number], why, running.started)

    def _end(self, pipe: Connection) -> None:
        running = self._running.pop(pipe)
        if running.process.is_alive() and running.process.pid is not None:
            running.process.join(0.02)
            _kill(running.process.pid)
        running.process.join()
        pipe.close()


def _kill(pid: int) -> None:
    """End a section's process and whatever it has started; it leads a group of its own."""
    for end in (os.killpg, os.kill):
        try:
            end(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
        return


def _child(task: Task, limit: float, pipe: Connection) -> None:
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    pipe.send(make_section(task, limit))
    pipe.close()


Recheck: TypeAlias = Callable[[str], str]
"""What the kernel says of the text of a certificate."""

_FRONT = (
    ("overview", "What it decides", overview_part, 2.0),
    ("quality", "How well, on unseen rows", quality_part, 1.0),
    ("form", "In a few lines", form_part, 4.0),
    ("protected", "Protected attributes", protected_part, 3.0),
    ("cases", "Typical cases, and those at the boundary", cases_part, 5.0),
)
_BODY = (
    ("explanations", "Single rows in detail", explanations_part, 4.0),
    ("robustness", "Robustness", robustness_part, 5.0),
    ("rules", "Decision rules", rules_part, 4.0),
    ("counts", "Counts", count_part, 2.0),
    ("data", "The model on the table", data_part, 2.0),
    ("training", "Record of the training", training_part, 1.0),
)
_APPENDIX = (
    ("model", "The model", mathematics.model_part, 1.0),
    ("tameness", "Is it tame?", mathematics.tameness_part, 1.0),
    ("consequences", "What follows", mathematics.consequences_part, 1.0),
    ("derivation", "Derivation", mathematics.derivation_part, 1.0),
    ("decisions", "Decision regions", mathematics.decisions_part, 3.0),
    ("gradient", "Gradient field", mathematics.gradient_part, 4.0),
    ("cells", "Cells", mathematics.cells_part, 3.0),
    ("jacobian", "Clarke Jacobian", mathematics.jacobian_part, 3.0),
)
_AFTER = (("certificates", "Certificates"), ("versions", "Versions, hashes, checking again"))
_BEFORE = (*_FRONT, *_BODY, *_APPENDIX)

SECTIONS = tuple(key for key, *_ in _BEFORE) + tuple(key for key, _ in _AFTER)
"""The keys of all sections, in order; every report has each of them."""

_CHAPTERS = (
    Chapter("page-one", "", len(_FRONT)),
    Chapter("details", "Cases, robustness, data and training", len(_BODY)),
    Chapter("appendix", "Appendix: the mathematics", len(_APPENDIX) + len(_AFTER)),
)


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report: the page, and the sections that it holds, in order."""

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
    deadline = time.monotonic() + seconds
    subject = replace(subject, commands=replace(subject.commands, model=argument))
    tasks = [
        Task(key, title, partial(build, subject), share) for key, title, build, share in _BEFORE
    ]
    sections = [_with_command(one, subject) for one in run_tasks(tasks, seconds)]
    digest = subject.model.graph.sha256
    builds: tuple[Build, Build] = (
        lambda _limit: _certificates(sections, recheck, deadline),
        lambda _limit: _versions(argument, digest, sections, remarks),
    )
    for (key, title), build in zip(_AFTER, builds, strict=True):
        sections.append(make_section(Task(key, title, build), seconds))
    summary = paragraph(_summary(sections), class_="soft")
    footer = paragraph(f"Made by tamecheck; the graph's SHA-256 is {digest}.")
    title = f"Report on {subject.title}"
    return Report(page(title, summary, sections, footer, _CHAPTERS), tuple(sections))


def _with_command(section: Section, subject: Subject) -> Section:
    """The section with the command that says again what it says."""
    commands, rows = subject.commands, subject.examples
    chosen: list[str] = []
    if subject.sample is not None and rows:
        numbers = (str(subject.sample.origins[row].row) for row in rows)
        chosen = ["--rows", ",".join(numbers)]
    check = commands.line("check", table=False, domain=False, box=True)
    at = ",".join(
        f"{name}={value}"
        for name, value in zip(element_names(subject.model.inputs), subject.centre, strict=True)
    )
    lines = {
        "explanations": commands.line("explain", *chosen),
        "rules": commands.line("rules", "--form", "rules"),
        "counts": commands.line("count", table=False),
        "model": commands.line("info", table=False, domain=False),
        **dict.fromkeys(("tameness", "consequences", "derivation"), check),
        "cells": commands.line("cells", table=False, domain=False, box=True),
        "jacobian": commands.line("diff", "--at", at, table=False, domain=False),
    }
    if section.state == "not-made" or section.key not in lines:
        return section
    return replace(section, body=joined(section.body, again(lines[section.key])))


def _summary(sections: Sequence[Section]) -> str:
    missing = [section.title for section in sections if section.state == "not-made"]
    if not missing:
        return f"All {len(sections)} sections are made."
    return (
        f"{len(sections) - len(missing)} of {len(sections)} sections are made; not made, each with "
        f"its reason: {', '.join(missing)}."
    )


_PACKAGES = (
    *("numpy", "scipy", "python-flint", "onnx", "matplotlib", "scikit-learn"),
    *("mip", "highspy", "z3-solver", "python-sat"),
)
_MOST_PLAIN = 100_000
_MOST_CARRIED = 1_500_000


def _certificates(sections: Sequence[Section], recheck: Recheck | None, deadline: float) -> Part:
    """Links that hold the certificates, with what the kernel says of each until the deadline."""
    files = [download for section in sections for download in section.downloads]
    if not files:
        raise NotMadeError("Nothing in this report has a certificate.")
    rows: list[tuple[str, ...]] = []
    left_out: list[str] = []
    budget = _MOST_CARRIED
    for file in files:
        name, data, media = _packed(file)
        carried = len(data) <= budget
        if carried:
            budget -= len(data)
        else:
            left_out.append(f"{name} ({len(data):,} bytes)")
        link = _link(name, data, media) if carried else "too large to carry"
        asked = recheck is not None and time.monotonic() < deadline + 1
        said = recheck(file.data.decode()) if recheck is not None and asked else "not checked here"
        rows.append((name, link, file.says, said, code(hashlib.sha256(data).hexdigest())))
    head = ("file", "download", "what it shows", "kernel", "SHA-256")
    missing = ""
    if left_out:
        missing = (
            f"Too large for this page: {', '.join(left_out)}; 'tamecheck check -o' and "
            "'tamecheck verify --distance -o' write them."
        )
    words = (
        "A certificate is checked by a small program of its own, which knows nothing of how it was "
        "found. What it says here it said when the report was made; run it yourself."
    )
    return Part(joined(paragraph(words), table("Certificates", head, rows)), missing)


def _packed(file: Download) -> tuple[str, bytes, str]:
    if len(file.data) <= _MOST_PLAIN:
        return file.name, file.data, "application/json"
    return f"{file.name}.gz", gzip.compress(file.data, mtime=0), "application/gzip"


def _link(name: str, data: bytes, media: str) -> Markup:
    address = f"data:{media};base64,{base64.b64encode(data).decode()}"
    return element("a", "Download", href=address, download=name, aria_label=f"Download {name}")


def _versions(
    argument: str, digest: str, sections: Sequence[Section], remarks: Sequence[tuple[str, str]]
) -> Part:
    """Versions, hashes, which sections there are, and the commands that check it again.

    ``argument`` names the model on a command line, quoted for a shell.
    """
    import tamecheck
    from tamecheck.solvers.libraries import version_of

    rows = [
        ("tamecheck", tamecheck.__version__),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("SHA-256 of the graph", code(digest)),
        *remarks,
    ]
    packages = ((name, version) for name in _PACKAGES if (version := version_of(name)) is not None)
    commands = [
        ("The same graph has the same hash", f"tamecheck info --json {argument}"),
        ("Prove the verdict again", f"tamecheck check {argument} -o certificate.json"),
        (
            "Check a certificate with the kernel alone",
            f"tamecheck recheck tameness.certificate.json {argument}",
        ),
    ]
    words = paragraph("With the same model file and the same version of tamecheck:")
    steps = bullets(joined(said, ": ", code(command)) for said, command in commands)
    states = ((section.title, section.state.replace("-", " ")) for section in sections)
    return Part(
        joined(
            facts(rows),
            table("Packages that were there", ("package", "version"), packages),
            table("Sections", ("section", "state"), states),
            element("h3", "How to check it again"),
            words,
            steps,
        )
    )
