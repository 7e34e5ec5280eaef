"""The polytope of a Jacobian set, projected to two of its entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tamecheck.cells import element_names
from tamecheck.derivative import JacobianSet
from tamecheck.derivative.result import Entry
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import (
    CLARKE,
    INK,
    LINES,
    MUTED,
    Axes,
    Drawing,
    Picture,
    drawing,
    label_of,
    mpl,
)
from tamecheck.plots.paint import hull_order


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
    found
        The set.
    axes
        Axes to draw on; new ones if None.
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
    outer = None if around is None or not around.defined else _projected(around, chosen)
    shown = _projected(found, chosen)
    with drawing(axes, _notes(found, width)) as drawn:
        if outer is not None:
            _hull(drawn, outer, "conservative", MUTED)
        style: Any = {"color": CLARKE, "marker": "o", "markersize": 6, "ls": "none", "zorder": 5}
        if found.kind != "bouligand" and len(shown) > 1:
            name = found.kind.capitalize()
            _hull(drawn, shown, f"{name}, at least" if found.at_least else name, CLARKE)
        drawn.axes.plot(*shown.T, **style)
        drawn.line("vertex" if found.listed else "corner of the projection", **style)
        if found.autodiff is not None:
            row = np.array([_row(found.autodiff)])
            inside = {True: "in the set", False: "outside the set", None: "not decided"}
            mark: Any = {"marker": "*", "markersize": 12, "color": LINES[0], "ls": "none"}
            drawn.axes.plot(*_flat(row, chosen).T, markeredgecolor="white", zorder=6, **mark)
            drawn.line(f"autodiff, {inside[found.autodiff_in_set]}", **mark)
        _frame(drawn.axes, [labels[entry] for entry in chosen])
    counts = {
        "vertices": len(shown) if found.listed else 0,
        "generators": sum(map(len, found.generators)),
        "around": 0 if outer is None else len(outer),
        "hull": len(hull_order(shown)) if len(chosen) == 2 else min(len(shown), 2),
    }
    facts = {"entries": list(chosen), "autodiff_in_set": found.autodiff_in_set}
    return drawn.picture("jacobian", counts, exact=found.exact, facts=facts)


def _notes(found: JacobianSet, width: int) -> list[str]:
    notes: list[str] = []
    if width > 2:
        notes.append(f"projected from {width} entries of the matrix to two")
    if not found.listed:
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
        half = 0.62 * max(box.width, box.height) or 1.0
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        axes.set_xlim(x - half, x + half)
        axes.set_ylim(y - half, y + half)
        axes.set_aspect("equal", adjustable="box")
        axes.axhline(0, color=INK, linewidth=0.4, zorder=0)
    else:
        axes.set_yticks([])
        axes.set_ylim(-1, 1)
        axes.margins(x=0.15)
        axes.set_box_aspect(0.25)
    axes.axvline(0, color=INK, linewidth=0.4, zorder=0)


def _entries(found: JacobianSet, size: int, entries: Sequence[int] | None) -> tuple[int, ...]:
    if entries is not None:
        if len(set(entries)) != min(2, size) or any(not 0 <= e < size for e in entries):
            raise InputError(f"Give two different entries below {size}.", where="--entries")
        return tuple(entries)
    if size <= 2:
        return tuple(range(size))
    if found.listed:
        spans = np.ptp(vertices_of(found), axis=0)
    else:
        spans = np.sum([np.ptp(group, axis=0) for group in _groups(found, size)], axis=0)
    order = np.argsort(-spans, kind="stable")[:2]
    return tuple(sorted(order.tolist()))


def _groups(found: JacobianSet, size: int) -> list[Array]:
    """For each group of generators 0 and all of them in floats, each flattened into a row."""
    return [np.array([[0.0] * size, *map(_row, group)]) for group in found.generators]


def _row(matrix: Sequence[Sequence[Entry]]) -> list[float]:
    return [float(a) for row in matrix for a in row]


def _projected(found: JacobianSet, chosen: Sequence[int]) -> Array:
    """The vertices at two entries; of a set by generators the corners of what they become there."""
    if found.base is None:
        return _flat(vertices_of(found), chosen)
    base = _row(found.base)
    points = _flat(np.array([base]), chosen)
    for group in _groups(found, len(base)):
        # a sum of two convex polygons has its corners among the sums of their corners
        sums = points[:, None, :] + _flat(group, chosen)[None, :, :]
        different = np.unique(sums.reshape(-1, 2), axis=0)
        points = different[hull_order(different)]
    return points


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
    filled: Any = {"facecolor": colour, "alpha": 0.25, "edgecolor": "none", "zorder": 2}
    rim: Any = {"fill": False, "edgecolor": colour, "linewidth": 1.2, "zorder": 3}
    for looks in (filled, rim):
        drawn.axes.add_patch(mpl.patches.Polygon(corners, **looks))
    drawn.patch(f"{label} set", facecolor=colour, alpha=0.5)
