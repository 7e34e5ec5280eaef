"""Sections side by side, each in a process of its own with a limit, so that none harms another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import TypeAlias

from tamecheck.errors import TamecheckError
from tamecheck.report.markup import Markup
from tamecheck.report.page import Part, Section

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
