"""``tamecheck doctor`` and ``demo``: the whole chain on this machine, and on embedded models."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, message, print_answer, write_document
from tamecheck.cli.options import Verb, output

if TYPE_CHECKING:
    from tamecheck.models import Embedded
    from tamecheck.show.answers import Sections


_ABOUT_DOCTOR = """\
Show the versions of what tamecheck stands on, the solvers that work, and the result of a
self-test: an embedded model is checked, its certificate is accepted, a forged one is rejected.

exit codes: 0 all is well, 1 a self-test fails"""
_PACKAGES = (
    *("tamecheck", "numpy", "onnx", "python-flint", "rich", "z3-solver"),
    *("mip", "highspy", "torch", "scikit-learn"),
)


def _doctor(args: Namespace) -> int:
    """Run the self-test and print the findings."""
    from tamecheck.solvers.libraries import version_of

    tests = [_outcome(name, test) for name, test in _TESTS.items()]
    versions = {package: version_of(package) for package in _PACKAGES}
    document: dict[str, Any] = {
        "versions": {"python": sys.version.split()[0], **versions},
        "solvers": {"z3": _z3(), "CBC": _mixed_integer("cbc"), "HiGHS": _mixed_integer("highs")},
        "self_test": tests,
    }
    sound = all(test["ok"] for test in tests)
    sections: Sections = {
        "Versions": [(k, v or "not installed") for k, v in document["versions"].items()],
        "Solvers": list(document["solvers"].items()),
        "Self-test": [("✓" if t["ok"] else "✗", t["name"], t["why"]) for t in tests],
    }
    print_answer(args, document, sections, "ok" if sound else "a self-test fails")
    return 0 if sound else 1


def _z3() -> str:
    """Whether it answers a question with a known answer."""
    from importlib import import_module

    z3: Any = import_module("z3")
    x, solver = z3.Real("x"), z3.SolverFor("QF_NRA")
    solver.add(x * x < 0)
    answer = str(solver.check())
    return "works" if answer == "unsat" else f"gives the wrong answer {answer}"


def _mixed_integer(solver: str) -> str:
    """Whether a solver, in a process of its own, finds the largest integer below 7/2."""
    from fractions import Fraction

    from tamecheck.ir.answer import Optimal
    from tamecheck.ir.program import Column, Kind, Program, Row, Sense
    from tamecheck.solvers.claims import claims
    from tamecheck.solvers.libraries import INSTALL, PACKAGES, is_installed, version_of

    if not is_installed(solver):
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


def _judged(expression: str, box: str | None, verdict: str, *, forged: bool = False) -> str:
    """What is wrong with the verdict on an expression, or with the kernel's word on its proof."""
    import tamecheck

    found = tamecheck.expression(expression).check(box)
    if found.verdict.value != verdict or found.certificate is None:
        return f"{expression} is called {found.verdict.value}, not {verdict}"
    text = json.dumps(found.certificate)
    if forged:
        return _judge(text.replace('"exp"', '"semialgebraic"', 1), "invalid")
    return _judge(text, "valid")


def _judge(text: str, expected: str) -> str:
    from tamecheck.kernel import check

    report = check(text)
    if report.verdict == expected:
        return ""
    return f"the kernel says {report.verdict}, not {expected}: {report.why}"


def _embedded() -> str:
    import tamecheck
    from tamecheck.models import path

    found = tamecheck.load(path("bnn")).check()
    if found.structure is None or found.structure.public_name != "semilinear":
        return f"the embedded network is called {found.verdict.value}"
    return _judge(json.dumps(found.certificate), "valid")


_TESTS: Mapping[str, Callable[[], str]] = {
    "embedded network: tame, certificate accepted": _embedded,
    "max(x,0)-3*sign(y): tame, certificate accepted": partial(
        _judged, "max(x,0)-3*sign(y)", None, "tame"
    ),
    "sin(x) on [-10,10]: tame, certificate accepted": partial(_judged, "sin(x)", "-10:10", "tame"),
    "sin(x): not tame, witness accepted": partial(_judged, "sin(x)", None, "not-tame"),
    "forged certificate: rejected": partial(_judged, "exp(x)", None, "tame", forged=True),
}
DOCTOR = Verb("doctor", "versions, solvers and a self-test", _ABOUT_DOCTOR, (), _doctor)

_ABOUT_DEMO = """\
Check four small networks that come with tamecheck, write a certificate for each, let the kernel
recheck it, and write a summary.  Takes a few seconds.

exit codes: 0 all verdicts are as they should be, 1 one is not"""
_FOLDER = "tamecheck-demo"


def _demo(args: Namespace) -> int:
    """Check, certify and recheck every embedded model."""
    from tamecheck.loaders.outputs import write_text
    from tamecheck.models import EMBEDDED

    folder = Path(args.output)
    summary = folder / "summary.md"
    folder.mkdir(parents=True, exist_ok=True)
    claim(args, summary, "summary")
    for entry in EMBEDDED:
        claim(args, _certificate(folder, entry), "certificate")
    results: list[dict[str, Any]] = []
    parts = ["# Four small networks: are they tame?\n"]
    for entry in EMBEDDED:
        message(args, f"checking {entry.file} on {entry.box or 'all inputs'}")
        result, text = _result(entry, folder, args)
        results.append(result)
        parts.append(_summary(result, text))
    write_text(summary, "\n".join(parts))
    document = {"folder": str(folder), "summary": str(summary), "results": results}
    rows = [
        (
            result["name"],
            " ".join(filter(None, (result["verdict"], result["structure"]))),
            f"on {result['box'] or 'all inputs'}",
            f"certificate {result['recheck']}" if result["recheck"] else "no certificate",
            "" if result["as_expected"] else "NOT AS EXPECTED",
        )
        for result in results
    ]
    files = [("certificate", r["certificate"]) for r in results if r["certificate"] is not None]
    written = [("summary", str(summary)), *files]
    print_answer(args, document, {"Verdicts": rows, f"Written to {folder}": written}, str(folder))
    return 0 if all(result["as_expected"] for result in results) else 1


def _result(entry: Embedded, folder: Path, args: Namespace) -> tuple[dict[str, Any], str]:
    """One row of the answer, and the whole answer as text."""
    import tamecheck
    from tamecheck.kernel import check
    from tamecheck.models import path
    from tamecheck.show import check_text

    model = tamecheck.load(path(entry.file))
    found = model.check(entry.box or None, timeout=args.timeout, seed=args.seed)
    structure = found.structure.public_name if found.structure else None
    certificate = _certificate(folder, entry)
    recheck = None
    if found.certificate is not None:
        write_document(certificate, found.certificate)
        recheck = check(certificate.read_text(encoding="utf-8")).verdict
    expected = (entry.verdict, entry.structure, "valid")
    result = {
        "name": entry.name,
        "about": entry.about,
        "model": str(path(entry.file)),
        "box": entry.box or None,
        "verdict": found.verdict.value,
        "structure": structure,
        "certificate": None if recheck is None else str(certificate),
        "recheck": recheck,
        "as_expected": (found.verdict.value, structure, recheck) == expected,
    }
    return result, check_text(found)


def _certificate(folder: Path, entry: Embedded) -> Path:
    return folder / f"{entry.name}.certificate.json"


def _summary(result: dict[str, Any], text: str) -> str:
    box = f" --box={result['box']}" if result["box"] else ""
    about = result["about"]
    parts = [
        f"## {result['name']}\n\n{about[:1].upper()}{about[1:]}.\n",
        f"    tamecheck check {result['model']}{box}\n",
        f"```\n{text}\n```\n",
    ]
    if result["certificate"] is not None:
        name = Path(result["certificate"]).name
        parts.append(f"Certificate: [{name}]({name}); the kernel says {result['recheck']}.\n")
    return "\n".join(parts)


DEMO = Verb(
    "demo",
    "the main job on embedded models",
    _ABOUT_DEMO,
    (output("-o --output", "FOLDER", f"default: ./{_FOLDER}", default=_FOLDER),),
    _demo,
)
