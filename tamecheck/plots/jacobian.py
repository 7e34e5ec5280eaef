"""The polytope of a Jacobian set, projected to two of its entries."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from tamecheck.cells import element_names
from tamecheck.derivative import JacobianSet
from tamecheck.derivative.result import Entry
from tamecheck.errors import InputError, first_few
from tamecheck.ir.tensor import Array
from tamecheck.plots import canvas
from tamecheck.plots.canvas import Axes, Drawing, Picture, drawing, label_of, mpl
from tamecheck.plots.paint import hull_order

_MOST_ENTRIES = 12
"""Entries of which all pairs are looked at."""


_DIRECTIONS = 120
"""Directions in which a set that is no polytope is measured."""


def vertices_of(found: JacobianSet) -> Array:
    """The vertices in floats, each flattened into a row."""
    return np.array([_row(vertex) for vertex in found.vertices], dtype=np.float64)


def draw_jacobian(
    found: JacobianSet,
    axes: Axes | None = None,
    *,
    entries: Sequence[int] | None = None,
    around: JacobianSet | None = None,
    names: Sequence[str] = (),
) -> Picture:
    """The vertices of a Jacobian set, the hull of a convex one, and what autodiff returns.

    Of a set by generators the corners of its projection are drawn. Raises `InputError` if the set
    is not defined, or an entry is out of range.

    Parameters
    ----------
    found, axes
        The set, and the axes to draw on; new ones if None.
    entries
        The two entries of the flattened matrix to draw; those that vary most if None.  A
        projection of the hull is the hull of the projected vertices.
    around
        Another set to draw behind it: the conservative one.
    names
        The names of the inputs' elements.
    """
    if not found.defined:
        raise InputError(f"There is no Jacobian set to draw: {found.why}.")
    width = found.shape[0] * found.shape[1]
    chosen = _entries(found, width, entries)
    labels = _labels(found, names)
    outer = None if around is None or not around.defined else projected(around, chosen)
    shown = projected(found, chosen)
    with drawing(axes, _notes(found, chosen, labels)) as drawn:
        if outer is not None:
            same = sorted(outer.tolist()) == sorted(shown.tolist())
            _hull(drawn, outer, f"conservative set{', the same' if same else ''}", canvas.MUTED)
        _set(drawn, found, shown)
        if found.autodiff is not None:
            row = np.array([_row(found.autodiff)])
            inside = {True: "in the set", False: "outside the set", None: "not decided"}
            mark: Any = {"marker": "*", "markersize": 12, "color": canvas.LINES[0], "ls": "none"}
            drawn.axes.plot(*_flat(row, chosen).T, markeredgecolor="white", zorder=6, **mark)
            drawn.line(f"autodiff, {inside[found.autodiff_in_set]}", **mark)
        _frame(drawn.axes, [labels[entry] for entry in chosen])
    counts = {
        "vertices": len(shown) if found.listed else 0,
        "generators": sum(map(len, found.generators)),
        "around": 0 if outer is None else len(outer),
        "hull": len(hull_order(shown)) if len(chosen) == 2 else min(len(shown), 2),
    }
    facts = {
        "entries": list(chosen),
        "entry_names": [labels[entry] for entry in chosen],
        "autodiff_in_set": found.autodiff_in_set,
    }
    return drawn.picture("jacobian", counts, exact=found.exact, facts=facts)


def _set(drawn: Drawing, found: JacobianSet, shown: Array) -> None:
    """The set: a polygon, a heavy segment, or a ring around a single matrix."""
    name = found.kind.capitalize()
    said = f"{name} set, at least" if found.at_least else f"{name} set"
    corners = hull_order(shown)
    dot: Any = {"color": canvas.CLARKE, "marker": "o", "markersize": 6, "ls": "none", "zorder": 5}
    if len(corners) == 1:
        ring: Any = {"marker": "o", "markersize": 17, "markerfacecolor": "none", "ls": "none"}
        ring |= {"color": canvas.CLARKE, "markeredgewidth": 2.2, "zorder": 7}
        drawn.axes.plot(*shown[:1].T, **ring)
        drawn.line(f"{said}: one point here", **{**ring, "markersize": 9})
    elif found.kind != "bouligand":
        _hull(drawn, shown, said, canvas.CLARKE)
    if not found.listed and found.base is None:
        return
    drawn.axes.plot(*shown.T, **dot)
    if len(corners) > 1 or not found.listed:
        drawn.line("vertex" if found.listed else "corner of the projection", **dot)


def _notes(found: JacobianSet, chosen: Sequence[int], labels: Sequence[str]) -> list[str]:
    notes: list[str] = []
    if len(labels) > 2:
        drawn = " and ".join(labels[entry] for entry in chosen)
        others = [k for k in _varying(found, len(labels)) if k not in chosen]
        rest = first_few([labels[k] for k in others], 3)
        verb = "varies" if len(others) == 1 else "vary"
        told = f"{rest} {verb} too" if others else "no other entry varies"
        notes.append(f"{drawn} of {len(labels)} entries; {told}")
    if not found.listed and found.base is None:
        notes.append(f"{found}")
    elif not found.listed:
        notes.append("the set is given by generators, its vertices are not listed")
    if found.at_least:
        notes.append("these elements are proved; whether there are more is open")
    return notes


def _frame(axes: Axes, labels: Sequence[str]) -> None:
    """Labels, lines through 0, and limits around everything, to scale for two entries."""
    axes.set_xlabel(labels[0])
    if len(labels) == 2:
        axes.set_ylabel(labels[1])
        # of one length, and set here, since labels are placed by them
        box = axes.dataLim
        size = max(abs(edge) for edge in (box.x0, box.x1, box.y0, box.y1))
        half = 0.62 * max(box.width, box.height) or max(1.0, 0.25 * size)
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        axes.set_xlim(x - half, x + half)
        axes.set_ylim(y - half, y + half)
        axes.set_aspect("equal", adjustable="box")
        axes.axhline(0, color=canvas.INK, linewidth=0.4, zorder=0)
    else:
        axes.set_yticks([])
        axes.set_ylim(-1, 1)
        axes.margins(x=0.15)
        axes.set_box_aspect(0.25)
    axes.axvline(0, color=canvas.INK, linewidth=0.4, zorder=0)


def _varying(found: JacobianSet, size: int) -> list[int]:
    """The entries that are not the same in the whole set, those that vary most first."""
    if found.listed:
        spans = np.ptp(vertices_of(found), axis=0)
    elif found.base is None:
        spans = np.array([np.ptp(projected(found, (entry,))[:, 0]) for entry in range(size)])
    else:
        spans = np.sum([np.ptp(group, axis=0) for group in _groups(found, size)], axis=0)
    order = np.argsort(-spans, kind="stable")
    return [entry for entry in order.tolist() if spans[entry] > 0]


def _entries(found: JacobianSet, size: int, entries: Sequence[int] | None) -> tuple[int, ...]:
    """The two entries whose projection tells most vertices apart, has most corners, and is wide."""
    if entries is not None:
        if len(set(entries)) != min(2, size) or any(not 0 <= e < size for e in entries):
            raise InputError(f"Give two different entries below {size}.", where="--entries")
        return tuple(entries)
    if size <= 2:
        return tuple(range(size))
    varying = _varying(found, size)[:_MOST_ENTRIES]
    if len(varying) < 2:
        # a set that is no polygon is shown with entries of one row, if there are any
        first = varying[0] if varying else 0
        row = first // found.shape[1] * found.shape[1]
        others = [*range(row, row + found.shape[1]), *range(size)]
        return tuple(sorted((first, next(k for k in others if k != first))))

    def told_apart(pair: tuple[int, int]) -> tuple[int, int, float]:
        points = projected(found, pair)
        spans = np.ptp(points, axis=0)
        different = np.unique(np.round(points / np.where(spans > 0, spans, 1), 9), axis=0)
        return len(different), len(hull_order(points)), float(spans.min())

    return tuple(sorted(max(combinations(varying, 2), key=told_apart)))


def _groups(found: JacobianSet, size: int) -> list[Array]:
    """For each group of generators 0 and all of them in floats, each flattened into a row."""
    return [np.array([[0.0] * size, *map(_row, group)]) for group in found.generators]


def _row(matrix: Sequence[Sequence[Entry]]) -> list[float]:
    return [float(a) for row in matrix for a in row]


def projected(found: JacobianSet, chosen: Sequence[int]) -> Array:
    """The vertices at two entries; of a set by generators the corners of what they become there.

    Of a set that is no polytope the corners of a polygon around it, by its support.
    """
    if found.listed:
        return _flat(vertices_of(found), chosen)
    if found.base is None:
        return _outline(found, chosen)
    base = _row(found.base)
    points = _flat(np.array([base]), chosen)
    for group in _groups(found, len(base)):
        # a sum of two convex polygons has its corners among the sums of their corners
        sums = points[:, None, :] + _flat(group, chosen)[None, :, :]
        different = np.unique(sums.reshape(-1, 2), axis=0)
        points = different[hull_order(different)]
    return points


def _outline(found: JacobianSet, chosen: Sequence[int]) -> Array:
    """The corners of the polygon whose sides touch a convex set in many directions."""
    rows, columns = found.shape

    def support(direction: Sequence[float]) -> float:
        weights = [Fraction(0)] * (rows * columns)
        for entry, part in zip(chosen, direction, strict=True):
            weights[entry] = Fraction(part).limit_denominator(10**6)
        matrix = [weights[k * columns : (k + 1) * columns] for k in range(rows)]
        return float(found.support(matrix))

    if len(chosen) == 1:
        return np.array([[-support([-1.0]), 0.0], [support([1.0]), 0.0]])
    angles = np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)
    sides = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    reach = np.array([support(side) for side in sides.tolist()])
    pairs = np.stack([sides, np.roll(sides, -1, axis=0)], axis=1)
    heights = np.stack([reach, np.roll(reach, -1)], axis=1)
    corners = np.linalg.solve(pairs, heights[:, :, None])[:, :, 0]
    # opposite sides of a segment or a point meet
    width = reach + np.roll(reach, _DIRECTIONS // 2)
    if float(width.min()) > 1e-6 * float(width.max()):
        return corners
    far = int(width.argmax())
    ends = corners[[far, (far + _DIRECTIONS // 2) % _DIRECTIONS]]
    return ends if float(width.max()) > 0 else ends[:1]


def _flat(points: Array, chosen: Sequence[int]) -> Array:
    shown = points[:, list(chosen)]
    return shown if shown.shape[1] == 2 else np.hstack([shown, np.zeros((len(shown), 1))])


def _labels(found: JacobianSet, names: Sequence[str]) -> list[str]:
    columns = names or element_names(found.inputs)
    rows = found.shape[0]
    outputs = ["f"] if rows == 1 else [f"f[{row}]" for row in range(rows)]
    return [f"∂{label_of(output)}/∂{label_of(name)}" for output in outputs for name in columns]


def _hull(drawn: Drawing, points: Array, label: str, colour: str) -> None:
    corners = points[hull_order(points)]
    if len(corners) > 2:
        # what is behind is paler
        alpha = 0.18 if colour == canvas.MUTED else 0.4
        filled: Any = {"facecolor": colour, "alpha": alpha, "edgecolor": "none", "zorder": 2}
        rim: Any = {"fill": False, "edgecolor": colour, "linewidth": 1.2, "zorder": 3}
        for looks in (filled, rim):
            drawn.axes.add_patch(mpl.patches.Polygon(corners, **looks))
        drawn.patch(label, facecolor=colour, alpha=1.5 * alpha)
    elif len(corners) == 2:
        # what is behind is wider
        heavy: Any = {"color": colour, "linewidth": 9 if colour == canvas.MUTED else 4, "zorder": 3}
        alpha = 0.55 if colour == canvas.MUTED else 0.9
        drawn.axes.plot(*corners.T, alpha=alpha, solid_capstyle="round", **heavy)
        drawn.line(label, alpha=alpha, color=colour, linewidth=4)
