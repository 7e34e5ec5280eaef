"""Figures: made without touching the user's matplotlib settings, written with the same bytes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

from tamecheck.errors import InputError, visible
from tamecheck.loaders.outputs import write_bytes
from tamecheck.plots.palette import INK, MUTED

__all__ = [
    "SUFFIXES",
    "Axes",
    "Picture",
    "checked_path",
    "figure_axes",
    "label_of",
    "new_axes",
    "rendered",
    "save",
    "styled",
]

Axes: TypeAlias = Any
"""A `matplotlib.axes.Axes`; matplotlib is imported when a figure is drawn."""

SUFFIXES = (".png", ".svg", ".pdf")

_STYLE: Mapping[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "text.usetex": False,
    "mathtext.fontset": "dejavusans",
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "hatch.linewidth": 0.5,
    "hatch.color": "#00000055",
    "svg.fonttype": "none",
    "svg.hashsalt": "tamecheck",
    "pdf.fonttype": 42,
    "path.simplify": False,
    "image.composite_image": False,
}

_WIDTH, _HEIGHT = 5.2, 4.6
_LONGEST = 48


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, and what it shows.

    Parameters
    ----------
    kind
        The kind of plot.
    axes
        The axes that carry it.
    counts
        How many of each thing are drawn: ``cells``, ``kinks``, ``jumps``, ``arrows`` and so on.
    exact
        Whether the geometry is exact; if not, it was sampled on a grid.
    complete
        Whether all of it is drawn.
    notes
        What a reader of the figure should know.
    """

    kind: str
    axes: Axes
    counts: Mapping[str, int]
    exact: bool = True
    complete: bool = True
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def counted(self) -> str:
        """What is drawn, in words: ``4 cells, 2 kinks``."""
        counts = self.counts.items()
        return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts if count)

    def save(self, path: str | Path) -> None:
        """Write the figure as PNG, SVG or PDF; see `save`."""
        save(self.axes.figure, path)


_DRAWING = threading.RLock()
"""All threads share settings, fonts and pyplot figures, so one of them draws at a time."""


@contextmanager
def styled() -> Generator[None]:
    """The settings of our figures, for the body only."""
    matplotlib = import_module("matplotlib")
    with _DRAWING, matplotlib.rc_context(dict(_STYLE)):
        yield


def _shown_by_the_user() -> bool:
    """Whether someone else shows figures here: a notebook, or a script that imported pyplot."""
    return "matplotlib.pyplot" in sys.modules or "ipykernel" in sys.modules


def new_axes(
    *, width: float = _WIDTH, height: float = _HEIGHT, projection: str | None = None
) -> Axes:
    """Axes of a new figure: one of pyplot's where pyplot is in use, else one without a window."""
    if _shown_by_the_user():
        pyplot: Any = import_module("matplotlib.pyplot")
        figure = pyplot.figure(figsize=(width, height), layout="constrained")
    else:
        figure = import_module("matplotlib.figure").Figure(
            figsize=(width, height), layout="constrained"
        )
        import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure.add_subplot(projection=projection)


def figure_axes(axes: Axes | None, **size: Any) -> Axes:
    """The user's axes, or new ones."""
    return new_axes(**size) if axes is None else axes


def label_of(name: str, unit: str = "") -> str:
    r"""A name as it is: nothing in it is mathematics, an escape sequence or hidden.

    >>> label_of("cost $", "m/s")
    'cost \\$ [m/s]'
    """
    text = " ".join(visible(name).split())
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 1]}…"
    if unit:
        text = f"{text} [{' '.join(visible(unit).split())[:_LONGEST]}]"
    text = text.replace("$", r"\$")
    # a legend leaves out what starts with an underscore
    return f"\u200a{text}" if text.startswith("_") else text


def checked_path(path: str | Path) -> Path:
    """The path, once its suffix is known and its folder is there.

    Raises
    ------
    InputError
        If not.
    """
    found = Path(path)
    if found.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"A figure is a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file.",
            where=str(path),
            hint="Name it figure.svg, say.",
        )
    if not found.parent.is_dir():
        raise InputError("The folder of the file does not exist.", where=str(path))
    if found.is_dir():
        raise InputError("This is a folder.", where=str(path))
    return found


def save(figure: Any, path: str | Path, *, dpi: int = 200) -> None:
    """Write a figure as PNG, SVG or PDF: no dates inside, so equal figures are equal files.

    Raises
    ------
    InputError
        If the suffix is another one, or the file cannot be written.
    """
    write_bytes(path, rendered(figure, checked_path(path).suffix, dpi=dpi))


def rendered(figure: Any, suffix: str, *, dpi: int = 200) -> bytes:
    """The bytes of a figure as ``.png``, ``.svg`` or ``.pdf``."""
    metadata: dict[str, Any] = {
        ".png": {"Software": "tamecheck"},
        ".svg": {"Date": None, "Creator": "tamecheck"},
        ".pdf": {"CreationDate": None, "Creator": "tamecheck", "Producer": "tamecheck"},
    }[suffix.lower()]
    drawn = BytesIO()
    with styled():
        figure.savefig(drawn, format=suffix[1:].lower(), dpi=dpi, metadata=metadata)
    return drawn.getvalue()


def caption(axes: Axes, notes: tuple[str, ...]) -> None:
    """What a reader should know, in small type below the figure."""
    if notes:
        axes.figure.supxlabel(
            "\n".join(visible(note).replace("$", r"\$") for note in notes),
            fontsize=7,
            color=MUTED,
        )
