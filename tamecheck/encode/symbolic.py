"""A function as sympy expressions, and those as LaTeX or Python text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tamecheck.encode.unrolling import Algebra, labels, unroll
from tamecheck.errors import UnsupportedError
from tamecheck.ir.formula import Relation
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import size_of

if TYPE_CHECKING:
    from tamecheck.cells import Cell, Complex, Halfspace


@dataclass(frozen=True, slots=True, eq=False)
class Symbolic:
    """Formulas of all output elements."""

    variables: tuple[Any, ...]
    """sympy symbols, one a coordinate (or one an input element)."""
    outputs: Mapping[str, tuple[Any, ...]]
    """For each output its elements' expressions in C order."""

    @property
    def expressions(self) -> tuple[Any, ...]:
        """All expressions, one output after the other."""
        return tuple(e for elements in self.outputs.values() for e in elements)

    def latex(self) -> str:
        """One equation an output element, to be set in ``align*``."""
        sympy = import_module("sympy")
        taken = {str(v) for v in self.variables}
        rows = [
            f"{sympy.latex(sympy.Symbol(name))} &= {sympy.latex(e)}"
            for name, e in self._name_all(taken)
        ]
        return " \\\\\n".join(rows)

    def python(self) -> str:
        """A module that defines the symbols and the expressions; needs only sympy."""
        sympy = import_module("sympy")
        taken = {*dir(sympy), *dir(import_module("builtins")), *import_module("keyword").kwlist}
        lines = [
            "from sympy import *",
            "from sympy.functions.elementary.piecewise import ExprCondPair",
            "",
        ]
        for variable in self.variables:
            name = _identifier(str(variable), taken)
            taken.add(name)
            lines.append(f"{name} = {sympy.srepr(variable)}")
        lines += [f"{name} = {sympy.srepr(e)}" for name, e in self._name_all(taken)]
        return "\n".join((*lines, ""))

    def _name_all(self, taken: set[str]) -> list[tuple[str, Any]]:
        taken = set(taken)
        found: list[tuple[str, Any]] = []
        for output, elements in self.outputs.items():
            for number, element in enumerate(elements):
                plain = output if len(elements) == 1 else f"{output}_{number}"
                name = _identifier(f"out_{plain}" if plain in taken else plain, taken)
                taken.add(name)
                found.append((name, element))
        return found


def _identifier(name: str, taken: set[str]) -> str:
    """A Python identifier that is not yet taken."""
    plain = re.sub(r"\W+", "_", name).strip("_") or "v"
    plain = f"v{plain}" if plain[0].isdigit() else plain
    while plain in taken:
        plain += "_"
    return plain


def _symbols(names: Sequence[str]) -> tuple[Any, ...]:
    sympy = import_module("sympy")
    taken: set[str] = set()
    found: list[Any] = []
    for name in names:
        plain = _identifier(name, taken)
        taken.add(plain)
        found.append(sympy.Symbol(plain, real=True))
    return tuple(found)


def symbolic_cells(found: Complex) -> Symbolic:
    """A piecewise linear function as one `Piecewise` an output element, with a branch a cell.

    Outside the box no branch holds, and the value is ``nan``.  Cells of lower dimension, where the
    function jumps, come first: a point of one is also in the closure of its neighbours.

    Raises `UnsupportedError` if the cells are not all there.
    """
    sympy = import_module("sympy")
    if not found.complete:
        raise UnsupportedError(
            f"There are more than {found.count} cells, so the formula would not be whole.",
            hint="Give a smaller box, or a larger limit.",
        )
    variables = _symbols(found.names)
    thin = sorted(found.lower_dimensional, key=lambda cell: cell.dimension)
    branches = [(cell, _where(cell, variables)) for cell in (*thin, *found.cells)]
    outputs: dict[str, tuple[Any, ...]] = {}
    row = 0
    for name, shape in found.outputs.items():
        elements: list[Any] = []
        for _ in range(size_of(shape)):
            parts = [
                (_affine(c.map.matrix[row], c.map.offset[row], variables), where)
                for c, where in branches
            ]
            elements.append(sympy.Piecewise(*parts, evaluate=False))
            row += 1
        outputs[name] = tuple(elements)
    return Symbolic(variables, outputs)


def _affine(row: Sequence[Fraction], last: Fraction, variables: Sequence[Any]) -> Any:
    sympy = import_module("sympy")
    terms = [_number(a) * v for a, v in zip(row, variables, strict=True) if a]
    return sympy.Add(*terms, _number(last))


def _number(value: Fraction) -> Any:
    return import_module("sympy").Rational(value.numerator, value.denominator)


def _where(cell: Cell, variables: Sequence[Any]) -> Any:
    sympy = import_module("sympy")

    def side(h: Halfspace) -> Any:
        return _affine(h.normal, h.offset, variables)

    # the interior of a facet that is shared by two cells may use either value, unless it is strict
    conditions = [sympy.Eq(side(h), 0) for h in cell.equations]
    conditions += [side(h) > 0 if h.strict else side(h) >= 0 for h in cell.halfspaces]
    return sympy.And(*conditions, evaluate=False) if conditions else sympy.true


def symbolic_graph(graph: Graph) -> Symbolic:
    """A function of any ops, op by op: `Piecewise` at every kink, and elementary functions.

    Raises `UnsupportedError`, listing every node with indices that are computed from the inputs.
    """
    names = [labels(name, size_of(shape)) for name, shape in graph.inputs.items()]
    variables = _symbols([one for some in names for one in some])
    values = unroll(graph, _expressions(), graph.split(variables))
    outputs = {name: tuple(array.reshape(-1).tolist()) for name, array in values.items()}
    return Symbolic(variables, outputs)


def _expressions() -> Algebra:
    """Sympy expressions; points outside the domain give sympy's own undefined values."""
    sympy = import_module("sympy")
    relations = {
        Relation.LT: sympy.Lt,
        Relation.LE: sympy.Le,
        Relation.EQ: sympy.Eq,
        Relation.NE: sympy.Ne,
        Relation.GE: sympy.Ge,
        Relation.GT: sympy.Gt,
    }
    return Algebra(
        number=_number,
        add=lambda parts: sympy.Add(*parts),
        multiply=sympy.Mul,
        divide=lambda left, right: left / right,
        power=lambda base, exponent: sympy.Pow(base, _number(exponent)),
        floor=sympy.floor,
        call=lambda function, value: getattr(sympy, function.value)(value),
        compare=lambda value, relation: relations[relation](value, 0),
        both=lambda parts: sympy.And(*parts),
        either=lambda parts: sympy.Or(*parts),
        choose=lambda condition, value, other: sympy.Piecewise(
            (value, condition), (other, sympy.true), evaluate=False
        ),
        require=lambda _: None,
    )
