"""Neural networks as dual functions, and certificates for a program and its dual together."""

from __future__ import annotations

import json
from fractions import Fraction as Q

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli.entry import main
from tamecheck.duality import InfeasibleProgramError, dual
from tamecheck.duality.neural.dual import neural_dual
from tamecheck.duality.neural.function import network_value
from tamecheck.duality.pair import pair_check, pair_graph
from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.evaluate.exact import exact_values
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.kernel import check as kernel_check

WHOLE = Kind.INTEGER


def example(sense=Sense.MINIMISE, right=Q(3, 2)):
    """Güzelsoy and Ralphs: slopes -1 and 2; turned around for a maximum."""
    sign = sense.sign
    costs = (Q(1, 2), Q(0), Q(2), Q(1))
    kinds = (WHOLE, WHOLE, Kind.CONTINUOUS, Kind.CONTINUOUS)
    columns = tuple(
        Column(f"x{j}", kind=kind, cost=sign * c)
        for j, (c, kind) in enumerate(zip(costs, kinds, strict=True))
    )
    terms = ((0, Q(1)), (1, Q(-3, 2)), (2, Q(1)), (3, Q(-1)))
    return Program(columns, (Row("d", terms, right, right),), sense)


BOX = [("d", Q(-2), Q(3))]


@pytest.mark.slow
@pytest.mark.parametrize("sense", list(Sense))
def test_a_fitted_network_is_below_the_value_function(sense):
    program = example(sense)
    found = neural_dual(program, box=BOX, rounds=2, width=6, seconds=20)
    value = dual(program, "value", box=BOX[0]).complex
    assert found.checks["columns"].status
    assert found.checks["at_zero"].status
    assert found.optimum == sense.sign * Q(3, 2)
    touching = 0
    for k in range(-40, 61):
        d = Q(k, 20)
        gap = sense.sign * (value(d) - found({"d": d}))
        assert gap >= 0
        touching += not gap
    assert touching
    # outside of the box it is linear, with feasible multipliers
    assert sense.sign * found({"d": 100}) == found.multipliers[0] * 100
    assert found.definability("box").verdict.value == "tame"
    with pytest.raises(DomainError, match="boundary"):
        found.gradient({"d": 3})
    assert "rectifiers" in found.formula


def test_slopes_are_those_of_the_network_or_of_the_linear_part():
    found = neural_dual(example(), box=BOX, rounds=1, width=4, seconds=20)
    step = Q(1, 2**30)
    for k in range(-17, 25, 3):
        d = Q(k, 9)
        left = (found({"d": d}) - found({"d": d - step})) / step
        right = (found({"d": d + step}) - found({"d": d})) / step
        assert {(left,), (right,)} <= set(found.gradient({"d": d}).vertices)


def test_a_network_that_is_given_is_lowered_by_what_is_proved():
    model = tc.expression("abs(x - 1/3) - x/4 + min(2*x, 1)/5")
    found = neural_dual(example(), box=BOX, network=model.graph, seconds=20)
    value = dual(example(), "value", box=BOX[0]).complex
    gaps = []
    for k in range(-40, 61):
        d = Q(k, 20)
        own = network_value(model.graph, (d,)) + found.least
        gaps.append(value(d) - own)
        assert found({"d": d}) == max(own, found.multipliers[0] * d)
    assert min(gaps) >= 0
    assert min(gaps) < Q(1, 10)
    high = tc.expression("0*x + 9")
    with pytest.raises(UnsupportedError, match="its model"):
        neural_dual(example(), box=[("d", Q(1, 8), Q(1, 4))], network=high.graph).gradient(
            {"d": Q(3, 16)}
        )


def test_boxes_and_networks_that_do_not_fit():
    wide = tc.expression("x + y")
    with pytest.raises(InputError, match="2 inputs and 1 outputs"):
        neural_dual(example(), box=BOX, network=wide.graph)
    with pytest.raises(InputError, match="no interior"):
        neural_dual(example(), box=[("d", Q(1), Q(1))])
    with pytest.raises(InputError, match="no right-hand side 'q'"):
        neural_dual(example(), box=[("q", Q(0), Q(1))])
    empty = Program((Column("x", kind=WHOLE, cost=Q(1)),), (Row("d", ((0, Q(2)),), Q(1), Q(1)),))
    with pytest.raises(InfeasibleProgramError):
        neural_dual(empty)


def bounded():
    columns = (Column("x", Q(0), Q(3), WHOLE, Q(2)), Column("y", Q(-1), None, cost=Q(1)))
    rows = (
        Row("a", ((0, Q(2)), (1, Q(1))), Q(3), None),
        Row("b", ((0, Q(1)), (1, Q(-1))), Q(1, 2), Q(1, 2)),
    )
    return Program(columns, rows)


@pytest.mark.parametrize("method", ["tree", "gomory", "chvatal"])
def test_program_and_dual_are_tame_together_and_the_kernel_says_so(method):
    function = dual(bounded(), method)
    found = pair_check(function)
    assert found.verdict.value == "tame"
    assert found.rests_on == "certificate"
    assert kernel_check(json.dumps(found.certificate)).verdict == "valid"
    graph = pair_graph(function)
    form = function.form
    for x in ((Q(1), Q(1, 2)), (Q(2), Q(3, 2)), (Q(1, 2), Q(0)), (Q(3), Q(-1))):
        for d in (form.right, tuple(Q(k) for k in range(form.size))):
            column = [np.array([[a] for a in own], dtype=object) for own in (x, d)]
            values = exact_values(graph, dict(zip(("x", "d"), column, strict=True)))
            objective, worst, dual_value = (values[name].item() for name in values)
            assert objective == form.program.objective(x)
            assert dual_value == function.evaluate(d)
            if d == form.right:
                assert (worst == 0) == (not form.program.violations(x))


def test_pairs_that_have_no_certificate_say_why():
    with pytest.raises(UnsupportedError, match="locally tame"):
        pair_check(dual(example(), "tree"))
    with pytest.raises(UnsupportedError, match="has no graph"):
        pair_check(dual(bounded(), "value"))


@pytest.mark.slow
def test_command_line(tmp_path, capsys):
    path, cert = tmp_path / "p.lp", tmp_path / "pair.json"
    path.write_text(
        "Minimize\n o: 3 x + y\nSubject To\n r: 2 x + y >= 3\nBounds\n x <= 4\nGeneral\n x\nEnd\n"
    )
    assert main(["dual", str(path), "--pair", str(cert), "-q"]) == 0
    assert main(["recheck", str(cert), "-q"]) == 0
    capsys.readouterr()
    network = ["--method", "network", "--box", "r=1:4", "--timeout", "10"]
    assert main(["dual", str(path), *network, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["method"] == "network"
    assert found["checks"]["columns"] is True
    assert main(["dual", str(path), "--network", "none.onnx"]) == 2
    assert "belongs to the method" in capsys.readouterr().err
