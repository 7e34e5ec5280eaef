"""scikit-learn's features of features: polynomials, splines, bins and codes of categories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.sklearn.methods import Methods, join, transformer
from tamecheck.loaders.values import Value


def _polynomials(x: Value, estimator: Any) -> Value:
    """The products of features, by degree."""
    powers = np.asarray(estimator.powers_)
    degrees = powers.sum(axis=1)
    parts: list[Value] = []
    for degree in np.unique(degrees):
        rows = powers[degrees == degree]
        if degree == 0:
            parts.append(x.emitter.constant(np.ones(len(rows))))
            continue
        table = np.stack([np.repeat(np.arange(len(row)), row) for row in rows])
        chosen = x.take(table, 0)
        parts.append(chosen.apply(ops.PROD, axes=(1,), keepdims=False))
    return join(parts, "polynomial features")


def _splines(x: Value, estimator: Any) -> Value:
    """Bases of B-splines by the recursion of Cox and de Boor, a feature a row.

    Outside of the knots they are what ``extrapolation`` says.
    """
    splines, outside = estimator.bsplines_, estimator.extrapolation
    if outside == "error":
        raise UnsupportedError("extrapolation='error' has no value outside of the knots")
    if outside == "constant" and splines[0].k == 0:
        raise UnsupportedError("scikit-learn fails above the last knot of splines of degree 0")
    if outside == "linear" and splines[0].k < 2 and len(splines) > 1:
        raise UnsupportedError("scikit-learn mixes up the ends of lines of degree below 2")
    degree = int(splines[0].k)
    knots = np.stack([spline.t for spline in splines])
    first, last = knots[:, degree], knots[:, -degree - 1]
    inside = x
    if outside == "periodic":
        offset, period = map(x.emitter.constant, (first, last - first))
        turns = ((x - offset) / period).apply(ops.FLOOR)
        inside = x - turns * period
    elif outside != "continue":
        inside = x.apply(ops.MAXIMUM, first).apply(ops.MINIMUM, last)
    bases = _bases(inside, knots, degree)
    rows = [bases.part(0, i) @ spline.c for i, spline in enumerate(splines)]
    if outside == "linear":
        # degree 0 is continued as a constant, whose derivative is 0
        below, above = (x - first).clip(None, Fraction(0)), x - last
        for i, spline in enumerate(splines):
            for side, end in ((below, first[i]), (above.apply(ops.RELU), last[i])):
                rows[i] = rows[i] + side.part(0, i) * spline(end, nu=1)
    kept = rows if estimator.include_bias else [row.cut(0, 0, row.shape[0] - 1) for row in rows]
    return join(kept, "splines")


def _bases(x: Value, knots: Array, degree: int) -> Value:
    """The values of all basis splines: N_i,0 is 1 on [t_i, t_i+1), the end intervals unbounded."""
    constant, column = x.emitter.constant, x.reshape((x.shape[0], 1))
    inner = knots[:, degree + 1 : -degree - 1]
    count = knots.shape[1] - 1
    reached = constant(inner).apply(ops.LESS_EQUAL, column)
    ones = constant(np.ones((len(knots), 1)))
    starts = ones.apply(ops.CONCAT, reached, axis=1)
    ends = reached.apply(ops.CONCAT, np.zeros((len(knots), 1)), axis=1)
    bases = (starts - ends).apply(ops.PAD, before=(0, degree), after=(0, degree), value=Fraction(0))
    for k in range(1, degree + 1):
        count -= 1
        up = _ramp(column, knots[:, :-1], knots[:, k:], count + 1)
        rise = up.cut(1, 0, count) * bases.cut(1, 0, count)
        fall = (1 - up.cut(1, 1, count)) * bases.cut(1, 1, count)
        bases = rise + fall
    return bases


def _ramp(x: Value, left: Array, right: Array, count: int) -> Value:
    """``(x - left) / (right - left)``; between equal knots nothing is multiplied by it."""
    left, right = left[:, :count], right[:, :count]
    return (x - left) / np.where(right > left, right - left, 1.0)


def _bins(x: Value, estimator: Any) -> Value:
    """The number of inner bin edges that a feature has reached, or its unit vector."""
    constant = x.emitter.constant
    parts: list[Value] = []
    for i, edges in enumerate(estimator.bin_edges_):
        reached = constant(np.asarray(edges[1:-1])).apply(ops.LESS_EQUAL, x.part(0, i))
        if estimator.encode == "ordinal":
            parts.append(reached.total((0,)))
        elif len(edges) == 2:
            parts.append(constant(np.ones(1)))
        else:
            one, zero = constant(np.ones(1)), constant(np.zeros(1))
            parts.append(join([one, reached]) - join([reached, zero]))
    return join(parts, "bins")


def _codes(x: Value, encoder: Any) -> Iterator[Value]:
    """For each feature, 1 at its category among the known ones."""
    if encoder.handle_unknown == "error":
        note = "Numbers that are no category, which scikit-learn refuses, are read as none of them."
        x.emitter.notes.setdefault(note)
    for i, categories in enumerate(encoder.categories_):
        known = np.asarray(categories)
        if known.dtype.kind not in "biuf" or not np.isfinite(known).all():
            raise UnsupportedError("categories that are no numbers are not read")
        yield x.part(0, i).reshape((1,)).apply(ops.EQUAL, known)


def _one_hot(x: Value, encoder: Any) -> Value:
    """The unit vectors of the categories, some of which may be dropped."""
    if any(c is not None for c in getattr(encoder, "infrequent_categories_", [])):
        raise UnsupportedError("infrequent categories are not read")
    dropped = [None] * x.shape[0] if encoder.drop_idx_ is None else encoder.drop_idx_
    return join(
        [
            code if drop is None else code.take(np.delete(np.arange(code.shape[0]), int(drop)), 0)
            for code, drop in zip(_codes(x, encoder), dropped, strict=True)
        ]
    )


def _ordinal(x: Value, encoder: Any) -> Value:
    """The index of the category; of another number the value that stands for it."""
    other = 0 if encoder.handle_unknown == "error" else encoder.unknown_value
    if not np.isfinite(other):
        raise UnsupportedError("an unknown_value that is no number is not read")
    shift = x.emitter.constant(np.float64(other))
    codes = _codes(x, encoder)
    return join([code @ (np.arange(code.shape[0]) - shift) for code in codes]) + shift


ESTIMATORS: Mapping[str, Methods] = {
    "PolynomialFeatures": transformer(_polynomials),
    "SplineTransformer": transformer(_splines),
    "KBinsDiscretizer": transformer(_bins),
    "OneHotEncoder": transformer(_one_hot),
    "OrdinalEncoder": transformer(_ordinal),
}
"""Transformers by the name of their class."""
