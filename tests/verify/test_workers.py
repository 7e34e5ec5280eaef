"""How many processes look for an answer, and how fast they are, has no influence on it."""

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.solvers import executors
from tamecheck.solvers.executors import Planned, Turns, Workers
from tamecheck.solvers.processes import child
from tamecheck.verification import branch, effort, verify
from tamecheck.verification.witness import exact_outputs


def network(rng, inputs, width):
    """Two layers of rectifiers and a sum, with weights that are multiples of 1/16."""
    build = GraphBuilder()

    def numbers(rows, columns):
        return [[Fraction(rng.randint(-16, 16), 16) for _ in range(columns)] for _ in range(rows)]

    node, before = build.input("x", (1, inputs)), inputs
    for after in (width, width, 1):
        if node:
            node = build.apply(ops.RELU, [node])
        node = build.apply(ops.MATMUL, [node, build.constant(numbers(before, after))])
        node = build.apply(ops.ADD, [node, build.constant(numbers(1, after))])
        before = after
    return build.build({"y": node})


def spec_of(inputs, bound):
    ends = "".join(
        f"(declare-const X_{i} Real)(assert (>= X_{i} -1))(assert (<= X_{i} 1))"
        for i in range(inputs)
    )
    return parse_vnnlib(f"{ends}(declare-const Y_0 Real)(assert (>= Y_0 {bound}))")


def told(answer):
    document = answer.to_json()
    del document["seconds"]
    return document


@pytest.mark.parametrize(("inputs", "width"), [(3, 40), (5, 30), (14, 12), (16, 20)])
def test_the_answer_does_not_depend_on_how_many_look_for_it(monkeypatch, inputs, width):
    """Of boxes and of signs, whether there is a violation or not."""
    monkeypatch.setattr(branch, "_ALONE", 2.0**26)
    monkeypatch.setattr(branch, "_TASK", 2.0**24)
    sent = []
    submit = Workers.submit
    monkeypatch.setattr(
        Workers, "submit", lambda self, *args: sent.append(args) or submit(self, *args)
    )
    rng = random.Random(inputs)
    graph = network(rng, inputs, width)
    found = set()
    for bound in (1, 4, 8, 16, 40):
        spec = spec_of(inputs, bound)
        alone, helped = (verify(graph, spec, timeout=120, workers=n) for n in (1, 2))
        assert told(alone) == told(helped)
        found.add(alone.status)
    assert found == {"holds", "violated"}
    assert sent


def test_gradients_from_open_boxes_find_a_small_violation_in_fewer_boxes(monkeypatch):
    """The bounds are 1/500 below the largest value that gradients find from 400 points."""
    seen = {}
    for share in (effort._DESCENTS, -1.0):
        monkeypatch.setattr(effort, "_DESCENTS", share)
        seen[share] = 0
        for seed, bound in ((0, 26.003), (1, 12.035), (4, 3.034), (5, 26.665)):
            answer = verify(network(random.Random(seed), 6, 40), spec_of(6, bound), timeout=300)
            assert answer.status == "violated"
            seen[share] += answer.facts["boxes"]
    with_gradients, without = seen.values()
    assert 3 * with_gradients < without


def test_a_clock_that_runs_away_changes_no_answer(monkeypatch):
    """Nor the witness that a float32 run confirms, here one that sees 1/600 less of the output."""
    # it would find others first
    monkeypatch.setattr("tamecheck.verification.run.attack", lambda *_, **__: None)
    answers = []
    clock = itertools.count(step=1000.0)
    for fast in (False, True):
        if fast:
            monkeypatch.setattr("tamecheck.budget.time.monotonic", lambda: next(clock))
        for seed, bound in ((0, 25.98), (1, 12.02), (4, 3.03), (5, 26.64)):
            graph = network(random.Random(seed), 6, 40)

            def replay(x, graph=graph, bound=bound):
                (y,) = exact_outputs(graph, [Fraction(float(v)) for v in x])
                return np.array([float(y) - bound / 600])

            answers.append(told(verify(graph, spec_of(6, bound), replay=replay)))
    assert answers[:4] == answers[4:]
    assert [answer["witness"]["float32"] for answer in answers] == [True] * 8


def test_tasks_are_answered_in_turn_whoever_works():
    """The work is `max` of a task and the seconds that are left, which are fewer."""
    budget = Budget.of(60)
    pool = Workers(1)
    try:
        for helping in (False, True):
            turns = Turns(lambda task, _budget: task, helping=helping)
            turns.begin(pool, max)
            planned = [Planned(100 + k) for k in range(9)]
            for k in range(9):
                assert turns.answer(planned[k:], budget) == 100 + k
    finally:
        pool.shutdown(cancel_futures=True)


def test_no_more_processes_start_than_there_are_tasks_at_once(monkeypatch):
    started = []

    def counted(*arguments, **options):
        started.append(arguments)
        return child(*arguments, **options)

    monkeypatch.setattr(executors, "child", counted)
    with Workers(10**20) as pool:
        for k in range(4):
            assert pool.submit(max, k, 1).result() == max(k, 1)
        assert [one.result() for one in [pool.submit(max, k, 1) for k in range(2)]] == [1, 1]
    assert 1 <= len(started) <= 6
