"""What every dual function of a mixed-integer program answers, and where it is definable."""

from __future__ import annotations

import html
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tamecheck.duality.check import (
    CheckItem,
    Value,
    check_at,
    check_columns,
    check_zero,
    in_time,
    reduced_costs,
)
from tamecheck.duality.form import Form, RightHandSide, Vector
from tamecheck.errors import UnsupportedError
from tamecheck.ir.exact import rational_text
from tamecheck.ir.structure import Structure
from tamecheck.ir.verdict import Verdict

if TYPE_CHECKING:
    from tamecheck.ir.graph import Graph


@dataclass(frozen=True, slots=True)
class Gradient:
    """The convex hull of ``vertices``: a conservative gradient at one right-hand side."""

    names: tuple[str, ...]
    """The right-hand sides, in the order of the numbers of a vertex."""
    vertices: tuple[Vector, ...]
    """Slopes of the affine pieces that meet here; a single one where the function is smooth."""

    @property
    def singleton(self) -> bool:
        """Whether the function is differentiable here with one possible gradient."""
        return len(self.vertices) == 1

    @property
    def element(self) -> Mapping[str, Fraction]:
        """One element, by name."""
        return dict(zip(self.names, self.vertices[0], strict=True))

    def contains(self, vector: Sequence[Fraction | int]) -> bool:
        """Whether a vector is a convex combination of the vertices, decided exactly."""
        from tamecheck.exact.hull import membership
        from tamecheck.exact.reals import as_number

        points = [(tuple(map(as_number, vertex)),) for vertex in self.vertices]
        return bool(membership(points, (tuple(as_number(Fraction(x)) for x in vector),)))

    def range(self, name: str) -> tuple[Fraction, Fraction]:
        """The least and the largest slope in one right-hand side."""
        slopes = [vertex[self.names.index(name)] for vertex in self.vertices]
        return min(slopes), max(slopes)

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "names": list(self.names),
            "vertices": [[rational_text(x) for x in vertex] for vertex in self.vertices],
            "singleton": self.singleton,
        }


@dataclass(frozen=True, slots=True)
class Definability:
    """Whether a dual function is tame on a domain of right-hand sides, and why."""

    domain: str
    """``everywhere`` or ``box`` (any bounded box with rational ends)."""
    verdict: Verdict
    structure: Structure
    """Tame with an o-minimal structure, or locally tame in (ℝ, <, +, ℤ)."""
    continuous: bool | None
    lipschitz: bool | None
    """True or false if proved for all such functions or for this one, None if not known."""
    reasons: tuple[str, ...]
    """Why, in sentences."""
    constant: Fraction | None = None
    """A Lipschitz constant for the 1-norm, if one is known."""

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "domain": self.domain,
            "verdict": self.verdict.value,
            "structure": self.structure.public_name,
            "continuous": self.continuous,
            "locally_lipschitz": self.lipschitz,
            "lipschitz_constant": None if self.constant is None else rational_text(self.constant),
            "reasons": list(self.reasons),
        }


def definability(
    domain: str,
    *reasons: str,
    tame: bool = True,
    continuous: bool | None = None,
    lipschitz: bool | None = None,
    constant: Fraction | None = None,
) -> Definability:
    """Tame: finitely many polyhedra with rational data, an affine map on each.

    Else locally tame: definable with the integers beside linear operations over the rationals.
    """
    verdict, structure = (
        (Verdict.TAME, Structure.RATIONAL_SEMILINEAR)
        if tame
        else (Verdict.LOCALLY_TAME, Structure.LOCAL)
    )
    return Definability(domain, verdict, structure, continuous, lipschitz, reasons, constant)


class DualFunction(ABC):
    """A function F of the right-hand side with ``F(b) <= z(b)`` for every b (of a minimum).

    Methods whose argument is called ``d`` work in the normal form, where a maximised objective
    is negated; `__call__`, `dual_value` and `gradient` speak about the program as it was given,
    so that the bound is from above if the objective is maximised.

    Parameters
    ----------
    form
        The program in normal form.
    optimum
        The form's optimal value at its own right-hand side, if it is proved.
    """

    method: str

    why_subadditive = why_monotone = ""
    """Why every function of the family is so, where that is known."""

    notes: tuple[str, ...] = ()
    """What the construction did, and what stopped it where it is not strong."""

    def __init__(self, form: Form, optimum: Fraction | None) -> None:
        self.form = form
        self._optimum = optimum

    # -- what a family supplies -------------------------------------------------------------------

    @abstractmethod
    def evaluate(self, d: Vector) -> Value:
        """F at a right-hand side of the form, exactly."""

    @abstractmethod
    def directional(self, g: Vector) -> Value:
        """``limsup of F(t g) / t`` for t down to 0."""

    @abstractmethod
    def slopes(self, d: Vector) -> tuple[Vector, ...]:
        """The vertices of a conservative gradient of F at ``d``.

        Raises
        ------
        DomainError
            If F jumps at ``d``, or is infinite there: it names the jump.
        """

    def at_column(self, j: int) -> Value:
        """``F(a_j)``, or ``F̄(g_j)`` of a continuous column.

        Where F is the optimum of a program that was not solved in time, the cost of a point of it:
        F is at most that.
        """
        value = self.evaluate if self.form.columns[j].integral else self.directional
        return value(self.form.vector(j))

    @property
    def subadditive(self) -> CheckItem:
        """Whether ``F(d + e) <= F(d) + F(e)`` for all d, e; None if it is not known."""
        return _by_construction(self.why_subadditive)

    @property
    def monotone(self) -> CheckItem:
        """Whether F grows with the sides of ``>=`` rows and falls with those of ``<=`` rows."""
        return _by_construction(self.why_monotone)

    @abstractmethod
    def to_sympy(self) -> Any:
        """The formula as a sympy expression in the symbols of `symbols`."""

    @abstractmethod
    def definability(self, domain: str = "everywhere") -> Definability:
        """Where F is definable on all right-hand sides, or on a ``box`` of them."""

    def graph(self) -> Graph | None:
        """F over one input ``d`` of shape (size, 1); None where F is the optimum of a program."""
        return None

    # -- what follows from it ---------------------------------------------------------------------

    def __call__(self, b: RightHandSide | None = None) -> Value:
        """The bound on the optimal value that F gives at a right-hand side, exactly.

        Parameters
        ----------
        b
            Numbers by row name, where the unnamed rows keep their own right-hand side; or a
            sequence; None for the program's own.
        """
        return self._outward(self.evaluate(self.form.at(b)))

    def symbols(self) -> tuple[Any, ...]:
        """Expressions for the form's right-hand sides in symbols that are named after the rows."""
        import sympy

        pairs = zip(self.form.names, self.form.shift, strict=True)
        return tuple(sympy.Symbol(name, real=True) - to_sympy(s) for name, s in pairs)

    @property
    def formula(self) -> str:
        """F as text, in the names of the rows: that of the normal form, see `formula_scale`."""
        return str(self.to_sympy())

    @property
    def formula_scale(self) -> tuple[int, Fraction]:
        """``F = factor * formula + constant`` in the program's own objective.

        The normal form minimises, over variables that begin at 0.
        """
        return self.form.sign, self.form.sign * self.form.constant

    @property
    def latex(self) -> str:
        """F in LaTeX; where it is not written out, the formula in a text box."""
        import sympy

        latex: Any = sympy.latex  # pyright: ignore[reportUnknownMemberType]
        try:
            return str(latex(self.to_sympy()))
        except UnsupportedError:
            return rf"\text{{{self.formula}}}"

    @cached_property
    def _at_own(self) -> Value:
        return self.evaluate(self.form.right)

    @property
    def optimum(self) -> Fraction | None:
        """The optimal value of the program, if it is proved."""
        return None if self._optimum is None else self.form.outward(self._optimum)

    @property
    def dual_value(self) -> Value:
        """F at the program's own right-hand side."""
        return self._outward(self._at_own)

    @property
    def gap(self) -> Value | None:
        """How far the bound is from the optimum; None if that is not known."""
        return None if self._optimum is None else self._optimum - self._at_own

    @property
    def strong(self) -> bool:
        """Whether F(b) = z(b) is proved at the program's own right-hand side."""
        return self._optimum is not None and self._at_own == self._optimum

    @cached_property
    def checks(self) -> Mapping[str, CheckItem]:
        """The exact check of every condition of the dual, afterwards."""
        return {
            "columns": in_time(lambda: check_columns(self.form, self.at_column)),
            "at_zero": in_time(lambda: check_zero(self.form, self.evaluate)),
            "subadditive": self.subadditive,
            "monotone": self.monotone,
            "at_b": check_at(self.dual_value, self.optimum),
        }

    def reduced_costs(self) -> Mapping[str, Value]:
        """``c_j - F(a_j)`` by column of the form (continuous columns: ``d_j - F̄(g_j)``)."""
        values = reduced_costs(self.form, self.at_column)
        names = (column.name for column in self.form.columns)
        return dict(zip(names, values, strict=True))

    def gradient(self, b: RightHandSide | None = None) -> Gradient:
        """A conservative gradient with respect to the right-hand sides.

        Raises
        ------
        DomainError
            Where F jumps or is infinite; the jump is named.
        """
        sign = self.form.sign
        vertices = self.slopes(self.form.at(b))
        turned = {tuple(sign * slope for slope in vertex): None for vertex in vertices}
        return Gradient(self.form.names, tuple(turned))

    def to_json(self) -> dict[str, Any]:
        """The answer as a JSON object; exact numbers are strings."""
        checks, (factor, constant) = self.checks, self.formula_scale
        return {
            "method": self.method,
            "optimum": None if self.optimum is None else rational_text(self.optimum),
            "dual_value": value_text(self.dual_value),
            "gap": None if self.gap is None else value_text(self.gap),
            "strong": self.strong,
            "checks": {name: item.status for name, item in checks.items()},
            "reasons": {name: item.why for name, item in checks.items()},
            "notes": list(self.notes),
            "formula": self.formula,
            "formula_scale": {"factor": str(factor), "constant": rational_text(constant)},
            "definability": {
                domain: self.definability(domain).to_json() for domain in ("everywhere", "box")
            },
            "rows": [
                {"name": c.name, "sense": c.sense, "bound": c.row is None}
                for c in self.form.constraints
            ],
        }

    def _repr_html_(self) -> str:
        """The answer as a table, for notebooks."""
        rows = [
            ("method", self.method),
            ("F(b)", value_text(self.dual_value)),
            ("z(b)", "not proved" if self.optimum is None else rational_text(self.optimum)),
            *((name, f"{item.status}: {item.why}") for name, item in self.checks.items()),
            ("formula", _shorten(self.formula)),
        ]
        cells = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
            for name, text in rows
        )
        return f"<table>{cells}</table>"

    def __repr__(self) -> str:
        optimum = "?" if self.optimum is None else rational_text(self.optimum)
        return f"<{self.method} dual: F(b) = {value_text(self.dual_value)}, z(b) = {optimum}>"

    def _outward(self, value: Value) -> Value:
        if isinstance(value, Fraction):
            return self.form.outward(value)
        return self.form.sign * value


def _by_construction(why: str) -> CheckItem:
    return CheckItem(status=True if why else None, why=why or "it is not known")


def to_sympy(value: Fraction) -> Any:
    """The number in sympy."""
    import sympy

    return sympy.Rational(value.numerator, value.denominator)


def value_text(value: Value) -> str:
    """A rational in lowest terms, or ``inf`` or ``-inf``."""
    if isinstance(value, Fraction):
        return rational_text(value)
    return "inf" if value == math.inf else "-inf"


def _shorten(text: str, most: int = 2000) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text)} characters)"
