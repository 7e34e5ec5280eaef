"""The polyhedral complex of a piecewise linear function on a box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from flint import fmpq

from tamecheck.cells.geometry import balanced_sum, centre, cyclic_order, groups, neighbours, volume
from tamecheck.cells.polytope import ExactRow, Hyperplanes, Polytope, dot, float_values
from tamecheck.cells.slices import Slice
from tamecheck.cells.trace import Branch, Trace
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.answer import Readable
from tamecheck.ir.tensor import Array, Shape


@dataclass(frozen=True, slots=True)
class Halfspace:
    """The points with ``normal · x + offset >= 0``; ``> 0`` if strict."""

    normal: tuple[Fraction, ...]
    offset: Fraction
    strict: bool = False

    def at(self, point: Sequence[Fraction]) -> Fraction:
        """``normal · x + offset`` at a point."""
        return sum((a * x for a, x in zip(self.normal, point, strict=True)), self.offset)

    def holds(self, point: Sequence[Fraction]) -> bool:
        """Whether a point is in the half-space."""
        return self.at(point) > 0 if self.strict else self.at(point) >= 0

    def to_json(self) -> dict[str, Any]:
        """The JSON form, with exact numbers as strings."""
        normal = [str(a) for a in self.normal]
        return {"normal": normal, "offset": str(self.offset), "strict": self.strict}


@dataclass(frozen=True, slots=True)
class AffineMap:
    """``x -> A x + b``, with one row an output element."""

    matrix: tuple[tuple[Fraction, ...], ...]
    offset: tuple[Fraction, ...]

    def __call__(self, point: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """The value at a point."""
        return tuple(
            sum((a * x for a, x in zip(row, point, strict=True)), b)
            for row, b in zip(self.matrix, self.offset, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Cell:
    """A polytope on whose relative interior the function is affine; all its data are exact.

    It is made of a shape and the decisions that hold there; exact coefficients come from ``planes``
    and ``trace``, where ``outputs`` are the output nodes.
    """

    polytope: Polytope = field(repr=False)
    branch: Branch = field(repr=False)
    planes: Hyperplanes = field(repr=False)
    trace: Trace = field(repr=False)
    outputs: tuple[int, ...] = field(repr=False)

    @property
    def dimension(self) -> int:
        """The dimension of the cell."""
        return self.polytope.dim

    @property
    def pattern(self) -> tuple[tuple[int, ...], ...]:
        """The activation pattern: for each deciding node, its signs, winners or roundings."""
        return tuple(
            tuple(int(v) for v in branch.decided.tolist())
            for branch in self.branch.chain()
            if branch.decided is not None
        )

    @cached_property
    def halfspaces(self) -> tuple[Halfspace, ...]:
        """The facets; a cell of lower dimension lies in the `equations` too."""
        shape = self.polytope
        return tuple(
            self._halfspace(number, side, strict=bool(open_))
            for number, side, open_ in zip(
                shape.facets.tolist(), shape.sides.tolist(), shape.open_.tolist(), strict=True
            )
        )

    @cached_property
    def equations(self) -> tuple[Halfspace, ...]:
        """The hyperplanes ``normal · x + offset = 0`` that contain the cell."""
        return tuple(self._halfspace(number, 1, strict=False) for number in self.polytope.equal)

    def _halfspace(self, number: int, side: int, *, strict: bool) -> Halfspace:
        *normal, offset = (as_fraction(a) * side for a in self.planes.row(number))
        return Halfspace(tuple(normal), offset, strict)

    @cached_property
    def map(self) -> AffineMap:
        """The function on the cell; output elements in C order, one output after the other."""
        rows: list[tuple[Fraction, ...]] = []
        offset: list[Fraction] = []
        for node in self.outputs:
            value = self.trace.forms(self.branch, node).value[0]
            for *row, last in value.reshape((value.shape[0], -1)).T.tolist():
                rows.append(tuple(as_fraction(a) for a in row))
                offset.append(as_fraction(last))
        return AffineMap(tuple(rows), tuple(offset))

    def coefficients(self) -> tuple[fmpq, ...]:
        """All coefficients of the map, to compare maps."""
        found: list[fmpq] = []
        for node in self.outputs:
            found += self.trace.forms(self.branch, node).value.reshape(-1).tolist()
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """The JSON form, with exact numbers as strings."""
        document: dict[str, Any] = {
            "halfspaces": [halfspace.to_json() for halfspace in self.halfspaces],
            "A": [[str(a) for a in row] for row in self.map.matrix],
            "b": [str(b) for b in self.map.offset],
            "interior_point": [str(x) for x in self.interior_point],
        }
        if self.equations:
            document["equations"] = [equation.to_json() for equation in self.equations]
        return document

    def forget(self) -> None:
        """Forget what was computed for this cell alone; it is computed again when asked for."""
        self.branch.values.clear()
        for name in ("halfspaces", "equations", "map", "vertices", "interior_point"):
            self.__dict__.pop(name, None)

    @property
    def exact_vertices(self) -> list[ExactRow]:
        """The vertices as ``fmpq`` tuples, in the order of the polytope."""
        return self.polytope.exact_points(self.planes)

    @cached_property
    def vertices(self) -> tuple[tuple[Fraction, ...], ...]:
        """The vertices; those of a polygon in cyclic order."""
        points = self.exact_vertices
        plane = self.polytope.dim == 2 and self.polytope.space == 2
        order = cyclic_order(self.polytope.tight) if plane else range(len(points))
        return tuple(tuple(as_fraction(x) for x in points[index]) for index in order)

    @cached_property
    def exact_volume(self) -> fmpq:
        """Length, area or volume as an ``fmpq``; 0 for a cell of lower dimension."""
        if self.polytope.dim < self.polytope.space:
            return fmpq(0)
        return volume(self.exact_vertices, self.polytope.tight)

    @property
    def volume(self) -> Fraction:
        """Length, area or volume; 0 for a cell of lower dimension."""
        return as_fraction(self.exact_volume)

    @cached_property
    def interior_point(self) -> tuple[Fraction, ...]:
        """A rational point of the relative interior, with short coordinates if there is one."""
        shape = self.polytope
        if shape.dim == shape.space and shape.dim:
            points = shape.points
            mean, scale = points.mean(axis=0), float(np.ptp(points, axis=0).max())
            for bits in (2, 5, 10, 20, 40):
                step = 2.0 ** (np.floor(np.log2(scale)) - bits) if scale > 0 else 1.0
                near = np.rint(mean / step) * step
                if self._inside(near):
                    return tuple(Fraction(float(x)) for x in near)
        return centre(self.exact_vertices)

    def _inside(self, point: Array) -> bool:
        """Whether a point is in the interior: by the floats, or by rationals where they fail."""
        value, error = self.planes.floats(self.polytope.facets)
        sides = self.polytope.sides
        found, doubt = float_values(value.T, error.T, point[None], np.zeros((1, len(point))))
        signed, bound = (found * sides)[0], doubt[0]
        if bool((signed > bound).all()):
            return True
        if bool((signed < -bound).any()):
            return False
        exact = tuple(as_number(Fraction(float(x))) for x in point)
        return self.contains_exact(exact)

    def contains_exact(self, point: ExactRow) -> bool:
        """Whether an ``fmpq`` point is in the relative interior."""
        shape = self.polytope
        if any(dot(self.planes.row(number), point) != 0 for number in shape.equal):
            return False
        return all(
            dot(self.planes.row(number), point) * side > 0
            for number, side in zip(shape.facets.tolist(), shape.sides.tolist(), strict=True)
        )

    def contains(self, point: Sequence[Fraction]) -> bool:
        """Whether a point is in the relative interior."""
        return self.contains_exact(tuple(as_number(x) for x in point))


C = TypeVar("C")


@dataclass(frozen=True, eq=False, repr=False)
class CellList(Readable, Generic[C]):
    """Cells of a function on a box, or the first ones up to a limit."""

    cells: tuple[C, ...]
    """The cells of full dimension."""
    outputs: Mapping[str, Shape]
    """The outputs' names and shapes."""
    slice_: Slice = field(repr=False)
    """How the coordinates give the model's inputs."""

    @property
    def names(self) -> tuple[str, ...]:
        """The coordinates' names."""
        return self.slice_.names

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.names)

    @property
    def count(self) -> int:
        """The number of cells of full dimension."""
        return len(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[C]:
        return iter(self.cells)


@dataclass(frozen=True, eq=False, repr=False)
class Complex(CellList[Cell]):
    """All cells of a piecewise linear function: one for each activation pattern with an interior.

    Beside them cells of lower dimension, where the function jumps.
    """

    lower_dimensional: tuple[Cell, ...]
    """The cells of lower dimension that have a value of their own."""
    complete: bool
    """Whether these are all; False when the limit or the timeout was reached."""

    @cached_property
    def volume(self) -> Fraction:
        """The sum of the cells' volumes; for a complete one, the box's."""
        return as_fraction(balanced_sum([cell.exact_volume for cell in self.cells]))

    @cached_property
    def adjacency(self) -> tuple[tuple[int, int], ...]:
        """The pairs of cells with a common facet, by their numbers."""
        return neighbours(self.cells, self.dimension)

    def merged(self) -> tuple[tuple[int, ...], ...]:
        """The cells in groups: neighbours with equal maps belong together."""
        return groups(self.cells, self.adjacency)

    def at(self, point: Sequence[Fraction | float]) -> Cell | None:
        """The cell whose relative interior holds a point; None on a boundary or outside."""
        exact = tuple(as_number(Fraction(x)) for x in point)
        for cell in (*self.cells, *self.lower_dimensional):
            if cell.contains_exact(exact):
                return cell
        return None

    def plot(self, ax: Any = None) -> Any:
        """Draw the cells in two coordinates by matplotlib, coloured by map, on axes or new ones.

        Raises
        ------
        InputError
            If the complex has not two coordinates.
        """
        import tamecheck

        return tamecheck.plots.complex_axes(self, ax)

    def __str__(self) -> str:
        kinds = f"{len(self.lower_dimensional)} of lower dimension"
        partial = "" if self.complete else " (there are more)"
        return f"{self.count} cells and {kinds} in dimension {self.dimension}{partial}"
