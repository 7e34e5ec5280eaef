"""Figures: made without touching the user's matplotlib settings, written with the same bytes.

Colours are those of Okabe and Ito (2008), which the colour-blind tell apart.  Fills are these hues
mixed with white, ordered so that neighbours in the list differ in lightness too; where more than
colour must carry a meaning, line styles, markers and hatches say it again.
"""

from __future__ import annotations

import sys
import textwrap
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

from matplotlib import (
    collections,
    colormaps,
    colors,
    figure,
    lines,
    patches,
    patheffects,
    rc_context,  # pyright: ignore[reportUnknownVariableType]
    ticker,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tamecheck.errors import InputError, visible
from tamecheck.loaders.outputs import write_bytes

mpl: Any = SimpleNamespace(
    FigureCanvas=FigureCanvasAgg,
    collections=collections,
    colormaps=colormaps,
    colors=colors,
    figure=figure,
    lines=lines,
    patches=patches,
    patheffects=patheffects,
    rc_context=rc_context,
    ticker=ticker,
)
"""What figures are made of, in a library whose own types are partly unknown."""

Axes: TypeAlias = Any
"""A `matplotlib.axes.Axes`."""

SUFFIXES = (".png", ".svg", ".pdf")

INK = "#1a1a1a"
"""Axes, text, frames."""

KINK = "#3c3c3c"
JUMP = CLARKE = "#d55e00"
"""Vermilion: also the darkest warm hue; jumps are dashed and heavier than kinks."""

POLE, POLE_STYLE = "#5b2a86", (0, (4, 1.2, 1, 1.2))
"""Dark violet, with dashes and dots."""

MUTED = "#8c8c8c"
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Hues for lines and markers on white; yellow is too light for that."""

FILLS = ("#9ecae8", "#f6d58a", "#6fb59c", "#f3efe2", "#e59a6b", "#d9b3cc", "#5b8fb5", "#c9dfd6")
"""Fills: alternately darker and lighter."""

_STYLE: Mapping[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": 9,
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
_LONGEST = 48
_LEGEND, _NOTE = 14.5, 17.5
"""Letters on an inch: of a legend, with room for what they explain, and of a note."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, and what it shows."""

    kind: str
    """The kind of plot."""
    axes: Axes
    """The axes that carry it."""
    counts: Mapping[str, int]
    """How many of each thing are drawn: ``cells``, ``kinks``, ``jumps``, ``arrows`` and so on."""
    exact: bool = True
    """Whether the geometry is exact; if not, it was sampled on a grid."""
    complete: bool = True
    """Whether all of it is drawn."""
    notes: tuple[str, ...] = ()
    """What a reader of the figure should know."""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else is known of it, by name."""

    @property
    def counted(self) -> str:
        """What is drawn, in words: ``4 cells, 2 kinks``."""
        counts = self.counts.items()
        return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts if count)

    def save(self, path: str | Path) -> None:
        """Write the figure as PNG, SVG or PDF; see `save`."""
        save(self.axes.figure, path)


@dataclass(slots=True)
class Drawing:
    """A figure while it is drawn: its axes, the entries of its legend, notes for its reader."""

    axes: Axes
    handles: list[Any]
    notes: list[str]

    def line(self, label: str, **options: Any) -> None:
        """An entry of the legend: a line."""
        self.handles.append(line_handle(label, **options))

    def patch(self, label: str, **options: Any) -> None:
        """An entry of the legend: a filled box."""
        self.handles.append(patch_handle(label, **options))

    def picture(self, kind: str, counts: Mapping[str, int], **more: Any) -> Picture:
        """What is drawn."""
        return Picture(kind, self.axes, counts, notes=tuple(self.notes), **more)


_DRAWING = threading.RLock()
"""All threads share settings, fonts and pyplot figures, so one of them draws at a time."""


@contextmanager
def _styled() -> Generator[None]:
    """The settings of our figures, for the body only."""
    with _DRAWING, mpl.rc_context(dict(_STYLE)):
        yield


@contextmanager
def drawing(axes: Axes | None, notes: Iterable[str] = (), **size: Any) -> Generator[Drawing]:
    """Draw on the user's axes or on new ones; the legend and, on ours, the notes come last."""
    with _styled():
        found = Drawing(new_axes(**size) if axes is None else axes, [], list(notes))
        yield found
        if found.handles:
            found.axes.legend(
                handles=found.handles,
                loc="lower center",
                # what is drawn in space leaves room above
                bbox_to_anchor=(0.5, 0.92 if found.axes.name == "3d" else 1.0),
                ncols=_columns(found.handles, _inches(found.axes)),
                handlelength=2.2,
                columnspacing=1.4,
                borderaxespad=0.3,
            )
        if axes is None and found.notes:
            _write_notes(found.axes, found.notes)


def _inches(axes: Axes) -> float:
    return float(axes.figure.get_size_inches()[0])


def _write_notes(axes: Axes, notes: Iterable[str]) -> None:
    """Notes below the axes, three lines each at most."""
    room = int(_NOTE * _inches(axes))
    wrapped = (line for note in notes for line in textwrap.wrap(_plain(note), room)[:3])
    axes.figure.supxlabel("\n".join(wrapped), fontsize=7.5, color=INK, alpha=0.8)


def _columns(handles: Sequence[Any], width: float) -> int:
    """The columns of a legend that is no wider than the figure."""
    longest = max(len(handle.get_label()) for handle in handles)
    return max(1, min(len(handles), 4, int(_LEGEND * width / (longest + 6))))


def new_axes(*, width: float = 5.2, height: float = 4.6, projection: str | None = None) -> Axes:
    """Axes of a new figure: one of pyplot's where pyplot is in use, else one without a window."""
    options: Any = {"figsize": (width, height), "layout": "constrained"}
    # someone else shows figures here: a notebook, or a script that imported pyplot
    if "matplotlib.pyplot" in sys.modules or "ipykernel" in sys.modules:
        from matplotlib import pyplot as plt

        library: Any = plt
        made = library.figure(**options)
    else:
        made = mpl.figure.Figure(**options)
        mpl.FigureCanvas(made)
    return made.add_subplot(projection=projection)


def counted(number: int, name: str) -> str:
    """A number of things: ``1 kink``, ``2 kinks``."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def line_handle(label: str, **options: Any) -> Any:
    """An entry of a legend: a line."""
    return mpl.lines.Line2D([], [], label=label_of(label), **options)


def patch_handle(label: str, **options: Any) -> Any:
    """An entry of a legend: a filled box."""
    return mpl.patches.Patch(label=label_of(label), **options)


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


def _plain(text: str) -> str:
    """A sentence in which nothing is mathematics."""
    return " ".join(visible(text).split()).replace("$", r"\$")


def checked_path(path: str | Path) -> Path:
    """The path, once its suffix is known and its folder is there.

    Raises `InputError` if not.
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
    # what is drawn in space leaves wide margins
    solid = any(axes.name == "3d" for axes in figure.axes)
    crop: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.06} if solid else {}
    with _styled():
        figure.savefig(drawn, format=suffix[1:].lower(), dpi=dpi, metadata=metadata, **crop)
    return drawn.getvalue()
