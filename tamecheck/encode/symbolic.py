"""A function as a quantifier-free formula for SMT solvers, as sympy, LaTeX or Python text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from io import StringIO
from typing import TYPE_CHECKING, Any

from tamecheck.encode.unrolling import Algebra, BeyondError, labels, unroll
from tamecheck.errors import UnsupportedError
from tamecheck.ir.box import Box
from tamecheck.ir.formula import Elementary, Relation
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import size_of

if TYPE_CHECKING:
    from tamecheck.cells import Cell, Complex, Halfspace


@dataclass(frozen=True, slots=True, eq=False)
class SmtGraph:
    """A formula that holds exactly where ``y = f(x)`` and ``x`` is in the box."""

    formula: Any
    """A pySMT formula, the conjunction of all parts; subterms are shared."""
    logic: str
    """``QF_LRA`` or ``QF_NRA``; with rounding ``QF_LIRA`` or ``QF_NIRA``."""
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    """pySMT symbols of all elements in C order, one input or output after the other."""
    auxiliary: tuple[Any, ...]
    """Symbols for roots and roundings; each is determined by the inputs."""

    def text(self) -> str:
        """An SMT-LIB 2 script that declares the symbols, asserts the formula and checks it."""
        printers = import_module("pysmt.smtlib.printers")
        lines = [f"(set-logic {self.logic})"]
        for symbol in (*self.inputs, *self.outputs, *self.auxiliary):
            kind = "Int" if symbol.symbol_type().is_int_type() else "Real"
            lines.append(f"(declare-fun {_quote(symbol.symbol_name())} () {kind})")
        parts = self.formula.args() if self.formula.is_and() else (self.formula,)
        for part in parts:
            buffer = StringIO()
            printers.SmtDagPrinter(buffer).printer(part)
            lines.append(f"(assert {buffer.getvalue()})")
        return "\n".join((*lines, "(check-sat)", ""))


def _quote(name: str) -> str:
    return str(import_module("pysmt.utils").quote(name))


def smt_graph(graph: Graph, box: Box | None = None, *, environment: Any = None) -> SmtGraph:
    """Encode a semialgebraic function, with or without rounding.

    Parameters
    ----------
    graph
        The function.
    box
        Its domain; conditions for the inputs become part of the formula.
    environment
        The pySMT environment of the terms; by default that of pySMT's shortcuts, which threads
        share and which pySMT does not protect.

    Raises
    ------
    UnsupportedError
        Listing every node with a transcendental function or a computed index.
    """
    environment = environment or import_module("pysmt.environment").get_env()
    make, real = environment.formula_manager, import_module("pysmt.typing").REAL
    terms = _Terms(make)
    symbols: list[Any] = []
    for name, shape in graph.inputs.items():
        symbols += [make.Symbol(label, real) for label in labels(name, size_of(shape))]
    sides: list[Any] = []
    ends = (box or Box.everything()).elements(graph.inputs)
    for x, (low, high) in zip(symbols, ends, strict=True):
        sides += [] if low is None else [make.GE(x, make.Real(low))]
        sides += [] if high is None else [make.LE(x, make.Real(high))]
    values = unroll(graph, terms.algebra, graph.split(symbols))
    outputs: list[Any] = []
    equations: list[Any] = []
    for name, array in values.items():
        label = f"out_{name}" if name in graph.inputs else name
        for symbol, value in zip(labels(label, array.size), array.reshape(-1), strict=True):
            y = make.Symbol(symbol, real)
            outputs.append(y)
            equations.append(make.Equals(y, value))
    formula = make.And([*sides, *terms.conditions, *equations])
    whole = any(symbol.symbol_type().is_int_type() for symbol in terms.auxiliary)
    logic = f"QF_{'N' if terms.nonlinear else 'L'}{'I' if whole else ''}RA"
    return SmtGraph(formula, logic, tuple(symbols), tuple(outputs), tuple(terms.auxiliary))


class _Terms:
    """pySMT terms; roots and floors are new symbols with the conditions that determine them."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._types = import_module("pysmt.typing")
        self._known: dict[tuple[Any, ...], Any] = {}
        self.conditions: list[Any] = []
        self.auxiliary: list[Any] = []
        self.nonlinear = False

    @property
    def algebra(self) -> Algebra:
        """The language."""
        make = self._make
        zero = make.Real(0)
        relations: dict[Relation, Callable[[Any, Any], Any]] = {
            Relation.LT: make.LT,
            Relation.LE: make.LE,
            Relation.EQ: make.Equals,
            Relation.NE: lambda left, right: make.Not(make.Equals(left, right)),
            Relation.GE: make.GE,
            Relation.GT: make.GT,
        }
        return Algebra(
            number=make.Real,
            add=make.Plus,
            multiply=self._multiply,
            divide=self._divide,
            power=self._power,
            floor=self._floor,
            call=self._call,
            compare=lambda value, relation: relations[relation](value, zero),
            both=make.And,
            either=make.Or,
            choose=make.Ite,
            require=self.conditions.append,
        )

    def _multiply(self, left: Any, right: Any) -> Any:
        self.nonlinear |= not (left.is_constant() or right.is_constant())
        return self._make.Times(left, right)

    def _divide(self, left: Any, right: Any) -> Any:
        # the quotient q with q * right = left; nothing is said of it where right = 0
        make, key = self._make, ("div", left, right)
        if key not in self._known:
            self.nonlinear = True
            found = self._known[key] = self._symbol("quotient", self._types.REAL)
            zero = make.Equals(right, make.Real(0))
            self.conditions.append(make.Or(zero, make.Equals(make.Times(found, right), left)))
        return self._known[key]

    def _power(self, base: Any, exponent: Fraction) -> Any:
        make = self._make
        if exponent == 0:
            return make.Real(1)
        if exponent < 0:
            return self._divide(make.Real(1), self._power(base, -exponent))
        self.nonlinear = True
        if exponent.denominator == 1:
            return self._repeat(base, exponent.numerator)
        key = ("root", base, exponent)
        if key not in self._known:
            found = self._known[key] = self._symbol("root", self._types.REAL)
            zero = make.Real(0)
            root = self._repeat(found, exponent.denominator)
            same = make.Equals(root, self._repeat(base, exponent.numerator))
            defined = make.And(make.GE(found, zero), same)
            self.conditions.append(make.Or(make.LT(base, zero), defined))
        return self._known[key]

    def _repeat(self, base: Any, count: int) -> Any:
        if count > 1000:
            raise BeyondError(f"the power {count}")
        return base if count == 1 else self._make.Times([base] * count)

    def _floor(self, value: Any) -> Any:
        make, key = self._make, ("floor", value)
        if key not in self._known:
            found = make.ToReal(self._symbol("floor", self._types.INT))
            self._known[key] = found
            above = make.LT(value, make.Plus(found, make.Real(1)))
            self.conditions += [make.LE(found, value), above]
        return self._known[key]

    def _call(self, function: Elementary, value: Any) -> Any:
        del value
        raise BeyondError(f"{function.value} is transcendental; SMT-LIB has polynomials only")

    def _symbol(self, kind: str, sort: Any) -> Any:
        found = self._make.Symbol(f"{kind}!{len(self.auxiliary)}", sort)
        self.auxiliary.append(found)
        return found


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
