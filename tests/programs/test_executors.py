"""Processes that take tasks: what one of them does to itself costs its task only."""

import operator
import os
import pickle
import signal
import sys
import time

import pytest

import tamecheck as tc
from tamecheck.errors import EndedError, MemoryLimitError
from tamecheck.solvers.executors import Workers, answers_as_they_come, answers_in_turn
from tamecheck.solvers.limits import resident

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as Linux counts memory")


class Ray:
    """The calls of ray that are made, in this process; ray itself is not among our tests."""

    @staticmethod
    def remote(work):
        class Remote:
            remote = staticmethod(lambda part: (work, part))

        return Remote

    @staticmethod
    def wait(references, num_returns):
        return references[-num_returns:], references[:-num_returns]

    @staticmethod
    def get(reference):
        work, part = reference
        return work(part)


@on_linux
def test_a_process_that_ends_costs_its_own_task_only():
    with Workers(1, memory=200_000_000) as pool:
        killed = pool.submit(os._exit, 7)
        large = pool.submit(operator.mul, b"x", 300_000_000)
        wrong = pool.submit(operator.truediv, 1, 0)
        refused = pool.submit(tc.load, "nowhere.onnx")
        local = pool.submit(lambda: 0)
        back = pool.submit(compile, "0", "name", "eval")
        after = pool.submit(operator.add, 1, 2)
        with pytest.raises(EndedError, match="status 7"):
            killed.result()
        with pytest.raises(MemoryError):
            large.result()
        with pytest.raises(ZeroDivisionError):
            wrong.result()
        with pytest.raises(tc.InputError, match="no such file"):
            refused.result()
        with pytest.raises((AttributeError, pickle.PicklingError)):
            local.result()
        with pytest.raises(tc.SolverError, match="cannot be sent"):
            back.result()
        assert after.result() == 3


@on_linux
def test_a_process_is_ended_when_it_and_its_children_hold_too_much():
    script = "x = b'x' * 120_000_000; import time; time.sleep(60)"
    with Workers(1, memory=200_000_000) as pool:
        command = f'{sys.executable} -c "{script}" & {sys.executable} -c "{script}"'
        with pytest.raises(MemoryLimitError, match="more than 191 MB"):
            pool.submit(os.system, command).result()
        pool.shutdown(cancel_futures=True)
    assert resident(os.getpid()) > 1_000_000
    assert resident(2**22 + 1) == 0


def test_tasks_that_are_not_wanted_any_more_end_at_once():
    started = time.monotonic()
    pool = Workers(1)
    running, waiting = pool.submit(time.sleep, 60), pool.submit(time.sleep, 60)
    while not running.running():
        time.sleep(0.01)
    pool.shutdown(cancel_futures=True)
    with pytest.raises(EndedError, match=str(-signal.SIGKILL)):
        running.result()
    assert waiting.cancelled()
    assert time.monotonic() - started < 30


def test_answers_come_in_turn_or_as_they_come():
    parts = [3, 1, 2]
    assert list(answers_in_turn(abs, parts)) == parts
    assert list(answers_in_turn(abs, parts, workers=2)) == parts
    assert list(answers_in_turn(abs, parts, executor=Ray)) == parts
    assert list(answers_as_they_come(abs, parts, Ray)) == [(2, 2), (1, 1), (0, 3)]
    with pytest.raises(tc.InputError, match="0 workers are none"):
        list(answers_in_turn(abs, parts, workers=0))
