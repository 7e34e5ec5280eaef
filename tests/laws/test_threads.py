"""Eight threads that ask everything at once get what one thread gets.

Each question is asked by two of the threads; ``TAMECHECK_THREAD_CALLS=200 pytest
tests/laws/test_threads.py`` asks each so often in each thread.
"""

import os
import random
import re
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from flint import arb, ctx

import tamecheck as tc
from tamecheck.exact.reals import working_precision
from tamecheck.learn import BinarizedNetwork, Layer
from tamecheck.plots.canvas import rendered
from tamecheck.programs import check as check_program
from tamecheck.show import check_json

CALLS = int(os.environ.get("TAMECHECK_THREAD_CALLS", "0"))
THREADS = 8
SHARES = 4

SPEC = """(declare-const X_0 Real)
(declare-const Y_0 Real)
(assert (>= X_0 -1))
(assert (<= X_0 1))
(assert (>= Y_0 0.5))
"""
PROGRAM = (
    "max\n cost: 3 x + 2 y\nst\n c: 2 x + 2 y <= 3\nbounds\n x <= 9\n y <= 5\ngen\n x y\nend\n"
)

# what a run measures, and no answer
_MEASURED = re.compile(r"seconds=[-+.e0-9]+|0x[0-9a-f]+")


def exact(value):
    """A value as text, balls with all their bits."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return str([exact(part) for part in value])
    if isinstance(value, arb):
        return str((value.mid().man_exp(), value.rad().man_exp()))
    return _MEASURED.sub("", str(value))


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    """Each method of Model, Program and Explainer: a name, and what to ask."""
    folder = tmp_path_factory.mktemp("questions")
    (folder / "p.lp").write_text(PROGRAM, encoding="utf-8")
    (folder / "s.vnnlib").write_text(SPEC, encoding="utf-8")
    kinks = tc.expression("max(x,0) - abs(y) + clip(z,-1,1)")
    smooth = tc.expression("exp(x) + sin(x*y)/(2 + y^2)")
    bounded = tc.expression("1/(1 + (x*y - 1)^2 + x^2)")
    one = tc.expression("max(x, -x/2)")
    program = tc.load_program(folder / "p.lp")
    rng = np.random.default_rng(3)
    network = BinarizedNetwork(
        (
            Layer(rng.choice([-1.0, 1.0], size=(5, 4)), rng.integers(-1, 2, size=4).astype(float)),
            Layer(rng.choice([-1.0, 1.0], size=(4, 3)), np.zeros(3)),
        )
    ).to_model()
    explainer = tc.Explainer(network, domain=(-1, 1))
    row = [1, 1, -1, 1, -1]
    irrational = {"x": 1.4142, "p": 0}

    def saved(model):
        path = folder / f"{random.random()}.json"
        model.save(path)
        return path.read_bytes()

    return {
        "check": lambda: check_json(kinks.check("-1:1"), derivation=True),
        "check smooth": lambda: check_json(smooth.check("-1:1"), derivation=True),
        "check with z3": lambda: check_json(bounded.check(), derivation=True),
        "check not tame": lambda: check_json(tc.expression("sin(x)").check(), derivation=True),
        "check unknown": lambda: check_json(
            tc.expression("sin(floor(1/x))*sin(1/x)").check("-1:1")
        ),
        "box": lambda: kinks.box("-1:1"),
        "evaluate": lambda: exact(smooth.evaluate(0.3, 0.7)),
        "evaluate exactly": lambda: exact(smooth.evaluate(0.3, 0.7, exact=True)),
        "cells": lambda: (kinks.cells("-1:1").volume, len(kinks.cells("-1:1").cells)),
        "formula cells": lambda: str(tc.expression("max(x*y,x) + abs(y)").cells("-1:1")),
        "jacobian": lambda: exact(kinks.jacobian([0, 0, 0]).vertices),
        "irrational jacobian": lambda: exact(
            tc.expression("abs(x)*exp(y)").jacobian([0, 1]).vertices
        ),
        "gradient": lambda: exact(smooth.gradient(np.ones((2, 2)))),
        "plot": lambda: rendered(one.plot("-1:1").figure, ".png", dpi=40),
        "to_smtlib": lambda: tc.expression("floor(x) + max(x*y, 0)").to_smtlib("-1:1"),
        "to_sympy": lambda: kinks.to_sympy("-1:1").python(),
        "save": lambda: saved(kinks),
        "html": kinks._repr_html_,
        "text": lambda: str(kinks),
        "maximise": lambda: tc.maximise(kinks, box="-1:1").value,
        "verify": lambda: type(tc.verify(one, folder / "s.vnnlib")).__name__,
        "implicit": lambda: exact(
            tc.implicit("abs(x^2-2) + 3*(x^2-2) - p", unknowns=["x"], at=irrational).vertices
        ),
        "solve": lambda: exact(tc.solve(program).answer),
        "certify": lambda: exact(tc.solve(program, certify=True).answer),
        "check program": lambda: exact(check_program(program)),
        "dual": lambda: str(tc.dual(program, "tree").to_json()),
        "gomory": lambda: str(tc.dual(program, "gomory").to_json()),
        "document": lambda: (program.document(), program.sha256),
        "decide": lambda: explainer.decide(row),
        "abductive": lambda: explainer.abductive(row).to_json(),
        "second": lambda: explainer.abductive(row, second=True).to_json(),
        "contrastive": lambda: explainer.contrastive(row).to_json(),
        "counterfactual": lambda: explainer.counterfactual(row).to_json(),
        "enumerate": lambda: [found.to_json() for found in explainer.enumerate(row)],
        "relevancy": lambda: explainer.relevancy(row).to_json(),
        "explain": lambda: explainer.explain(row, "abductive", smallest=True).to_json(),
        "rules": lambda: str(tc.get_rules(network, domain=(-1, 1))),
        "hamming": lambda: type(tc.verify_hamming(network, row, 1)).__name__,
        "distance": lambda: exact(tc.hamming_distance(network, row)),
    }


@pytest.mark.slow
def test_eight_threads_get_what_one_thread_gets(questions, capfd):
    alone = {name: ask() for name, ask in questions.items()}

    def everything(seed):
        order = list(questions) * CALLS or list(questions)[seed % SHARES :: SHARES]
        random.Random(seed).shuffle(order)
        return [(name, questions[name]()) for name in order]

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(everything, range(THREADS)))
    wrong = {name for answers in found for name, answer in answers if answer != alone[name]}
    assert not wrong
    each = CALLS * THREADS or THREADS // SHARES
    assert sum(map(len, found)) == each * len(questions)
    # nobody has taken the process's streams away, and no solver wrote to them
    sys.stdout.write("still here")
    sys.stdout.flush()
    os.write(2, b"here too")
    assert capfd.readouterr() == ("still here", "here too")


def test_solvers_print_nothing_in_a_fresh_process():
    script = textwrap.dedent("""
        import numpy as np
        from tamecheck.solvers.dense import largest_in
        one = np.ones(1)
        assert largest_in(one, (0 * one, one), np.ones((1, 1)), (0 * one, one)) is not None
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.slow
def test_answers_do_not_depend_on_the_precision_that_flint_is_left_at(questions):
    names = (
        *("evaluate exactly", "irrational jacobian", "implicit"),
        *("check not tame", "check smooth"),
    )
    usual = {name: questions[name]() for name in names}
    for bits in (4, 700):
        with ctx.workprec(bits):
            assert {name: questions[name]() for name in names} == usual, bits


def test_a_precision_belongs_to_one_thread_at_a_time():
    def balls(bits):
        found = set()
        for _ in range(300):
            with working_precision(bits):
                found.add(arb(2).sqrt().rad().man_exp())
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(balls, [64, 2000] * 4))
    assert found[::2] == [found[0]] * 4
    assert found[1::2] == [found[1]] * 4
    assert all(len(radii) == 1 for radii in found)


def test_a_process_forked_while_another_thread_computes_can_compute():
    script = textwrap.dedent("""
        import os, threading
        from flint import ctx
        from tamecheck.exact.reals import working_precision
        held, done = threading.Event(), threading.Event()
        def hold():
            with working_precision(900):
                held.set()
                done.wait()
        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        child = os.fork()
        if not child:
            assert ctx.prec == 53
            with working_precision(100):
                os._exit(7)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        done.set()
        thread.join()
        print(code)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "7\n"
