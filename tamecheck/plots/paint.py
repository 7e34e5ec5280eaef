"""Marks that several kinds of figure share: pieces, kinks, jumps, legends, axes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import Axes, label_of
from tamecheck.plots.geometry import FLAT, JUMPS, KINKS, polylines
from tamecheck.plots.palette import INK, JUMP, KINK, SEQUENTIAL
from tamecheck.plots.plane import Plane
from tamecheck.plots.scene import Scene

__all__ = [
    "boundaries",
    "colour_bar",
    "display_ratio",
    "fill",
    "image",
    "legend",
    "line_handle",
    "notes_below",
    "pale",
    "patch_handle",
    "prepare",
]


def display_ratio(plane: Plane) -> float:
    """Height over width of the axes' box: true to scale where the sides are of like length."""
    width, height = (plane.high - plane.low).tolist()
    ratio = height / width
    return ratio if 0.4 <= ratio <= 2.5 else 0.9


def prepare(axes: Axes, plane: Plane) -> None:
    """Limits, labels and aspect of axes on which a plane is drawn."""
    (x0, y0), (x1, y1) = plane.low.tolist(), plane.high.tolist()
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)
    axes.set_box_aspect(display_ratio(plane))
    axes.set_xlabel(plane.labels[0])
    axes.set_ylabel(plane.labels[1])
    axes.tick_params(length=3)


def pale(name: str = SEQUENTIAL, share: float = 0.5) -> Any:
    """A colour map mixed with white, on which black marks are legible."""
    matplotlib = import_module("matplotlib")
    base = matplotlib.colormaps[name](np.linspace(0.08, 1, 256))
    base[:, :3] = share * base[:, :3] + (1 - share)
    return import_module("matplotlib.colors").ListedColormap(base, name=f"pale {name}")


def thin(count: int) -> float:
    """The width of lines, thinner where there are many."""
    return float(np.clip(0.9 * (60 / max(count, 1)) ** 0.35, 0.12, 0.9))


def boundaries(axes: Axes, scene: Scene, *, flat: bool = False) -> list[Any]:
    """Draw kinks and jumps; the handles of those that are there."""
    collections = import_module("matplotlib.collections")
    handles: list[Any] = []
    kinks, jumps = scene.segments(KINKS), scene.segments(JUMPS)
    if flat and scene.segments(FLAT):
        lines = polylines(scene.segments(FLAT))
        axes.add_collection(
            collections.LineCollection(lines, colors=INK, linewidths=0.5, linestyles=":", zorder=2)
        )
        handles.append(line_handle("same map", color=INK, linewidth=0.8, linestyle=":"))
    if kinks:
        width = thin(scene.count)
        axes.add_collection(
            collections.LineCollection(
                polylines(kinks), colors=KINK, linewidths=width, capstyle="round", zorder=3
            )
        )
        handles.append(line_handle("kink", color=KINK, linewidth=max(width, 0.7)))
    if jumps:
        width = float(np.clip(2.6 * thin(scene.count), 0.5, 1.8))
        style = (0, (3.2, 1.4))
        axes.add_collection(
            collections.LineCollection(
                polylines(jumps), colors=JUMP, linewidths=width, linestyles=[style], zorder=4
            )
        )
        handles.append(line_handle("jump", color=JUMP, linewidth=max(width, 1.2), linestyle=style))
    return handles


def fill(
    axes: Axes, polygons: Sequence[Array], colours: Sequence[Any], hatches: Sequence[str] = ()
) -> None:
    """Draw polygons in their colours, without gaps between them; hatched in groups."""
    collections = import_module("matplotlib.collections")
    axes.add_collection(
        collections.PolyCollection(
            list(polygons), facecolors=list(colours), edgecolors="face", linewidths=0.3, zorder=1
        )
    )
    for hatch in sorted({h for h in hatches if h}):
        part = [p for p, h in zip(polygons, hatches, strict=True) if h == hatch]
        axes.add_collection(
            collections.PolyCollection(
                part,
                facecolors="none",
                edgecolors="#00000040",
                hatch=hatch,
                linewidths=0,
                zorder=1.5,
            )
        )


def image(axes: Axes, plane: Plane, pixels: Array, **options: Any) -> Any:
    """Draw an image whose rows go up."""
    (x0, y0), (x1, y1) = plane.low.tolist(), plane.high.tolist()
    return axes.imshow(
        pixels,
        origin="lower",
        extent=(x0, x1, y0, y1),
        aspect="auto",
        zorder=0.5,
        **{"interpolation": "nearest", **options},
    )


def colour_bar(axes: Axes, mappable: Any, label: str) -> None:
    """The scale of the colours, beside the axes."""
    bar = axes.figure.colorbar(mappable, ax=axes, pad=0.02, shrink=0.85, aspect=28)
    bar.set_label(label)
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(length=2, labelsize=7)


def line_handle(label: str, **options: Any) -> Any:
    """An entry of a legend: a line."""
    lines = import_module("matplotlib.lines")
    return lines.Line2D([], [], label=label_of(label), **options)


def patch_handle(label: str, **options: Any) -> Any:
    """An entry of a legend: a filled box."""
    patches = import_module("matplotlib.patches")
    return patches.Patch(label=label_of(label), **options)


def legend(axes: Axes, handles: Sequence[Any]) -> None:
    """The legend, in rows above the axes."""
    if handles:
        axes.legend(
            handles=list(handles),
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=min(len(handles), 4),
            handlelength=2.2,
            columnspacing=1.4,
            borderaxespad=0.3,
        )


def notes_below(axes: Axes, notes: Sequence[str], *, own: bool) -> None:
    """What a reader should know, in small type below a figure of ours."""
    if own and notes:
        text = "\n".join(_wrapped(label_long(note)) for note in notes)
        axes.figure.supxlabel(text, fontsize=6.5, color=INK, alpha=0.75)


def label_long(text: str) -> str:
    """A sentence in which nothing is mathematics."""
    from tamecheck.errors import visible

    return " ".join(visible(text).split()).replace("$", r"\$")


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 95)[:3])
