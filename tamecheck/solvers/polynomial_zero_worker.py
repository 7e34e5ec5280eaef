"""A child process that asks z3 for a zero of a polynomial on the standard simplex.

A JSON question on stdin, a JSON answer on stdout; `tamecheck.solvers.polynomial_zero` asks.
"""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from typing import Any

from tamecheck.solvers.answering import answer_once

__all__ = ["main"]


def main() -> None:
    """Answer the question on stdin."""
    answer_once(_solved)


def _solved(question: dict[str, Any]) -> dict[str, Any]:
    # z3 has no type information
    z3: Any = import_module("z3")
    free = [z3.Real(f"w{k}") for k in range(question["count"] - 1)]
    last = 1 - sum(free, z3.RealVal(0))
    weights = [*free, last]
    value = z3.RealVal(0)
    for exponents, coefficient in question["terms"]:
        exact = Fraction(coefficient)
        term = z3.Q(exact.numerator, exact.denominator)
        for weight, exponent in zip(weights, exponents, strict=True):
            for _ in range(exponent):
                term = term * weight
        value = value + term
    solver = z3.Tactic("qfnra-nlsat").solver()
    solver.add(*(weight >= 0 for weight in weights), value == 0)
    name = f"z3 {z3.get_version_string()}"
    answer = solver.check()
    if answer == z3.unsat:
        return {"status": "unsat", "solver": name}
    if answer != z3.sat:
        return {"status": "unknown", "why": f"{name}: {solver.reason_unknown()}"}
    model = solver.model()
    values = [model.eval(weight, model_completion=True) for weight in weights]
    return {"status": "sat", "solver": name, "values": [_rational(z3, v) for v in values]}


def _rational(z3: Any, value: Any) -> str | None:
    value = z3.simplify(value)
    if not z3.is_rational_value(value):
        return None
    return str(Fraction(value.numerator_as_long(), value.denominator_as_long()))


if __name__ == "__main__":
    main()
