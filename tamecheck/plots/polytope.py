"""The polytope of a Jacobian set, projected to two of its entries."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np

from tamecheck.cells import element_names
from tamecheck.derivative import JacobianSet
from tamecheck.derivative.result import Entry
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import Axes, Picture, figure_axes, label_of, styled
from tamecheck.plots.fan import hull_order, vertices_of
from tamecheck.plots.paint import legend, line_handle, notes_below, patch_handle
from tamecheck.plots.palette import CLARKE, INK, LINES, MUTED

__all__ = ["draw_jacobian"]


def draw_jacobian(
    found: JacobianSet,
    axes: Axes | None = None,
    *,
    entries: Sequence[int] | None = None,
    around: JacobianSet | None = None,
    names: Sequence[str] = (),
) -> Picture:
    """The vertices of a Jacobian set, the hull of a convex one, and what autodiff returns.

    Of a set by generators the corners of its projection are drawn.

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

    Raises
    ------
    InputError
        If the set is not defined, or an entry is out of range.
    """
    if not found.defined:
        raise InputError(f"There is no Jacobian set to draw: {found.why}.")
    width = _width(found)
    chosen = _entries(found, width, entries)
    labels = _labels(found, names)
    outer = None if around is None or not around.defined else _projected(around, chosen)
    handles: list[object] = []
    with styled():
        drawn = figure_axes(axes)
        if outer is not None:
            handles.append(_hull(drawn, outer, "conservative", MUTED, 0.25))
        shown = _projected(found, chosen)
        style = {"color": CLARKE, "marker": "o", "markersize": 6, "ls": "none", "zorder": 5}
        if found.kind != "bouligand" and len(shown) > 1:
            handles.append(_hull(drawn, shown, _title(found), CLARKE, 0.25))
        drawn.plot(*shown.T, **style)
        corner = "vertex" if found.listed else "corner of the projection"
        handles.append(line_handle(corner, **style))
        if found.autodiff is not None:
            row = np.array([_row(found.autodiff)])
            inside = {True: "in the set", False: "outside the set", None: "not decided"}
            mark = {"marker": "*", "markersize": 12, "color": LINES[0], "ls": "none"}
            drawn.plot(*_flat(row, chosen).T, markeredgecolor="white", zorder=6, **mark)
            handles.append(line_handle(f"autodiff, {inside[found.autodiff_in_set]}", **mark))
        drawn.set_xlabel(labels[chosen[0]])
        if len(chosen) == 2:
            drawn.set_ylabel(labels[chosen[1]])
            _to_scale(drawn)
            drawn.axhline(0, color=INK, linewidth=0.4, zorder=0)
        else:
            drawn.set_yticks([])
            drawn.set_ylim(-1, 1)
            drawn.margins(x=0.15)
            drawn.set_box_aspect(0.25)
        drawn.axvline(0, color=INK, linewidth=0.4, zorder=0)
        legend(drawn, handles)
        notes: list[str] = []
        if width > 2:
            notes.append(f"projected from {width} entries of the matrix to two")
        if not found.listed:
            notes.append("the set is given by generators, its vertices are not listed")
        if found.at_least:
            notes.append("these elements are proved; whether there are more is open")
        notes_below(drawn, notes, own=axes is None)
    counts = {
        "vertices": len(shown) if found.listed else 0,
        "generators": sum(map(len, found.generators)),
        "around": 0 if outer is None else len(outer),
        "hull": len(hull_order(shown)) if len(chosen) == 2 else min(len(shown), 2),
    }
    facts = {"entries": list(chosen), "autodiff_in_set": found.autodiff_in_set}
    return Picture("jacobian", drawn, counts, found.exact, notes=tuple(notes), facts=facts)


def _title(found: JacobianSet) -> str:
    name = found.kind.capitalize()
    return f"{name}, at least" if found.at_least else name


def _to_scale(axes: Axes) -> None:
    """Limits around everything, of one length: set here, since labels are placed by them."""
    box = axes.dataLim
    half = 0.62 * max(box.width, box.height) or 1.0
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    axes.set_xlim(x - half, x + half)
    axes.set_ylim(y - half, y + half)
    axes.set_aspect("equal", adjustable="box")


def _width(found: JacobianSet) -> int:
    rows, columns = found.shape
    return rows * columns


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
        spans = np.sum([np.ptp(group, axis=0) for group in _groups(found)], axis=0)
    order = np.argsort(-spans, kind="stable")[:2]
    return tuple(sorted(order.tolist()))


def _groups(found: JacobianSet) -> list[Array]:
    """For each group of generators 0 and all of them in floats, each flattened into a row."""
    return [
        np.array([[0.0] * _width(found), *(_row(matrix) for matrix in group)])
        for group in found.generators
    ]


def _row(matrix: Sequence[Sequence[Entry]]) -> list[float]:
    return [float(a) for row in matrix for a in row]


def _projected(found: JacobianSet, chosen: Sequence[int]) -> Array:
    """The vertices at two entries; of a set by generators the corners of what they become there."""
    if found.base is None:
        return _flat(vertices_of(found), chosen)
    points = _flat(np.array([_row(found.base)]), chosen)
    for group in _groups(found):
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
    return [
        f"∂{label_of('f' if rows == 1 else f'f[{row}]')}/∂{label_of(name)}"
        for row in range(rows)
        for name in columns
    ]


def _hull(axes: Axes, points: Array, label: str, colour: str, alpha: float) -> object:
    corners = points[hull_order(points)]
    patches = import_module("matplotlib.patches")
    axes.add_patch(
        patches.Polygon(corners, facecolor=colour, alpha=alpha, edgecolor="none", zorder=2)
    )
    axes.add_patch(patches.Polygon(corners, fill=False, edgecolor=colour, linewidth=1.2, zorder=3))
    return patch_handle(f"{label} set", facecolor=colour, alpha=0.5)
