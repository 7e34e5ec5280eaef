"""A program and a dual function of it as one graph, whose tameness a kernel can check.

The inputs are the variables x within the bounds of the columns and the right-hand sides d of the
normal form in a box.  The outputs are the objective, the infeasibility, which is the largest
violation of a row at (x, d) or distance of an integer variable to the integers, and F(d).  So the
feasible set is where the infeasibility is 0, and what is first-order definable from the program and
from F (the value function, optimal points, the gap) is definable where these three functions are.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tamecheck import ops
from tamecheck.duality.answer import DualFunction
from tamecheck.duality.form import Form
from tamecheck.errors import UnsupportedError
from tamecheck.ir.box import Box
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.programs.scaled import domain
from tamecheck.tame.check import check
from tamecheck.tame.confirm import confirm
from tamecheck.tame.verdict import Check


def pair_check(function: DualFunction) -> Check:
    """The tameness of the program and its dual function together, with a certificate.

    Parameters
    ----------
    function
        The dual function; its program is the other half.  Right-hand sides are in a box around
        those of the program, of the radius 1 plus the largest of them.

    Raises
    ------
    UnsupportedError
        If an integer variable has no finite bounds, or F has no graph.
    """
    form = function.form
    free = [c.name for c in form.program.columns if c.kind.integral and None in domain(c)]
    if free:
        raise UnsupportedError(
            "The program is only locally tame: an integer variable has no finite bounds.",
            nodes=[(name, "integer without bounds") for name in free[:5]],
            hint="Bound it, even by a large number.",
        )
    graph = pair_graph(function)
    width = 1 + max(map(abs, form.right), default=ZERO)
    ends = [domain(column) for column in form.program.columns]
    lower = [*(low for low, _ in ends), *(d - width for d in form.right)]
    # where both bounds are finite, the upper one is a right-hand side
    tops = [high if low is None or high is None else high + width for low, high in ends]
    upper = [*tops, *(d + width for d in form.right)]
    return confirm(check(graph, Box.of_elements(graph.inputs, lower, upper)))


def pair_graph(function: DualFunction) -> Graph:
    """The graph of objective, infeasibility and dual function."""
    own = function.graph()
    if own is None:
        raise UnsupportedError(
            f"A function of the method {function.method} has no graph: it is the optimum of a"
            " program.",
            hint="Take tree, chvatal, gomory or network.",
        )
    form, builder = function.form, GraphBuilder()
    program = form.program
    x = builder.input("x", (len(program.columns), 1))
    d = builder.input("d", (form.size, 1))
    costs = [column.cost for column in program.columns]
    objective = _affine(builder, [(costs, x)], [program.constant])
    parts = [builder.constant([[ZERO]])]
    left, right, constants = _violations(form)
    if left:
        rows = _affine(builder, [(left, x), (right, d)], constants)
        parts.append(builder.apply(ops.REDUCE_MAX, [rows], axes=(0,), keepdims=True))
    whole = [
        [Fraction(int(k == j)) for k in range(len(costs))]
        for j, column in enumerate(program.columns)
        if column.kind.integral
    ]
    if whole:
        values = builder.apply(ops.MATMUL, [builder.constant(whole), x])
        near = builder.apply(ops.ROUND, [values], mode="half_even")
        apart = builder.apply(ops.SUB, [values, near])
        distance = builder.apply(ops.ABS, [apart])
        parts.append(builder.apply(ops.REDUCE_MAX, [distance], axes=(0,), keepdims=True))
    worst = parts[0]
    for part in parts[1:]:
        worst = builder.apply(ops.MAXIMUM, [worst, part])
    nodes = builder.include(own, lambda _: d)
    ((_, output),) = own.outputs
    return builder.build({"objective": objective, "infeasibility": worst, "F": nodes[output]})


def _affine(
    builder: GraphBuilder,
    terms: Sequence[tuple[Sequence[Any], int]],
    constants: Sequence[Fraction],
) -> int:
    """The sum of matrices times nodes, plus a column."""
    node = builder.constant([[a] for a in constants])
    for matrix, source in terms:
        rows = matrix if isinstance(matrix[0], Sequence) else [matrix]
        product = builder.apply(ops.MATMUL, [builder.constant([list(row) for row in rows]), source])
        node = builder.apply(ops.ADD, [node, product])
    return node


def _violations(
    form: Form,
) -> tuple[list[list[Fraction]], list[list[Fraction]], list[Fraction]]:
    """Rows ``P x + Q d + q`` that are at most 0 at feasible points: two for an equation."""
    left: list[list[Fraction]] = []
    right: list[list[Fraction]] = []
    constants: list[Fraction] = []
    program = form.program
    size = len(program.columns)
    capped = (j for j, column in enumerate(program.columns) if None not in domain(column))
    for k, (constraint, shift) in enumerate(zip(form.constraints, form.shift, strict=True)):
        terms = (
            dict(program.rows[constraint.row].terms)
            if constraint.row is not None
            else {next(capped): ONE}
        )
        for sign in {">=": (-1,), "<=": (1,), "=": (1, -1)}[constraint.sense]:
            left.append([sign * terms.get(j, ZERO) for j in range(size)])
            right.append([-sign * Fraction(int(i == k)) for i in range(form.size)])
            constants.append(-sign * shift)
    return left, right, constants
