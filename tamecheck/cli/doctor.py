"""``tamecheck doctor``: versions, solvers, and a test of the whole chain on this machine."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any

from tamecheck.cli.answer import print_json
from tamecheck.cli.options import Subparsers, add_common

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Show the versions of what tamecheck stands on, the solvers that work, and the result of a
self-test: an embedded model is checked, its certificate is accepted, a forged one is rejected.

exit codes: 0 all is well, 1 a self-test fails"""
_PACKAGES = ("tamecheck", "numpy", "onnx", "python-flint", "rich", "z3-solver")
_OPTIONAL = ("mip", "highspy", "torch", "scikit-learn")


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "doctor", help="versions, solvers and a self-test", description=_DESCRIPTION
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Run the self-test and print the findings."""
    tests = [_outcome(name, test) for name, test in _TESTS.items()]
    document = {"versions": _versions(), "solvers": _solvers(), "self_test": tests}
    sound = all(test["ok"] for test in tests)
    if args.json:
        print_json(document)
    elif args.quiet:
        print("ok" if sound else "a self-test fails")
    else:
        _print(document)
    return 0 if sound else 1


def _versions() -> dict[str, str | None]:
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": sys.version.split()[0]}
    for package in (*_PACKAGES, *_OPTIONAL):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _solvers() -> dict[str, str]:
    """Each solver, and whether it answers a question with a known answer."""
    from importlib import import_module

    z3: Any = import_module("z3")
    x, solver = z3.Real("x"), z3.SolverFor("QF_NRA")
    solver.add(x * x < 0)
    answer = str(solver.check())
    works = "works" if answer == "unsat" else f"gives the wrong answer {answer}"
    return {"z3": works, "CBC": _mixed_integer("cbc"), "HiGHS": _mixed_integer("highs")}


def _mixed_integer(solver: str) -> str:
    """Whether a solver, in a process of its own, finds the largest integer below 7/2."""
    from fractions import Fraction

    from tamecheck.ir.answer import Optimal
    from tamecheck.ir.program import Column, Kind, Program, Row, Sense
    from tamecheck.solvers.claims import claims
    from tamecheck.solvers.libraries import INSTALL, PACKAGES, installed, version_of

    if not installed(solver):
        return f"not installed: {INSTALL}"
    one = Fraction(1)
    x = Column("x", upper=Fraction(9), kind=Kind.INTEGER, cost=one)
    row = Row("r", ((0, one),), upper=Fraction(7, 2))
    (said,) = claims(Program((x,), (row,), Sense.MAXIMISE), solvers=(solver,), seconds=20)
    right = isinstance(said, Optimal) and abs(said.objective + 3) < 1e-6
    package = f"{PACKAGES[solver]} {version_of(solver) or 'without a version'}"
    return f"works ({package})" if right else f"gives a wrong answer or none ({package})"


def _outcome(name: str, test: Callable[[], str]) -> dict[str, Any]:
    try:
        why = test()
    except Exception as error:  # noqa: BLE001 (a failure of any kind is the finding)
        why = " ".join(f"{type(error).__name__}: {error}".split())
    return {"name": name, "ok": not why, "why": why}


def _certificate(expression: str, box: str | None, verdict: str) -> tuple[str, str]:
    """The certificate of an expression as text, and what is wrong with its verdict."""
    import json

    import tamecheck

    found = tamecheck.expression(expression).check(box)
    if found.verdict.value != verdict or found.certificate is None:
        return "", f"{expression} is called {found.verdict.value}, not {verdict}"
    return json.dumps(found.certificate), ""


def _judge(text: str, expected: str) -> str:
    from tamecheck.kernel import check

    report = check(text)
    if report.verdict == expected:
        return ""
    return f"the kernel says {report.verdict}, not {expected}: {report.why}"


def _accepts(expression: str, box: str | None, verdict: str) -> Callable[[], str]:
    def test() -> str:
        text, wrong = _certificate(expression, box, verdict)
        return wrong or _judge(text, "valid")

    return test


def _embedded() -> str:
    import json

    import tamecheck
    from tamecheck.models import path

    found = tamecheck.load(path("bnn")).check()
    if found.structure is None or found.structure.public_name != "semilinear":
        return f"the embedded network is called {found.verdict.value}"
    return _judge(json.dumps(found.certificate), "valid")


def _forged() -> str:
    text, wrong = _certificate("exp(x)", None, "tame")
    return wrong or _judge(text.replace('"exp"', '"semialgebraic"', 1), "invalid")


_TESTS: Mapping[str, Callable[[], str]] = {
    "embedded network: tame, certificate accepted": _embedded,
    "max(x,0)-3*sign(y): tame, certificate accepted": _accepts("max(x,0)-3*sign(y)", None, "tame"),
    "sin(x) on [-10,10]: tame, certificate accepted": _accepts("sin(x)", "-10:10", "tame"),
    "sin(x): not tame, witness accepted": _accepts("sin(x)", None, "not-tame"),
    "forged certificate: rejected": _forged,
}


def _print(document: Mapping[str, Any]) -> None:
    from tamecheck.show.tables import print_sections

    print_sections(
        sys.stdout,
        {
            "Versions": [(k, v or "not installed") for k, v in document["versions"].items()],
            "Solvers": list(document["solvers"].items()),
            "Self-test": [
                ("✓" if test["ok"] else "✗", test["name"], test["why"])
                for test in document["self_test"]
            ],
        },
    )
