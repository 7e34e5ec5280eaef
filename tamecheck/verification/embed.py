"""A network inside a user's own python-mip model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tamecheck.encode.mip.network import Encoding, mip_encoding
from tamecheck.errors import InputError
from tamecheck.evaluate import exact_values
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.program import Kind
from tamecheck.ir.tensor import size_of
from tamecheck.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """A network whose rows are in a python-mip model."""

    graph: Graph
    encoding: Encoding
    """The network and its program."""
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    """The model's variables for all elements, in C order."""

    def get_error(self) -> float:
        """The largest distance of the outputs in the solution from the network at its inputs.

        The network is evaluated exactly at the inputs that the solver gives, even where these are
        outside their bounds by the solver's tolerance.

        Raises
        ------
        InputError
            If the model has no solution yet.
        """
        x = [variable.x for variable in self.inputs]
        if any(value is None for value in x):
            raise InputError("The model has no solution.", hint="Call its optimize() first.")
        point = self.graph.split([Fraction(float(value)) for value in x])
        found = exact_values(self.graph, point)
        exact = [v for name, _ in self.graph.outputs for v in found[name].reshape(-1).tolist()]
        pairs = zip(self.outputs, exact, strict=True)
        return max((float(abs(Fraction(float(y.x)) - value)) for y, value in pairs), default=0.0)


def embed(model: Model, mip_model: Any, x_vars: Sequence[Any]) -> Embedded:
    """Add a piecewise linear network to a python-mip model.

    Parameters
    ----------
    model
        The network.
    mip_model
        A `mip.Model`; variables and constraints are added to it.
    x_vars
        Its variables for the elements of all inputs, in C order, with finite bounds.  Integer and
        binary ones make more networks possible: one that jumps needs arguments of isolated values.

    Returns
    -------
    Embedded
        ``outputs`` are variables; ``get_error()`` says how far a solution is from the network.

    Raises
    ------
    InputError
        If the number of variables does not fit, or one is unbounded.
    UnsupportedError
        If the network is no exact mixed-integer program over these variables.
    """
    graph = model.graph
    variables = list(x_vars)
    count = sum(size_of(shape) for shape in graph.inputs.values())
    if len(variables) != count:
        raise InputError(f"The model has {count} input elements; {len(variables)} are given.")
    for variable in variables:
        if not (math.isfinite(variable.lb) and math.isfinite(variable.ub)):
            raise InputError(
                f"Variable {variable.name!r} is unbounded.", hint="Give it lb and ub when added."
            )
    lower, upper = ([Fraction(float(getattr(v, side))) for v in variables] for side in ("lb", "ub"))
    box = Box.of_elements(graph.inputs, lower, upper)
    encoding = mip_encoding(graph, box, integer=_integral(variables))
    columns = dict(zip(encoding.inputs, variables, strict=True))
    for j, column in enumerate(encoding.program.columns):
        if j not in columns and column.lower is not None and column.upper is not None:
            columns[j] = mip_model.add_var(
                lb=float(column.lower),
                ub=float(column.upper),
                var_type="I" if column.kind is Kind.INTEGER else "C",
            )
    for row in encoding.program.rows:
        form = sum((float(a) * columns[j] for j, a in row.terms), 0.0)
        if row.lower is not None and row.lower == row.upper:
            mip_model.add_constr(form == float(row.lower))
        elif row.lower is not None:
            mip_model.add_constr(form >= float(row.lower))
    outputs = tuple(columns[j] for j in encoding.outputs)
    return Embedded(graph, encoding, tuple(variables), outputs)


def _integral(variables: Sequence[Any]) -> frozenset[int]:
    return frozenset(i for i, v in enumerate(variables) if v.var_type in ("I", "B"))
