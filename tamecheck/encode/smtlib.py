"""The graph of a function, ``y = f(x)``, as a quantifier-free formula for SMT solvers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from io import StringIO
from typing import Any

from tamecheck.encode.unrolling import Algebra, BeyondError, labels, unroll
from tamecheck.ir.box import Box
from tamecheck.ir.formula import Elementary, Relation
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import size_of


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


def smt_graph(
    graph: Graph, box: Box | None = None, *, prefix: str = "", environment: Any = None
) -> SmtGraph:
    """Encode a semialgebraic function, with or without rounding.

    Parameters
    ----------
    graph
        The function.
    box
        Its domain; conditions for the inputs become part of the formula.
    prefix
        Put before all symbols but the inputs, to conjoin formulas of several functions.
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
    terms = _Terms(prefix, make)
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
        label = prefix + (f"out_{name}" if name in graph.inputs else name)
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

    def __init__(self, prefix: str, make: Any) -> None:
        self._make = make
        self._types = import_module("pysmt.typing")
        self._prefix = prefix
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
        found = self._make.Symbol(f"{self._prefix}{kind}!{len(self.auxiliary)}", sort)
        self.auxiliary.append(found)
        return found
