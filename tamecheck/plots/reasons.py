"""Explanations: the pixels of a reason or a change on the image, and which features matter."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.explain.answers import Abductive, Contrastive, Counterfactual, Relevancy
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import INK, LINES, MUTED, Axes, Picture, drawing, label_of, mpl

_LOW, _HIGH = "#ffffff", "#b9b9b9"
_TO_HIGH, _TO_LOW = LINES[0], LINES[5]
_MOST_BARS = 40


def draw_explanation(
    found: Abductive | Contrastive | Counterfactual,
    axes: Axes | None = None,
    *,
    shape: Sequence[int] | None = None,
) -> Picture:
    """An explanation on the image that is explained.

    Grey pixels are high, white ones low.  Of a reason, those that are kept high or low have a
    colour each; of a change, those that become high or low.  A sign in the pixel says the same.

    Raises `InputError` if the input is no image, or ``shape`` has another size.

    Parameters
    ----------
    found, axes
        The explanation, and the axes to draw on; new ones if None.
    shape
        Rows and columns; those of the model's input if None.
    """
    rows, columns = _shape(found, shape)
    values = np.array([float(Fraction(v)) for v in found.point])
    after = high = values == values.max()
    marked = np.zeros(values.size, dtype=np.bool_)
    marked[list(found.features)] = True
    title, words = found.called(found.decision), ("kept high", "kept low")
    if isinstance(found, Contrastive | Counterfactual):
        witness = np.array([float(Fraction(v)) for v in found.witness])
        # a feature of several inputs need not change in all of them
        marked &= witness != values
        after = witness > values
        title, words = found.turn, ("becomes high", "becomes low")
    with drawing(axes, width=4.6, height=4.6 * rows / columns + 0.7) as drawn:
        _pixels(drawn.axes, (rows, columns), high, marked, after)
        for word, colour, up in zip(words, (_TO_HIGH, _TO_LOW), (True, False), strict=True):
            drawn.patch(f"{word} ({int((marked & (after == up)).sum())})", facecolor=colour)
        drawn.axes.set_title(label_of(title), pad=26)
    counts = {"pixels": int(marked.sum())}
    return drawn.picture("explanation", counts, complete=found.minimal)


def _shape(found: Any, shape: Sequence[int] | None) -> tuple[int, int]:
    given = found.shape if shape is None else tuple(shape)
    if len(given) != 2:
        raise InputError(
            "This input is no image.",
            hint="Give shape=(rows, columns), or --shape; relevancy is drawn for any features.",
        )
    if given[0] * given[1] != len(found.point) or min(given) < 1:
        raise InputError(f"{given[0]} x {given[1]} pixels for {len(found.point)} inputs.")
    return int(given[0]), int(given[1])


def _pixels(axes: Axes, shape: tuple[int, int], high: Array, marked: Array, after: Array) -> None:
    shades = np.array([mpl.colors.to_rgb(c) for c in (_LOW, _HIGH, _TO_LOW, _TO_HIGH)])
    kind = np.where(marked, 2 + after, high.astype(int))
    axes.imshow(shades[kind].reshape(*shape, 3), interpolation="nearest")
    signs = 4.2 * 60 / max(shape)
    for place in np.flatnonzero(marked).tolist() if signs > 4 else []:
        row, column = divmod(place, shape[1])
        sign, ink = ("+", "white") if after[place] else ("\N{MINUS SIGN}", INK)
        axes.text(column, row, sign, ha="center", va="center", color=ink, fontsize=min(signs, 14))
    axes.set_xticks(np.arange(-0.5, shape[1]), minor=True)
    axes.set_yticks(np.arange(-0.5, shape[0]), minor=True)
    axes.grid(which="minor", color="#dcdcdc", linewidth=0.4)
    axes.tick_params(which="both", length=0)
    axes.set_xticks(_ticks(shape[1]))
    axes.set_yticks(_ticks(shape[0]))


def _ticks(size: int) -> list[int]:
    return list(range(0, size, max(1, -(-size // 8))))


def draw_relevancy(found: Relevancy, axes: Axes | None = None) -> Picture:
    """In what share of all reasons each feature is; those in every one are necessary.

    Raises `InputError` if no reason was found.

    Parameters
    ----------
    found, axes
        Which features are in the reasons of a decision, and the axes to draw on; new ones if None.
    """
    if not found.reasons:
        raise InputError("No reason was found in time, so there is nothing to draw.")
    ranked = sorted(found.counts.items(), key=lambda item: -item[1])
    used = [(name, count) for name, count in ranked if count]
    shown = used[:_MOST_BARS]
    shares = [count / found.reasons for _, count in shown]
    colours = [LINES[0] if name in found.necessary else LINES[4] for name, _ in shown]
    notes: list[str] = []
    if len(shown) < len(used):
        notes.append(f"{len(used) - len(shown)} more features")
    if found.complete and len(used) < len(ranked):
        notes.append(f"{len(ranked) - len(used)} features are in none")
    if not found.complete:
        notes.append("out of time: there may be more reasons")
    with drawing(axes, notes, width=5.6, height=1.3 + 0.24 * len(shown)) as drawn:
        bars, places = drawn.axes, np.arange(len(shown))
        bars.barh(places, shares, color=colours, height=0.7)
        bars.set_yticks(places, [label_of(name) for name, _ in shown])
        bars.invert_yaxis()
        bars.set_xlim(0, 1.08)
        bars.set_xlabel(f"share of the {found.reasons} reasons that the feature is in")
        for place, (share, (_, count)) in enumerate(zip(shares, shown, strict=True)):
            bars.text(share + 0.01, place, f"{count}", va="center", fontsize=7, color=MUTED)
        for side in ("top", "right"):
            bars.spines[side].set_visible(False)
        bars.tick_params(axis="y", length=0)
        bars.set_title(label_of(f"Why {found.label}"), pad=26)
        drawn.patch("in every reason", facecolor=LINES[0])
        drawn.patch("in some", facecolor=LINES[4])
    counts = {"features": len(shown), "reasons": found.reasons}
    return drawn.picture("relevancy", counts, complete=found.complete)
