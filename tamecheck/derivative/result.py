"""The answer to "what is the derivative here?"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from flint import arb, fmpq

from tamecheck.derivative.minkowski import MinkowskiSum, Shares
from tamecheck.derivative.rounds import Blend, Part, RoundSet
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.exact import reals
from tamecheck.exact.hull import (
    Matrix,
    Membership,
    Separator,
    fractions_of,
    inner,
    membership,
    rational,
    same,
)
from tamecheck.ir.answer import Readable
from tamecheck.ir.tensor import Shape, element_names

Kind: TypeAlias = Literal["clarke", "bouligand", "conservative"]


Entry = Fraction | arb
"""An exact rational, or a ball that contains the number."""

Rows: TypeAlias = tuple[tuple[Entry, ...], ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a Jacobian is a limit: it is one along a curve on which the function is smooth."""

    direction: tuple[Fraction, ...]
    """The direction in which the curve leaves the point."""
    functionals: tuple[tuple[reals.Number, ...], ...]
    """Where first derivatives suffice: an open cone, the directions on which these are positive, in
    which the Jacobian holds near the point."""
    curve: tuple[tuple[Fraction, ...], ...] = ()
    """The curve ``point + Σ_k t^k curve[k - 1]`` for small ``t > 0``, by its coefficients."""

    @staticmethod
    def along(curve: Sequence[Sequence[fmpq]]) -> Proof:
        """The proof by a curve alone."""
        rows = fractions_of(curve)
        return Proof(next(row for row in rows if any(row)), (), rows)


@dataclass(frozen=True, slots=True)
class Autodiff:
    """What automatic differentiation gives, by the conventions of frameworks at kinks.

    None where that is not known; ``why`` says why.
    """

    pytorch: Matrix | None
    jax: Matrix | None
    why: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class JacobianSet(Readable):
    """A set of Jacobians: the listed ones, and for a convex kind their convex hull.

    A convex set of very many vertices is not listed but generated: its elements are
    ``base + Σ_k Σ_i d_ki generators[k][i]`` for all shares ``d >= 0`` with ``Σ_i d_ki <= 1`` for
    each k.
    """

    kind: str
    """``"clarke"``, ``"bouligand"`` or ``"conservative"``."""
    inputs: Mapping[str, Shape]
    """The inputs' names and shapes."""
    raw: tuple[Matrix, ...] = ()
    """The vertices' numbers as they were computed; none if the set is not defined or not listed."""
    proofs: tuple[Proof, ...] = ()
    """For each vertex a cone in which it is the Jacobian; none for a conservative set."""
    why: str = ""
    """Why there is no set, or what is not decided, or nothing."""
    jumps: tuple[tuple[reals.Number, ...], ...] = ()
    """The limits of the function's value near a jump, the value at the point among them."""
    automatic: Autodiff | None = None
    """What automatic differentiation gives."""
    fans: tuple[tuple[tuple[tuple[reals.Number, ...], ...], Matrix], ...] = field(
        default=(), repr=False
    )
    """For each full cone of directions its functionals and its Jacobian."""
    generated: MinkowskiSum | None = None
    """The set by generators, if its vertices are not listed."""
    round: RoundSet | None = None
    """The set by matrices and balls, if it is no polytope."""
    open: tuple[str, ...] = ()
    """What is not decided; if there is anything, the set has at least these elements."""
    rests_on: str = ""
    """What shows that the elements are all: ``"recomputation"`` where the definition was followed
    once more by another route, with a proof for each combination of signs."""

    @property
    def at_least(self) -> bool:
        """Whether the set may have more elements than the hull of the vertices."""
        return bool(self.open)

    @property
    def defined(self) -> bool:
        """Whether there is such a set."""
        return bool(self.raw) or self.generated is not None or self.round is not None

    @property
    def listed(self) -> bool:
        """Whether the vertices are there; otherwise the set is given by generators, or is round."""
        return self.generated is None and self.round is None

    @property
    def vertices(self) -> tuple[Rows, ...]:
        """The vertices: rows of fractions, or of balls where no rational is known.

        Raises
        ------
        UnsupportedError
            If they are not listed.
        """
        if self.round is not None:
            raise UnsupportedError(
                f"The {self.kind} set is round, and has no list of vertices: {self.describe()}.",
                hint="Ask for describe(), contains(matrix) or support(functional).",
            )
        if self.generated is not None:
            raise UnsupportedError(
                f"The {self.kind} set may have {self.generated.most_vertices} vertices, which are "
                "not listed.",
                hint="Ask for base and generators, contains(matrix) or support(functional).",
            )
        return tuple(public(matrix) for matrix in self.raw)

    @property
    def base(self) -> Rows | None:
        """The element without any generator; None where vertices are listed."""
        return None if self.generated is None else public(self.generated.base)

    @property
    def generators(self) -> tuple[tuple[Rows, ...], ...]:
        """For each group its generators, one for a kink of two pieces; none where listed."""
        if self.generated is None:
            return ()
        return tuple(tuple(public(g) for g in group) for group in self.generated.groups)

    @property
    def autodiff(self) -> Rows | None:
        """The matrix that PyTorch's conventions give at kinks; None where it has none."""
        return None if self.automatic is None else _public(self.automatic.pytorch)

    @property
    def autodiff_jax(self) -> Rows | None:
        """The matrix that JAX's conventions give at kinks; None where it has none."""
        return None if self.automatic is None else _public(self.automatic.jax)

    @property
    def autodiff_why(self) -> str:
        """Why it is not known what automatic differentiation gives; or nothing."""
        return "" if self.automatic is None else self.automatic.why

    @property
    def autodiff_differs(self) -> bool:
        """Whether PyTorch and JAX give different matrices."""
        found = self.automatic
        if found is None or found.pytorch is None or found.jax is None:
            return False
        return not same(found.pytorch, found.jax)

    @property
    def limits(self) -> Rows:
        """The values near a jump, each once."""
        return public(self.jumps)

    @property
    def exact(self) -> bool:
        """Whether this is the whole set, and every number is rational."""
        return not self.open and self.rational

    @property
    def rational(self) -> bool:
        """Whether every number is rational."""
        found = self.automatic
        given = () if found is None else (found.pytorch, found.jax)
        return all(m is None or rational(m) is not None for m in (*self.raw, *given))

    @property
    def singleton(self) -> bool:
        """Whether the set has one element, so that the function has a strict derivative."""
        return len(self.raw) == 1 and not self.open

    def describe(self) -> str:
        """The set in words: its vertices, or its base and generators, or its balls.

        Raises
        ------
        InputError
            If there is no set.
        """
        if not self.defined:
            raise InputError(f"There is no set to describe: {self.why}.")
        if self.round is not None:
            return self.round.describe(self.names)
        if self.generated is not None:
            return str(self)
        listed = ", ".join(_text(vertex) for vertex in self.vertices)
        return listed if len(self.raw) == 1 else f"the hull of {listed}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all input elements."""
        return element_names(self.inputs, single=False)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns of the matrices, of a set that is defined."""
        if self.round is not None:
            return self.round.shape
        example = self.raw[0] if self.generated is None else self.generated.base
        return len(example), len(example[0])

    def _checked(self, matrix: Sequence[Sequence[Any]]) -> Matrix:
        rows = tuple(tuple(_number(a) for a in row) for row in matrix)
        height, width = self.shape
        if [len(row) for row in rows] != [width] * height:
            raise InputError(f"The Jacobian has {height} rows of {width} entries.")
        return rows

    @reals.working_precision(reals.BITS)
    def contains(
        self, matrix: Sequence[Sequence[Any]]
    ) -> Membership | Shares | Blend | bool | None:
        """Whether a matrix is in the set (the hull, for a convex kind), with the proof.

        A `Combination` of vertices, or `Shares` of generators, is true, a `Separator` false; None
        says that balls leave it open, that it is not among those elements that are known, or that
        the set is not defined.  Bouligand's set is finite: True or False.

        Raises
        ------
        InputError
            If the matrix has another shape.
        """
        if not self.defined:
            return None
        rows = self._checked(matrix)
        if self.generated is not None or self.round is not None:
            exact = rational(rows)
            if exact is None:
                return None
            if self.round is not None:
                return self.round.contains(exact)
            return None if self.generated is None else self.generated.membership(exact)
        if self.kind == "bouligand":
            if any(rows == vertex for vertex in self.raw):
                return True
            return False if self.exact else None
        found = membership(self.raw, rows)
        return None if self.open and isinstance(found, Separator) else found

    @reals.working_precision(reals.BITS)
    def support(self, functional: Sequence[Sequence[Any]]) -> Entry:
        """The largest value of ``<functional, M>``, the sum of products of entries, on the set.

        A fraction, or a ball for a round set where no rational number is known.

        Raises
        ------
        InputError
            If the functional has another shape than the matrices, or there is no set of rational
            numbers.
        """
        exact = [rational(matrix) for matrix in self.raw]
        kept = [matrix for matrix in exact if matrix is not None]
        if self.open:
            raise InputError(f"Only some elements are known; it is open {self.open[0]}.")
        if not self.defined or len(kept) < len(exact):
            raise InputError(
                f"There is no set of rational numbers: {self.why or 'some are balls'}."
            )
        weights = rational(self._checked(functional))
        if weights is None:
            raise InputError("The functional has a ball.")
        if self.round is not None:
            return _entry(self.round.support(weights))
        if self.generated is not None:
            return reals.as_fraction(self.generated.support(weights))
        return max(reals.as_fraction(inner(weights, matrix)) for matrix in kept)

    @property
    def autodiff_in_set(self) -> bool | None:
        """Whether automatic differentiation by PyTorch gives an element; None if it is open."""
        return None if self.automatic is None else self._has(self.automatic.pytorch)

    @property
    def autodiff_jax_in_set(self) -> bool | None:
        """Whether automatic differentiation by JAX gives an element; None if it is open."""
        return None if self.automatic is None else self._has(self.automatic.jax)

    @reals.working_precision(reals.BITS)
    def _has(self, matrix: Matrix | None) -> bool | None:
        if matrix is None or not self.defined:
            return None
        if matrix in self.raw:
            return True
        if self.singleton and not self.rational:
            # one piece only: automatic differentiation follows the same chain rule
            return same(self.raw[0], matrix)
        found = self.contains(matrix)
        return None if found is None else not isinstance(found, Separator) and found is not False

    @reals.working_precision(reals.BITS)
    def directional(self, direction: Sequence[Any]) -> tuple[Entry, ...]:
        """The derivative of the function in a direction.

        Raises
        ------
        InputError
            If the set is not defined, conservative or not listed, or the direction has another
            length.
        """
        from tamecheck.derivative.cone import product

        if not self.fans:
            why = self.why or ("the set is conservative" if self.listed else "no cones are listed")
            raise InputError(f"There is no directional derivative: {why}.")
        vector = tuple(reals.as_number(Fraction(v)) for v in direction)
        if len(vector) != len(self.fans[0][1][0]):
            raise InputError(f"A direction has {len(self.fans[0][1][0])} entries.")
        for functionals, matrix in self.fans:
            if all(product(row, vector) >= 0 for row in functionals):
                return tuple(_entry(product(row, vector)) for row in matrix)
        raise InputError("The cones that meet here do not decide this direction.")

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the polytope of the set by matplotlib; the axes.

        Parameters
        ----------
        ax
            Axes to draw on; new ones if None.
        options
            ``entries``: the two entries of the flattened matrix to draw; ``around``: another set
            behind it; ``names``: the inputs' names.
        """
        import tamecheck

        return tamecheck.plots.draw_jacobian(self, ax, **options).axes

    def to_json(self, clarke: JacobianSet | None) -> dict[str, Any]:
        """The JSON form, with exact entries; ``clarke`` is the Clarke set, if that is known."""
        # told where it is not what PyTorch gives
        jax = self.autodiff_differs
        listed = self.vertices if self.listed else ()
        return {
            "kind": self.kind,
            "exact": self.exact,
            "singleton": self.singleton,
            "listed": self.listed,
            "vertices": None if self.round else [matrix_json(matrix) for matrix in listed],
            "parts": [] if self.round is None else [part_json(part) for part in self.round.parts],
            "describe": self.describe() if self.round is not None else None,
            "base": matrix_json(self.base),
            "generators": [[matrix_json(matrix) for matrix in group] for group in self.generators],
            "autodiff": matrix_json(self.autodiff),
            "autodiff_in_clarke": None if clarke is None else clarke.autodiff_in_set,
            "autodiff_jax": matrix_json(self.autodiff_jax) if jax else None,
            "autodiff_jax_in_clarke": clarke.autodiff_jax_in_set if jax and clarke else None,
            "directions": [[str(v) for v in proof.direction] for proof in self.proofs],
            "jumps": [[reals.exact_text(v) for v in value] for value in self.limits],
            "why": self.why or self.autodiff_why or None,
            "at_least": self.at_least,
            "open": list(self.open),
            "rests_on": self.rests_on or None,
        }

    def accurate(self, bits: int) -> bool:
        """Whether every ball has so many good bits."""
        return all(
            isinstance(a, fmpq) or bool(a.rad() * 2**bits <= arb(1) + abs(a.mid()))
            for matrix in self.raw
            for row in matrix
            for a in row
        )

    def __str__(self) -> str:
        if self.round is not None:
            return f"{self.kind} Jacobian: {self.describe()}"
        if self.generated is not None:
            count = self.generated.generators
            return f"{self.kind} Jacobian by {count} generators, its vertices not listed"
        if not self.raw:
            known = "not known whether there is a" if self.open else "no"
            return f"{known} {self.kind} Jacobian: {self.why or self.open[0]}"
        counted = f"{len(self.raw)} {'vertex' if len(self.raw) == 1 else 'vertices'}"
        if self.open:
            return f"{self.kind} Jacobian with at least {counted}: it is open {self.open[0]}"
        return f"{self.kind} Jacobian with {counted}"


def _entry(value: reals.Number) -> Entry:
    return reals.as_fraction(value) if isinstance(value, fmpq) else value


def public(matrix: Sequence[Sequence[reals.Number]]) -> Rows:
    """The matrix with fractions for rationals."""
    return tuple(tuple(_entry(a) for a in row) for row in matrix)


def _public(matrix: Matrix | None) -> Rows | None:
    return None if matrix is None else public(matrix)


def matrix_json(matrix: Sequence[Sequence[Entry]] | None) -> list[list[str]] | None:
    """The rows with exact entries as strings."""
    return None if matrix is None else [[reals.exact_text(a) for a in row] for row in matrix]


def part_json(part: Part) -> dict[str, Any]:
    """A part of a round set: its base, its balls, and the directions that they share."""
    return {
        "base": matrix_json(public(part.base)),
        "balls": [
            {"factor": [str(b) for b in ball.factor], "gram": matrix_json(public(ball.gram))}
            for ball in part.balls
        ],
        "directions": None if part.rows is None else matrix_json(public(part.rows)),
        "ray": None if part.ray is None else [str(a) for a in part.ray],
    }


def _text(matrix: Rows) -> str:
    return f"[{'; '.join(' '.join(map(reals.exact_text, row)) for row in matrix)}]"


def _number(value: Any) -> reals.Number:
    return value if isinstance(value, fmpq | arb) else reals.as_number(Fraction(value))
