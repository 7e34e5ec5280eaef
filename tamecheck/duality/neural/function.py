"""The function of a network that was lowered: the network on a box, a linear form elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.duality.answer import Definability, DualFunction, Gradient
from tamecheck.duality.check import Value
from tamecheck.duality.form import (
    Form,
    RightHandSide,
    Vector,
    dot,
)
from tamecheck.duality.leaves import affine_text
from tamecheck.duality.optimum import minimise
from tamecheck.errors import DomainError, UnsupportedError
from tamecheck.evaluate.exact import exact_values
from tamecheck.ir.answer import Optimal
from tamecheck.ir.box import Box
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.structure import Structure
from tamecheck.tame.check import check

_MOST_VERTICES = 4096


@dataclass(frozen=True, slots=True)
class Network:
    """``out·relu(W t + bias) + line·t + constant``: rectifiers beside a linear form."""

    weights: tuple[Vector, ...]
    bias: Vector
    out: Vector
    line: Vector
    constant: Fraction

    def graph(self) -> Graph:
        """The network over one input ``t``."""
        builder = GraphBuilder()
        t = builder.input("t", (len(self.line), 1))

        def affine(
            rows: Sequence[Sequence[Fraction]], source: int, side: Sequence[Fraction]
        ) -> int:
            moved = builder.apply(
                ops.MATMUL, [builder.constant([list(row) for row in rows]), source]
            )
            return builder.apply(ops.ADD, [moved, builder.constant([[a] for a in side])])

        hidden = builder.apply(ops.RELU, [affine(self.weights, t, self.bias)])
        whole = affine([self.out], hidden, [self.constant])
        line = builder.apply(ops.MATMUL, [builder.constant([list(self.line)]), t])
        return builder.build({"N": builder.apply(ops.ADD, [whole, line])})

    def slopes(self, t: Vector) -> tuple[Vector, ...]:
        """The slopes around ``t``, each rectifier at 0 on or off in every way."""
        values = [dot(w, t) + b for w, b in zip(self.weights, self.bias, strict=True)]
        choices = [(ZERO, ONE) if not v else (Fraction(int(v > 0)),) for v in values]
        if math.prod(map(len, choices)) > _MOST_VERTICES:
            raise UnsupportedError(
                f"More than {_MOST_VERTICES} combinations of slopes meet at this right-hand side.",
                hint="Move it a little.",
            )
        found: dict[Vector, None] = {}
        for on in product(*choices):
            factors = [a * b for a, b in zip(self.out, on, strict=True)]
            columns = zip(*self.weights, strict=True)
            slope = (a + dot(factors, w) for a, w in zip(self.line, columns, strict=True))
            found[tuple(slope)] = None
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Region:
    """The box B: positions of right-hand sides in the form, and their ends as the program says."""

    rows: tuple[int, ...]
    lower: Vector
    upper: Vector

    def place(self, form: Form, d: Vector) -> Vector | None:
        """The numbers of d in the box's rows; None if d is not in the box, or moves other rows."""
        t = tuple(d[i] + form.shift[i] for i in self.rows)
        still = all(d[i] == own for i, own in enumerate(form.right) if i not in self.rows)
        ends = zip(self.lower, t, self.upper, strict=True)
        return t if still and all(low <= x <= high for low, x, high in ends) else None

    def box(self, graph: Graph) -> Box:
        """As the box of the network's inputs."""
        return Box.of_elements(graph.inputs, self.lower, self.upper)


class NeuralDual(DualFunction):
    """``max(N(d) + m, y·d)`` on a box, ``y·d`` elsewhere."""

    method = "network"

    def __init__(  # noqa: PLR0913 (what it consists of)
        self,
        form: Form,
        optimum: Fraction | None,
        network: Network | Graph,
        *,
        region: Region,
        least: Fraction,
        multipliers: Vector,
    ) -> None:
        super().__init__(form, optimum)
        self.network, self.region = network, region
        self.least, self.multipliers = least, multipliers
        self.network_graph = network if isinstance(network, Graph) else network.graph()

    def _network(self, t: Vector) -> Fraction:
        """``N + m`` in the form's values."""
        return self.form.inward(network_value(self.network_graph, t)) + self.least

    def evaluate(self, d: Vector) -> Fraction:
        """F at a right-hand side of the form, exactly."""
        line, t = dot(self.multipliers, d), self.region.place(self.form, d)
        return line if t is None else max(line, self._network(t))

    def directional(self, g: Vector) -> Value:
        """The linear part's derivative, or a bound: that of z with the integer columns at 0.

        The bound is needed only where N + m is 0 at 0, since F <= z near 0 then.
        """
        line, zero = dot(self.multipliers, g), (ZERO,) * self.form.size
        t = self.region.place(self.form, zero)
        if t is None or self._network(t) < 0:
            return line
        rest = [column for column in self.form.columns if not column.integral]
        outcome = minimise(rest, self.form.constraints, g)
        return max(line, outcome.objective) if isinstance(outcome, Optimal) else math.inf

    def slopes(self, d: Vector) -> tuple[Vector, ...]:
        """The slopes in the rows of the box, inside of it; zeros stand for the other rows."""
        t = self.region.place(self.form, d)
        ends = zip(self.region.lower, t or (), self.region.upper, strict=False)
        if t is None or any(x in {low, high} for low, x, high in ends):
            raise DomainError(
                "The dual function may jump at the boundary of its box, and outside it is linear.",
                hint="Take a right-hand side inside the box.",
            )
        line, own = dot(self.multipliers, d), self._network(t)
        found: list[Vector] = []
        if own >= line:
            if isinstance(self.network, Graph):
                raise UnsupportedError(
                    "The slopes of a network that was given are those of its model.",
                    hint="Use the model's gradient, or tamecheck diff.",
                )
            sign = self.form.sign
            found += [tuple(sign * a for a in slope) for slope in self.network.slopes(t)]
        if own <= line:
            found.append(tuple(self.multipliers[i] for i in self.region.rows))
        return tuple(dict.fromkeys(map(self._spread, found)))

    def _spread(self, slope: Vector) -> Vector:
        own = dict(zip(self.region.rows, slope, strict=True))
        return tuple(own.get(i, ZERO) for i in range(self.form.size))

    def gradient(self, b: RightHandSide | None = None) -> Gradient:
        """A conservative gradient with respect to the right-hand sides of the box."""
        sign, rows = self.form.sign, self.region.rows
        slopes = self.slopes(self.form.at(b))
        vertices = {tuple(sign * slope[i] for i in rows): None for slope in slopes}
        return Gradient(tuple(self.form.names[i] for i in rows), tuple(vertices))

    @property
    def formula(self) -> str:
        """The network's size, and the linear part, in the program's own objective."""
        names = [self.form.names[i] for i in self.region.rows]
        sign, best = self.form.sign, "max" if self.form.sign > 0 else "min"
        y = ((n, sign * a) for n, a in zip(self.form.names, self.multipliers, strict=True))
        constant = sign * (self.form.constant - dot(self.multipliers, self.form.shift))
        ends = zip(names, self.region.lower, self.region.upper, strict=True)
        box = ", ".join(f"{low} <= {name} <= {high}" for name, low, high in ends)
        size = (
            f" of {len(self.network.out)} rectifiers" if isinstance(self.network, Network) else ""
        )
        network = affine_text([(f"N({', '.join(names)})", ONE)], sign * self.least)
        return (
            f"{best}({network}, {affine_text(y, constant)}) where {box}, N a network{size};"
            " else the second"
        )

    @property
    def formula_scale(self) -> tuple[int, Fraction]:
        """The formula is in the program's own objective."""
        return 1, ZERO

    def to_sympy(self) -> Any:
        """Not available: see `network_graph`."""
        raise UnsupportedError(
            "A network that is a dual function is not written out.", hint="Use `network_graph`."
        )

    def definability(self, domain: str = "everywhere") -> Definability:
        """As the network is, by the check of its graph on the box."""
        found = check(self.network_graph, self.region.box(self.network_graph))
        structure = found.structures[0] if found.structures else Structure.LOCAL
        return Definability(
            domain=domain,
            verdict=found.verdict,
            structure=structure,
            continuous=None,
            lipschitz=None,
            reasons=(
                f"the network on its box: {found.verdict.value}; elsewhere F is linear",
                "at the boundary of the box F may jump",
            ),
        )


def network_value(graph: Graph, t: Vector) -> Fraction:
    """The only output of a network at a point, exactly."""
    values = graph.split(np.array(t, dtype=object))
    (array,) = exact_values(graph, values).values()
    (value,) = array.reshape(-1).tolist()
    if not isinstance(value, Fraction):
        raise UnsupportedError("The network has no rational value at this right-hand side.")
    return value
