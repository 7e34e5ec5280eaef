"""Where a model decides for each class, as quantifier-free conditions for its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tamecheck.cells.complex import Cell, Complex, Halfspace
from tamecheck.errors import InputError, UnsupportedError


@dataclass(frozen=True, slots=True)
class Region:
    """The points that satisfy all conditions: a part of one cell with one class.

    The ``label`` of the class is the number of the largest score, of equal ones the first; parts of
    lower dimension lie in the ``equations`` too.
    """

    label: int
    halfspaces: tuple[Halfspace, ...]
    equations: tuple[Halfspace, ...] = ()

    def contains(self, point: Sequence[Fraction]) -> bool:
        """Whether a point satisfies all conditions."""
        return all(e.at(point) == 0 for e in self.equations) and all(
            h.holds(point) for h in self.halfspaces
        )


@dataclass(frozen=True, slots=True)
class DecisionRegions:
    """A quantifier-free description of a classifier on a box."""

    names: tuple[str, ...]
    """The coordinates."""
    classes: int
    """The number of scores."""
    regions: tuple[Region, ...]
    """Polyhedra; a point is of a class if one of the class's polyhedra holds it."""
    complete: bool
    """Whether the polyhedra cover the box; False when the limit of cells was reached."""

    def label(self, point: Sequence[Fraction]) -> int | None:
        """The class of a point; None outside the box, or where cells are missing."""
        return next((r.label for r in self.regions if r.contains(point)), None)

    def to_json(self) -> dict[str, Any]:
        """The description as JSON."""
        return {
            "coordinates": list(self.names),
            "classes": self.classes,
            "complete": self.complete,
            "regions": [
                {
                    "class": region.label,
                    "halfspaces": [h.to_json() for h in region.halfspaces],
                    "equations": [e.to_json() for e in region.equations],
                }
                for region in self.regions
            ],
        }

    def smtlib(self) -> str:
        """An SMT-LIB 2 script that defines a predicate ``class_k`` for each class."""
        lines = ["(set-logic QF_LRA)"]
        lines += [f"(declare-fun {_symbol(name)} () Real)" for name in self.names]
        for label in range(self.classes):
            parts = [self._conjunction(r) for r in self.regions if r.label == label]
            body = f"(or {' '.join(parts)})" if parts else "false"
            lines.append(f"(define-fun class_{label} () Bool {body})")
        return "\n".join((*lines, ""))

    def _conjunction(self, region: Region) -> str:
        parts = [f"(= {self._sum(e)} 0.0)" for e in region.equations]
        parts += [f"({'>' if h.strict else '>='} {self._sum(h)} 0.0)" for h in region.halfspaces]
        return f"(and {' '.join(parts)})" if parts else "true"

    def _sum(self, plane: Halfspace) -> str:
        terms = [
            f"(* {_number(a)} {_symbol(name)})"
            for a, name in zip(plane.normal, self.names, strict=True)
            if a
        ]
        return (
            f"(+ {' '.join((*terms, _number(plane.offset)))})" if terms else _number(plane.offset)
        )


def decision_regions(found: Complex) -> DecisionRegions:
    """Where each score is the largest, ties to the first, from the cells of the scores.

    A difference of scores that has the same sign on all vertices of a cell is no condition there.

    Parameters
    ----------
    found
        The cells of a function with one output of at least two elements.

    Raises
    ------
    UnsupportedError
        If the function has several outputs.
    InputError
        If it has a single score.
    """
    if len(found.outputs) != 1:
        raise UnsupportedError("Decisions are those of a model with one output.")
    parts = [*found.cells, *found.lower_dimensional]
    classes = len(parts[0].map.offset) if parts else 0
    if classes < 2:
        raise InputError("A model with a single score decides nothing.", hint="Compare scores.")
    regions = tuple(
        region
        for cell in parts
        for label in range(classes)
        if (region := _region(cell, label)) is not None
    )
    return DecisionRegions(found.names, classes, regions, found.complete)


def _region(cell: Cell, label: int) -> Region | None:
    matrix, offset = cell.map.matrix, cell.map.offset
    conditions: list[Halfspace] = []
    for other in range(len(offset)):
        if other == label:
            continue
        normal = tuple(a - b for a, b in zip(matrix[label], matrix[other], strict=True))
        plane = Halfspace(normal, offset[label] - offset[other], strict=other < label)
        values = [plane.at(vertex) for vertex in cell.vertices]
        largest, least = max(values), min(values)
        if largest < 0 or (plane.strict and largest == 0):
            return None
        if least < 0 or (plane.strict and least == 0):
            conditions.append(plane)
    return Region(label, (*cell.halfspaces, *conditions), cell.equations)


def _symbol(name: str) -> str:
    plain = name.isascii() and name.isidentifier()
    return name if plain else "|" + name.replace("|", "_").replace("\\", "_") + "|"


def _number(value: Fraction) -> str:
    size = f"{abs(value.numerator)}.0"
    text = size if value.denominator == 1 else f"(/ {size} {value.denominator}.0)"
    return f"(- {text})" if value < 0 else text
