"""A child process that runs one solver: a JSON question on stdin, a JSON answer on stdout.

Some inputs end CBC's process, and its messages go to file descriptor 1 whatever it is told; so it
runs where neither matters.  Run as ``python -m tamecheck.solvers.worker``; the protocol is that of
`tamecheck.solvers.processes`.
"""

from __future__ import annotations

import json
import math
import os
import sys
from fractions import Fraction
from importlib import import_module
from typing import Any

from tamecheck.solvers.libraries import highs
from tamecheck.solvers.processes import end_with_parent

_BEYOND = 1e19
"""CBC reports an unbounded program as optimal with an objective of about 3e20."""


def main() -> None:
    """Answer the question on stdin and end the process."""
    end_with_parent()
    # what the solver prints goes nowhere; the answer goes where stdout went
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    question = json.load(sys.stdin)
    if "memory" in question:
        _limit_memory(question["memory"])
    try:
        answer = _SOLVERS[question["solver"]](question)
    except MemoryError:
        answer = {"status": "unknown", "why": "out of memory"}
    except Exception as error:  # noqa: BLE001 (whatever happens in a solver is an unknown)
        answer = {"status": "unknown", "why": f"{type(error).__name__}: {error}"}
    answer_to.write(json.dumps(answer))
    answer_to.close()
    # a solver's destructor may still crash; the answer is out
    os._exit(0)


def _limit_memory(limit: int) -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _cbc(question: dict[str, Any]) -> dict[str, Any]:
    import mip as package

    mip: Any = package
    model = mip.Model(sense=mip.MINIMIZE, solver_name=mip.CBC)
    model.verbose = 0
    model.threads = 1
    model.seed = question["seed"]
    model.max_mip_gap = model.max_mip_gap_abs = 0.0
    columns = [
        model.add_var(
            lb=_or(column["lower"], -math.inf),
            ub=_or(column["upper"], math.inf),
            obj=column["cost"],
            var_type=mip.INTEGER if column["integral"] else mip.CONTINUOUS,
        )
        for column in question["columns"]
    ]
    for row in question["rows"]:
        form = mip.xsum(a * columns[j] for j, a in row["terms"])
        low, high = row["lower"], row["upper"]
        if low is not None and low == high:
            model.add_constr(form == low)
            continue
        if low is not None:
            model.add_constr(form >= low)
        if high is not None:
            model.add_constr(form <= high)
    if "start" in question:
        model.start = list(zip(columns, question["start"], strict=True))
        # with its preprocessing, CBC takes the start for an infeasible point
        model.preprocess = 0
    limits = {"max_nodes": question["nodes"]} if "nodes" in question else {}
    status = model.optimize(max_seconds=question["seconds"], **limits)
    x = None if model.num_solutions == 0 else [float(column.x) for column in columns]
    kind = {
        mip.OptimizationStatus.OPTIMAL: "optimal",
        mip.OptimizationStatus.FEASIBLE: "feasible",
        mip.OptimizationStatus.INFEASIBLE: "infeasible",
        mip.OptimizationStatus.INT_INFEASIBLE: "infeasible",
        mip.OptimizationStatus.UNBOUNDED: "unbounded",
    }.get(status, "unknown")
    return _answer(kind, x, model.objective_value if x is not None else None, str(status))


def _highs(question: dict[str, Any]) -> dict[str, Any]:
    import highspy

    solver = highs()
    for option, value in (
        ("random_seed", question["seed"]),
        ("time_limit", question["seconds"]),
        ("mip_rel_gap", 0.0),
        ("mip_abs_gap", 0.0),
    ):
        solver.setOptionValue(option, value)
    if "nodes" in question:
        solver.setOptionValue("mip_max_nodes", question["nodes"])
    for column in question["columns"]:
        solver.addVar(_or(column["lower"], -math.inf), _or(column["upper"], math.inf))
    for j, column in enumerate(question["columns"]):
        solver.changeColCost(j, column["cost"])
        if column["integral"]:
            solver.changeColIntegrality(j, highspy.HighsVarType.kInteger)
    for row in question["rows"]:
        low, high = _or(row["lower"], -math.inf), _or(row["upper"], math.inf)
        indices, values = [j for j, _ in row["terms"]], [a for _, a in row["terms"]]
        solver.addRow(low, high, len(indices), indices, values)
    if solver.getNumRow() != len(question["rows"]):
        return {"status": "unknown", "why": "HiGHS does not accept the coefficients"}
    if "start" in question:
        solution = highspy.HighsSolution()
        solution.col_value = question["start"]
        solver.setSolution(solution)
    solver.run()
    statuses: Any = highspy.HighsModelStatus
    status, info = solver.getModelStatus(), solver.getInfo()
    found = info.primal_solution_status == 2
    x = [float(value) for value in solver.getSolution().col_value] if found else None
    kind = {
        statuses.kOptimal: "optimal",
        statuses.kModelEmpty: "optimal",
        statuses.kInfeasible: "infeasible",
        statuses.kUnbounded: "unbounded",
        statuses.kUnboundedOrInfeasible: "unbounded",
    }.get(status, "feasible" if found else "unknown")
    objective = info.objective_function_value if found else None
    return _answer(kind, x, objective, str(solver.modelStatusToString(status)))


def _answer(
    kind: str, point: list[float] | None, objective: float | None, why: str
) -> dict[str, Any]:
    """The claim, if it makes sense: finite numbers, and an objective of a size that occurs."""
    if kind in {"optimal", "feasible"}:
        if point is None or objective is None or not all(map(math.isfinite, [*point, objective])):
            return {"status": "unknown", "why": f"{why} without a finite point"}
        if abs(objective) > _BEYOND:
            return {"status": "unbounded"}
    return {"status": kind, "point": point, "objective": objective, "why": why}


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _sat(question: dict[str, Any]) -> dict[str, Any]:
    """Clauses and native cardinality constraints."""
    # python-sat has no type information
    solvers: Any = import_module("pysat.solvers")
    solver = solvers.Solver(name=question["solver"], bootstrap_with=question["clauses"])
    for literals, bound in question["at_most"]:
        solver.add_atmost(literals, bound)
    if solver.solve():
        return {"status": "feasible", "point": solver.get_model()}
    return {"status": "infeasible"}


def _z3(question: dict[str, Any]) -> dict[str, Any]:
    """A zero of a polynomial on the standard simplex; None for a number that is not rational."""
    # z3 has no type information
    z3: Any = import_module("z3")
    free = [z3.Real(f"w{k}") for k in range(question["count"] - 1)]
    weights = [*free, 1 - sum(free, z3.RealVal(0))]
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
        return {"status": "infeasible", "solver": name}
    if answer != z3.sat:
        return {"status": "unknown", "why": f"{name}: {solver.reason_unknown()}"}
    model = solver.model()
    values = [z3.simplify(model.eval(weight, model_completion=True)) for weight in weights]
    point = [
        str(Fraction(v.numerator_as_long(), v.denominator_as_long()))
        if z3.is_rational_value(v)
        else None
        for v in values
    ]
    return {"status": "feasible", "solver": name, "point": point}


_SOLVERS = {"cbc": _cbc, "highs": _highs, "minicard": _sat, "gluecard4": _sat, "z3": _z3}

if __name__ == "__main__":
    main()
