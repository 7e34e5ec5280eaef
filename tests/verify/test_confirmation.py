"""A proof that a search has found is heard only with its kernel's word, in Python as in verbs."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck import kernel_bnn, kernel_mip, kernel_pwl, ops
from tamecheck.cli import main
from tamecheck.errors import InputError, SolverError
from tamecheck.ir import judge
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.judge import judge_shares
from tamecheck.kernel import Report
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.solvers import executors
from tamecheck.verification import Holds, Unknown, Violated, confirm, run
from tamecheck.verification.split_proofs import SplitProofs, before_last_op, regions_json

HAT = "max(x, 0) - 2*max(x - 1/2, 0)"
REGION = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0))(assert (<= X_0 1))"


@pytest.fixture
def above():
    """The property that the hat stays below 1."""
    return parse_vnnlib(REGION + "(assert (>= Y_0 1))")


def refusing(verdict):
    """A kernel with this verdict."""
    return lambda *_: Report(verdict, (), None, "a test", None, None)


def test_a_proof_rests_on_its_certificate(above):
    model = tc.expression(HAT)
    assert tc.verify(model, above).certificate is None
    found = tc.verify(model, above, certify=True)
    assert isinstance(found, Holds)
    assert (found.rests_on, found.checked, found.note) == ("certificate", "certificate", "")
    assert tc.recheck(found.certificate).verdict == "valid"


@pytest.mark.parametrize("seed", range(2))
def test_the_search_for_a_certificate_is_that_for_a_proof_or_a_violation(monkeypatch, seed):
    def refuse(*_, **__):
        raise AssertionError("a second search")

    monkeypatch.setattr(run, "split_inputs", refuse)
    monkeypatch.setattr(run, "sample", lambda *_: None)
    monkeypatch.setattr(run._Run, "_exactly", lambda *_: None)
    rng = np.random.default_rng(seed)
    first, second = rng.integers(-8, 9, (3, 6)) / 8, rng.integers(-8, 9, 6) / 8
    sums = (" + ".join(f"({w})*{v}" for w, v in zip(row, ("x", "y", "1"), strict=True))
            for row in first.T)  # fmt: skip
    model = tc.expression(
        " + ".join(f"({w})*max({z}, 0)" for w, z in zip(second, sums, strict=True))
    )
    points = np.stack(np.meshgrid(*[np.linspace(-1, 1, 33)] * 2), -1).reshape(-1, 2)
    values = np.maximum(points @ first[:2] + first[2], 0) @ second
    ends = "".join(f"(assert (>= {v} -1))(assert (<= {v} 1))" for v in ("X_0", "X_1"))
    declared = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0"))
    for bound, kind in ((values.max() + 0.25, Holds), (values.max() - 0.001, Violated)):
        asked = parse_vnnlib(f"{declared}{ends}(assert (>= Y_0 {bound:.6f}))")
        found = tc.verify(model, asked, certify=True)
        assert isinstance(found, kind)
        assert isinstance(found, Violated) or found.rests_on == "certificate"


@pytest.mark.parametrize("timeout", [None, 20])
def test_what_the_search_leaves_of_a_small_network_a_certificate_may_decide(
    monkeypatch, above, timeout
):
    open_ = Unknown("Boxes are left that cannot be halved.", 0.0)
    monkeypatch.setattr(confirm, "decide", lambda *_, **__: open_)
    found = tc.verify(tc.expression(HAT), above, timeout=timeout)
    assert isinstance(found, Holds)
    assert found.rests_on == "certificate"
    assert tc.recheck(found.certificate).verdict == "valid"
    monkeypatch.setattr(kernel_pwl, "check", refusing("invalid"))
    assert isinstance(tc.verify(tc.expression(HAT), above, timeout=timeout), Unknown)


@pytest.mark.parametrize("verdict", ["invalid", "incomplete"])
def test_a_certificate_that_the_kernel_does_not_accept_is_nothing_to_rest_on(
    monkeypatch, above, verdict
):
    monkeypatch.setattr(kernel_pwl, "check", refusing(verdict))
    found = tc.verify(tc.expression(HAT), above, certify=True)
    assert isinstance(found, Holds)
    assert found.rests_on != "certificate"
    assert found.note
    assert (found.certificate is None) == (verdict == "invalid")


def test_a_proof_over_windows_that_the_kernel_refuses_is_a_defect(monkeypatch, above):
    given = Holds("signs", "a test", 0.0, {}, "integer bounds", certificate={"format": "none"})
    monkeypatch.setattr(confirm, "decide", lambda *_, **__: given)
    monkeypatch.setattr(kernel_bnn, "check_region", refusing("invalid"))
    with pytest.raises(tc.CertificateError):
        tc.verify(tc.expression("x"), above)
    monkeypatch.setattr(kernel_bnn, "check_region", refusing("incomplete"))
    assert tc.verify(tc.expression("x"), above) == replace(given, note=confirm._NO_TIME)
    monkeypatch.setattr(kernel_bnn, "check_region", refusing("valid"))
    assert tc.verify(tc.expression("x"), above).rests_on == "certificate"


@pytest.mark.parametrize("ask", [tc.maximise, tc.minimise])
def test_an_optimum_rests_on_the_kernel(monkeypatch, ask):
    found = ask(tc.expression(HAT), box="-1:2", timeout=60)
    assert found.value in (Fraction(1, 2), Fraction(-1))
    assert found.rests_on == "certificate"
    monkeypatch.setattr(kernel_mip, "check", refusing("invalid"))
    with pytest.raises(tc.CertificateError):
        ask(tc.expression(HAT), box="-1:2", timeout=60)


def test_an_interrupt_of_the_search_for_a_certificate_leaves_the_answer(monkeypatch, above):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(SplitProofs, "find", stop)
    found = tc.verify(tc.expression(HAT), above, certify=True)
    assert isinstance(found, Holds)
    assert "Interrupted" in found.note


@pytest.mark.parametrize(
    ("text", "bound", "strict"),
    [
        ("floor(2*x + y) - 2*round(x/2 + y) + sign(x - y)/2", "4", False),
        ("step(x - y)*2 + max(x + y, 0) - sign(y - x)", "5.01", False),
        ("ceil(3*x/2 - y) + floor(y - x)", "3", True),
        ("max(x, y) - 2*max(x/2, y/2)", "0", True),
        ("3*x/4 - 1", "-0.25", True),
    ],
)
def test_jumps_and_bounds_that_are_reached_have_certificates(text, bound, strict):
    ends = "".join(f"(assert (>= {v} -1))(assert (<= {v} 1))" for v in ("X_0", "X_1"))
    model = tc.expression(text if "y" in text else f"{text} + 0*y")
    declared = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0"))
    asked = f"(assert ({'>' if strict else '>='} Y_0 {bound}))"
    found = tc.verify(model, parse_vnnlib(declared + ends + asked), certify=True)
    assert isinstance(found, Holds)
    assert found.rests_on == "certificate", found.note


def test_a_last_op_that_keeps_order_is_left_out_of_the_certificate(above):
    model = tc.expression(f"sigmoid({HAT})")
    found = tc.verify(model, above, certify=True)
    assert isinstance(found, Holds)
    assert found.rests_on == "certificate"
    assert "before its last op" in found.reason
    graph, cases = before_last_op(model.graph, above)
    assert found.certificate["model"]["sha256"] == graph.sha256 != model.graph.sha256
    assert found.certificate["claim"]["regions"] == regions_json(cases)


def test_a_query_about_two_networks_has_a_certificate():
    text = """(vnnlib-version <2.0>)
    (declare-network f (declare-input A real [1]) (declare-output B real [1]))
    (declare-network g (equal-to f) (declare-input C real [1]) (declare-output D real [1]))
    (assert (and (>= A[0] 0.0) (<= A[0] C[0]) (<= C[0] 1.0) (> B[0] D[0])))"""
    build = GraphBuilder()
    x = build.input("x", (1,))
    bent = build.apply(ops.RELU, [build.apply(ops.SUB, [x, build.constant(Fraction(1, 2))])])
    model = build.build([("y", build.apply(ops.ADD, [x, bent]))])
    found = tc.verify({"f": model}, parse_vnnlib(text), certify=True)
    assert isinstance(found, Holds)
    assert found.rests_on == "certificate", found.note


@pytest.mark.slow
def test_processes_check_shares_of_a_large_certificate(monkeypatch, above, tmp_path, capsys):
    alone = tc.verify(tc.expression(HAT), above, certify=True)
    monkeypatch.setattr(judge, "_MANY", 0)
    found = tc.verify(tc.expression(HAT), above, certify=True, workers=2)
    assert found.rests_on == "certificate"
    assert found.certificate == alone.certificate
    path = tmp_path / "c.json"
    path.write_text(json.dumps(found.certificate))
    assert main(["recheck", str(path), "--workers", "2", "-q"]) == 0
    wrong = {**found.certificate, "proofs": [[]]}
    report = tc.recheck(wrong, workers=2)
    assert (report.verdict, report.why) == ("invalid", "a part is missing")
    # without processes it is checked all the same

    def nowhere(*_, **__):
        raise SolverError("A process cannot be started.")

    monkeypatch.setattr(executors, "executor_of", nowhere)
    assert tc.recheck(found.certificate, workers=2).verdict == "valid"
    for workers in (0, -1):
        with pytest.raises(InputError):
            tc.recheck(found.certificate, workers=workers)
        with pytest.raises(InputError):
            tc.verify(tc.expression(HAT), above, workers=workers)
    assert main(["recheck", str(path), "--workers", "0"]) == 2
    capsys.readouterr()


def test_the_first_step_that_a_share_refuses_is_said():
    def report(verdict, step):
        return Report(verdict, (), step, "a test", None, None)

    valid, late = report("valid", None), report("incomplete", 3)
    refused = [report("invalid", step) for step in (7, 2)]
    said = judge_shares(lambda shares: [valid, refused[0], late, refused[1]][: len(shares)], 4)
    assert said == refused[1]
    assert judge_shares(lambda _: [valid, late], 2) == late
    assert judge_shares(lambda _: [valid, valid], 2) == valid
