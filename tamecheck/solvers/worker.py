"""A child process that runs one solver: a JSON question on stdin, a JSON answer on stdout.

Some inputs end CBC's process, and its messages go to file descriptor 1 whatever it is told; so it
runs where neither matters.  Run as ``python -m tamecheck.solvers.worker``.
"""

from __future__ import annotations

import math
from typing import Any

from tamecheck.solvers.answering import answer_once
from tamecheck.solvers.contexts import highs

__all__ = ["main"]

_BEYOND = 1e19
"""CBC reports an unbounded program as optimal with an objective of about 3e20."""


def main() -> None:
    """Answer the question on stdin."""
    answer_once(
        lambda question: _SOLVERS[question["solver"]](question),
        lambda question: _limit_memory(question["memory"]),
    )


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


def _answer(kind: str, x: list[float] | None, objective: float | None, why: str) -> dict[str, Any]:
    """The claim, if it makes sense: finite numbers, and an objective of a size that occurs."""
    if kind in {"optimal", "feasible"}:
        if x is None or objective is None or not all(map(math.isfinite, [*x, objective])):
            return {"status": "unknown", "why": f"{why} without a finite point"}
        if abs(objective) > _BEYOND:
            return {"status": "unbounded"}
    return {"status": kind, "x": x, "objective": objective, "why": why}


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


_SOLVERS = {"cbc": _cbc, "highs": _highs}

if __name__ == "__main__":
    main()
