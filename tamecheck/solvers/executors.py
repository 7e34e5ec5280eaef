"""Tasks for several processes, or for any executor: of ours, of `concurrent.futures`, of others."""

from __future__ import annotations

import os
import pickle
import struct
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from subprocess import Popen
from typing import IO, TYPE_CHECKING, Any, Generic, TypeVar, cast

from tamecheck.budget import Budget
from tamecheck.errors import EndedError, InputError, MemoryLimitError, SolverError
from tamecheck.ir.judge import judge_shares
from tamecheck.solvers.limits import limit_memory, refuse_elsewhere
from tamecheck.solvers.processes import child

if TYPE_CHECKING:
    from tamecheck.kernel import Report

_MODULE = "tamecheck.solvers.tasks"
_LENGTH = struct.Struct("<Q")
_T = TypeVar("_T")
_R = TypeVar("_R")


class Workers(Executor):
    """Processes that take tasks one by one; one that ends costs the task that it had, no more.

    They import what a task needs once, run no code of the caller's main module, and end with the
    process that made them.

    Parameters
    ----------
    count
        How many at most; one starts when there is a task that no other is free for.
    memory
        The bytes that each may hold, with its children.
    """

    def __init__(self, count: int, *, memory: int | None = None) -> None:
        if memory is not None:
            refuse_elsewhere()
        self._memory = memory
        self._tasks: SimpleQueue[tuple[Future[Any], Any] | None] = SimpleQueue()
        self._running: dict[int, Popen[bytes]] = {}
        self._closed = threading.Event()
        self._count, self._idle = count, threading.Semaphore(0)
        self._threads = list[threading.Thread]()

    def submit(self, fn: Callable[..., _R], /, *args: Any, **kwargs: Any) -> Future[_R]:
        """A task for the next process that is free."""
        future: Future[_R] = Future()
        self._tasks.put((future, (fn, args, kwargs)))
        number = len(self._threads)
        if number < self._count and not self._idle.acquire(blocking=False):
            self._threads.append(threading.Thread(target=self._serve, args=(number,), daemon=True))
            self._threads[-1].start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 (as the base class has it)
        """End the processes: when all tasks are done, or at once if they are cancelled."""
        if cancel_futures:
            self._closed.set()
            for process in list(self._running.values()):
                process.kill()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _serve(self, number: int) -> None:
        """Give tasks to one process, and to another when it ends."""
        task = self._tasks.get()
        while task is not None:
            try:
                with child(_MODULE, text=False) as process, self._limited(process) as over:
                    self._running[number] = process
                    while task is not None and self._answer(process, over, *task):
                        task = self._next()
                    del self._running[number]
            except OSError as error:
                if task is not None and not task[0].done():
                    task[0].set_exception(SolverError(f"A process cannot be started: {error}."))
            if task is not None:
                task = self._next()

    def _next(self) -> tuple[Future[Any], Any] | None:
        """Another task for a thread that has done one; None at the end."""
        self._idle.release()
        return self._tasks.get()

    @contextmanager
    def _limited(self, process: Popen[bytes]) -> Generator[threading.Event]:
        """An event that says that the process was ended since it held too much memory."""
        over = threading.Event()

        def end() -> None:
            over.set()
            process.kill()

        if self._memory is None:
            yield over
            return
        stop = limit_memory(process.pid, self._memory, end)
        try:
            yield over
        finally:
            stop()

    def _answer(
        self, process: Popen[bytes], over: threading.Event, future: Future[Any], question: Any
    ) -> bool:
        """Let a process answer one question; whether it lives on."""
        if self._closed.is_set():
            future.cancel()
        if not future.set_running_or_notify_cancel():
            return True
        try:
            send(process.stdin, question)
            ok, found = receive(process.stdout)
        except (OSError, EOFError):
            status = process.wait()
            ended = (
                MemoryLimitError(self._memory)
                if over.is_set() and self._memory
                else EndedError(status)
            )
            future.set_exception(ended)
            return False
        except Exception as error:  # noqa: BLE001 (what cannot be pickled)
            future.set_exception(error)
            return True
        (future.set_result if ok else future.set_exception)(found)
        return True


def count_cores() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Shared(Generic[_T]):
    """What many tasks need, pickled once; equal ones are about the same."""

    data: bytes

    def value(self) -> _T:
        """The value, in a process of ours."""
        return pickle.loads(self.data)  # noqa: S301 (of a task of ours)


def share(value: _T) -> Shared[_T]:
    """The value as tasks take it along."""
    return Shared(pickle.dumps(value))


def send(stream: IO[bytes] | None, message: Any) -> None:
    """Write a message to a pipe; nothing of it if it cannot be pickled."""
    if stream is None:
        raise EOFError
    data = pickle.dumps(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes] | None) -> Any:
    """The next message of a pipe, from a process of ours; `EOFError` at its end."""
    if stream is None or len(head := stream.read(_LENGTH.size)) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)  # noqa: S301 (nobody else writes to the pipe)


def answers_in_turn(
    work: Callable[[_T], _R], parts: Sequence[_T], *, workers: int = 1, executor: Any = None
) -> Iterator[_R]:
    """The answers to parts of a task in their order, each as soon as it is there.

    One worker without an executor works in this process; others are `Workers`, no more than parts.
    """
    if workers < 1:
        raise InputError(f"{workers} workers are none.")
    if executor is None and workers == 1:
        yield from map(work, parts)
        return
    held: dict[int, _R] = {}
    following = 0
    with executor_of(executor, min(workers, len(parts))) as pool:
        for number, answer in answers_as_they_come(work, parts, pool):
            held[number] = answer
            while following in held:
                yield held.pop(following)
                following += 1


@dataclass(slots=True, eq=False)
class Planned(Generic[_T]):
    """A task, the future of its answer if an executor was given it, and how often one ended.

    ``found`` has the answer where it is here before its turn.
    """

    task: _T
    future: Any = None
    ended: int = 0
    found: Any = None


class Turns(Generic[_T, _R]):
    """Answers to planned tasks, the first one first, so that it does not matter who works.

    This process does, with ``here`` of a task and a budget, until an executor is given: then that
    does ``work`` with a task and the seconds that are left, and this process waits for it, or if it
    is ``helping`` takes tasks that nobody has begun.

    Parameters
    ----------
    here
        What answers a task in this process.
    notes
        Where it is said that the executor has failed, so that this process goes on alone.
    late
        Seconds that an executor has to say what it found when its time is over.
    """

    def __init__(
        self,
        here: Callable[[_T, Budget], _R],
        *,
        notes: list[str] | None = None,
        helping: bool = False,
        late: float = 1.0,
    ) -> None:
        self._here, self._helping, self._late = here, helping, late
        self.notes = [] if notes is None else notes
        self._executor: Any = None
        self._work: Callable[..., _R] | None = None

    @property
    def alone(self) -> bool:
        """Whether this process works alone."""
        return self._executor is None

    def begin(self, executor: Any, work: Callable[..., _R]) -> None:
        """Have tasks done by an executor from now on."""
        self._executor, self._work = executor, work

    def answer(self, planned: Sequence[Planned[_T]], budget: Budget) -> _R | None:
        """What the first of the tasks leads to; None if it is not known in time.

        Raises
        ------
        EndedError
            If processes have ended twice over it.
        """
        first = planned[0]
        for one in planned if self._executor is not None else ():
            if one.future is None and one.found is None:
                self._send(one, budget)
        while first.future is not None:
            own = self._free(planned) if self._helping and not first.future.done() else None
            if own is not None:
                own.future = None
                own.found = self._here(own.task, budget)
                continue
            left = budget.timeout
            try:
                return first.future.result(timeout=None if left is None else left + self._late)
            except TimeoutError:
                return None
            except EndedError:
                first.ended += 1
                if first.ended > 1:
                    raise
                self._send(first, budget)
            except SolverError as error:
                self.notes.append(f"The search goes on in one process. {error.what}")
                self._executor = None
                for other in planned:
                    other.future = None
        return self._here(first.task, budget) if first.found is None else first.found

    def _send(self, planned: Planned[_T], budget: Budget) -> None:
        planned.future = self._executor.submit(self._work, planned.task, budget.timeout)

    def _free(self, planned: Sequence[Planned[_T]]) -> Planned[_T] | None:
        """The first task that no process has begun, which then none begins."""
        waiting = (one for one in planned if one.future is not None)
        return next((one for one in waiting if one.future.cancel()), None)


def judge_in_shares(
    check: Callable[..., Report], text: str | bytes, steps: int, workers: int
) -> Report:
    """What a kernel says of a certificate of which so many processes look at a share each.

    With one worker, and where processes cannot be started, it is asked here about the whole.
    """
    work = partial(check, text, steps)
    if workers > 1:
        with suppress(SolverError):
            return judge_shares(partial(answers_in_turn, work, workers=workers), workers)
    return work()


@contextmanager
def executor_of(executor: Any, workers: int, memory: int | None = None) -> Generator[Any]:
    """The executor that is given, or processes, which end at once if the body fails."""
    if executor is not None:
        yield executor
        return
    pool = Workers(workers, memory=memory)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def answers_as_they_come(
    work: Callable[[_T], _R],
    parts: Sequence[_T],
    executor: Any,
    ended: Callable[[_T, EndedError | MemoryLimitError], _R] | None = None,
) -> Iterator[tuple[int, _R]]:
    """The number of each part and its answer, in the order in which answers come.

    Parameters
    ----------
    work
        What answers a part; a function of a module, so that another process finds it.
    executor
        What has ``submit`` and returns futures, as every executor of `concurrent.futures` and a
        Dask ``Client``; a ``joblib.Parallel``; or the module ``ray``.
    ended
        The answer to a part whose process of ours ended over it; None if that is an error.
    """
    if hasattr(executor, "submit"):
        return _of_futures(work, parts, executor, ended)
    if hasattr(executor, "remote") and hasattr(executor, "wait"):
        return _of_ray(work, parts, executor)
    call: Any = executor
    if callable(call):
        # what joblib.delayed makes of a call
        nothing: dict[str, Any] = {}
        calls = ((_numbered, (work, k, part), nothing) for k, part in enumerate(parts))
        return iter(cast("Iterable[tuple[int, _R]]", call(calls)))
    raise InputError(
        f"A {type(executor).__name__} is no executor.",
        hint="Give one of concurrent.futures, a Dask Client, a joblib.Parallel, or ray.",
    )


def _numbered(work: Callable[[_T], _R], number: int, part: _T) -> tuple[int, _R]:
    return number, work(part)


def _of_futures(
    work: Callable[[_T], _R],
    parts: Sequence[_T],
    executor: Any,
    ended: Callable[[_T, EndedError | MemoryLimitError], _R] | None,
) -> Iterator[tuple[int, _R]]:
    done: SimpleQueue[int] = SimpleQueue()
    futures: list[Any] = []
    try:
        for number, part in enumerate(parts):
            futures.append(executor.submit(work, part))
            futures[-1].add_done_callback(partial(_note, done, number))
        for _ in range(len(futures)):
            number = done.get()
            future, futures[number] = futures[number], None
            try:
                answer = future.result()
            except (EndedError, MemoryLimitError) as error:
                if ended is None:
                    raise
                answer = ended(parts[number], error)
            yield number, answer
    finally:
        for future in futures:
            if future is not None:
                future.cancel()


def _note(done: SimpleQueue[int], number: int, _future: Any) -> None:
    done.put(number)


def _of_ray(work: Callable[[_T], _R], parts: Iterable[_T], ray: Any) -> Iterator[tuple[int, _R]]:
    remote = ray.remote(work)
    numbers = {remote.remote(part): number for number, part in enumerate(parts)}
    while numbers:
        ready, _ = ray.wait(list(numbers), num_returns=1)
        for one in ready:
            yield numbers.pop(one), ray.get(one)
