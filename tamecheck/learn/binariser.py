"""Features as signs that a person can read: thresholds, thermometers, one-hot codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import pairwise
from typing import Any, Literal, Self, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import validation

from tamecheck.learn.effort import DataError, check_choice, data_errors
from tamecheck.learn.estimator import check_fitted
from tamecheck.learn.network import BinarizedNetwork, Floats, Layer
from tamecheck.loaders.tables.schema import Bit, Column, Group, GroupKind, Schema, display_names

_VALIDATE = cast("Any", validation)
_ENCODINGS = ("thermometer", "threshold", "one-hot")


@dataclass(eq=False, repr=False)
class Binariser(TransformerMixin, BaseEstimator):
    """Turns features into signs, and remembers what each sign says.

    A numeric feature becomes statements ``x ≥ t``, with whole t if all its values are whole; a
    categorical one (text, or any type that is no
    number) becomes statements ``x = c``, one for two categories and else one a category.  A feature
    that does not vary says nothing and is left out.

    Parameters
    ----------
    encoding
        Of numeric features: ``"thermometer"`` (several thresholds), ``"threshold"`` (the one next
        to the median), or ``"one-hot"`` (which interval between thresholds).
    thresholds
        The most thresholds a feature, at quantiles; or a mapping from a feature's name to its
        thresholds.
    signs
        Whether a statement that fails is -1 (True) or 0 (False).
    names
        The features' names, for arrays; a frame brings its own.
    units
        Units by feature name; a name such as ``age [years]`` brings its own.
    unknown
        What to do about a category that was not there in ``fit``: ``"error"``, or ``"none"`` (no
        statement about the feature holds).
    categories
        Categories by feature name, where there are others than those of the rows in ``fit``.

    Attributes
    ----------
    bits_ : tuple of Bit
        One an output.
    n_features_in_ : int
        The number of features.

    Examples
    --------
    >>> rows = np.array([[31.0], [36.0], [38.0], [52.0]])
    >>> ages = Binariser(encoding="threshold", units={"x0": "years"}).fit(rows)
    >>> ages.literal(0), ages.transform([[40]]).tolist()
    ('x0 ≥ 37 years', [[1.0]])
    """

    encoding: Literal["thermometer", "threshold", "one-hot"] = "thermometer"
    _: KW_ONLY
    thresholds: int | Mapping[str, Sequence[float]] = 4
    signs: bool = True
    names: Sequence[str] | None = None
    units: Mapping[str, str] | None = None
    unknown: Literal["error", "none"] = "error"
    categories: Mapping[str, Sequence[str]] | None = None

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002, N803
        """Choose the statements.

        Raises
        ------
        DataError
            On missing values, on parameters that make no sense, or if no feature varies.
        """
        check_choice("encoding", self.encoding, _ENCODINGS)
        if self.unknown not in ("error", "none"):
            raise DataError(f"unknown={self.unknown!r} is neither 'error' nor 'none'.")
        if isinstance(self.thresholds, int) and self.thresholds < 1:
            raise DataError(f"thresholds={self.thresholds!r} is no positive integer.")
        rows = self._rows(X, reset=True)
        self._columns = self._describe(rows.shape[1])
        bits: list[Bit] = []
        groups: list[Group] = []
        for column in range(rows.shape[1]):
            if found := self._statements(column, rows[:, column]):
                outputs = tuple(range(len(bits), len(bits) + len(found)))
                groups.append(Group(_kind(found), found[0].feature, outputs))
                bits += found
        if not bits:
            raise DataError(
                f"No feature varies over the {len(rows)} rows (n_samples={len(rows)}).",
                hint="Is this the right table?",
            )
        self.bits_, self._groups = tuple(bits), tuple(groups)
        return self

    def transform(self, X: Any) -> Floats:  # noqa: N803
        """The signs (or bits) of each row, ``(rows, outputs)``.

        Raises
        ------
        DataError
            On missing values, other features than in `fit`, or an unknown category.
        """
        check_fitted(self)
        rows = self._rows(X, reset=False)
        if self.unknown == "error":
            self._refuse_unknown(rows)
        low = -1.0 if self.signs else 0.0
        found = np.empty((len(rows), len(self.bits_)))
        for output, bit in enumerate(self.bits_):
            found[:, output] = np.where(bit.holds(rows[:, bit.column]), 1.0, low)
        return found

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:
        """The names of the outputs: ``age>=37``, ``colour=red``."""
        check_fitted(self)
        if input_features is not None:
            _VALIDATE._check_feature_names_in(self, input_features)  # noqa: SLF001
        return np.array([bit.name for bit in self.bits_], dtype=object)

    def literal(self, output: int, *, holds: bool = True) -> str:
        """What an output says, or what it says when it fails, in words: ``age ≥ 37 years``."""
        check_fitted(self)
        return self.bits_[output].text(holds=holds)

    def groups(self) -> tuple[Group, ...]:
        """The outputs of each feature, and what holds among them on every row."""
        check_fitted(self)
        return self._groups

    def values(self) -> Mapping[str, tuple[str, ...]]:
        """The values of each numeric feature whose thresholds tell all that it had apart."""
        return self.schema().values()

    def schema(self) -> Schema:
        """What the outputs are made of, as data."""
        check_fitted(self)
        low = -1 if self.signs else 0
        return Schema(tuple(self._columns), self.bits_, self._groups, levels=(low, 1))

    def _rows(self, rows: Any, *, reset: bool) -> npt.NDArray[Any]:
        """The rows as one array: float64 if all cells are numbers, else objects."""
        with data_errors():
            if type(rows) in (list, tuple) and np.asarray(rows).dtype.kind == "U":
                # NumPy turns numbers beside text into text
                rows = np.array(rows, dtype=object)
            found = np.asarray(
                _VALIDATE.validate_data(self, rows, dtype=None, reset=reset, ensure_all_finite=True)
            )
        if found.dtype.kind in "biuf":
            return found.astype(np.float64)
        if found.dtype.kind == "c":
            raise DataError("Complex data not supported.")
        if any(value is None or value != value for value in found.reshape(-1)):  # noqa: PLR0124
            raise DataError("Input X contains NaN.", hint="Fill in or leave out those rows.")
        return found.astype(object)

    def _describe(self, count: int) -> list[Column]:
        """The columns, with what they are called and their units."""
        given: Any = getattr(self, "feature_names_in_", None) if self.names is None else self.names
        names = [f"x{i}" for i in range(count)] if given is None else list(map(str, given))
        units = self.units or {}
        if len(names) != count:
            raise DataError(f"There are {len(names)} names for {count} features.")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"Two features are called {twice!r}.")
        return [
            Column(name, None, number, "" if feature == name else feature, units.get(name, unit))
            for number, (name, (feature, unit)) in enumerate(
                zip(names, display_names(names), strict=True)
            )
        ]

    def _statements(self, number: int, values: npt.NDArray[Any]) -> list[Bit]:
        column = self._columns[number]
        feature, unit = column.said, column.unit
        listed = (self.categories or {}).get(column.name)
        if listed is not None or (values.dtype == object and not all(map(_is_number, values))):
            present = sorted({str(value) for value in values} | set(listed or ()))
            self._columns[number] = replace(column, categories=tuple(present))
            if len(present) == 2:
                # what is neither is refused, or else is no "other" category
                other = present[0] if self.unknown == "error" else None
                return [Bit(number, feature, category=present[1], other=other)]
            return [Bit(number, feature, category=c) for c in present] if len(present) > 1 else []
        distinct = np.unique(values.astype(np.float64))
        cuts = self._cuts(column.name, distinct, values.astype(np.float64))
        places = np.searchsorted(cuts, distinct, side="right").tolist()
        if places == list(range(len(cuts) + 1)) and cuts:
            self._columns[number] = replace(column, values=tuple(distinct.tolist()))
        if self.encoding == "one-hot" and len(cuts) > 1:
            ends = [None, *cuts, None]
            return [Bit(number, feature, unit, lower, upper) for lower, upper in pairwise(ends)]
        return [Bit(number, feature, unit, lower=cut) for cut in cuts]

    def _cuts(self, name: str, distinct: Floats, values: Floats) -> list[float]:
        if isinstance(self.thresholds, Mapping):
            if name in self.thresholds:
                return sorted({float(t) for t in self.thresholds[name]})
            most = 1
        else:
            most = 1 if self.encoding == "threshold" else int(self.thresholds)
        gaps = len(distinct) - 1
        if gaps < 1:
            return []
        if gaps <= most:
            places = np.arange(gaps)
        else:
            shares = np.arange(1, most + 1) / (most + 1)
            below = np.searchsorted(np.sort(values), distinct[1:]) / len(values)
            places = np.unique([int(np.abs(below - share).argmin()) for share in shares])
        pairs = [(float(distinct[i]), float(distinct[i + 1])) for i in places]
        whole = bool((distinct == np.round(distinct)).all()) and self.encoding != "one-hot"
        return [_whole_between(*pair) if whole else _between(*pair) for pair in pairs]

    def _refuse_unknown(self, rows: npt.NDArray[Any]) -> None:
        for number, column in enumerate(self._columns):
            known = set(column.categories or ())
            for row, value in enumerate(rows[:, number].tolist()):
                if column.categories is not None and str(value) not in known:
                    raise DataError(
                        f"Feature {column.name!r} has a category that was not there in fit: "
                        f"{str(value)!r} (row {row}).",
                        hint="Set unknown='none' to let no statement about it hold.",
                    )

    def __sklearn_tags__(self) -> Any:
        tags = cast("Any", super().__sklearn_tags__())
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = False
        return tags


def _kind(bits: Sequence[Bit]) -> GroupKind:
    if len(bits) == 1:
        return "free"
    return "thermometer" if all(b.upper is None and b.category is None for b in bits) else "one-hot"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def _between(low: float, high: float) -> float:
    """The shortest decimal in the middle half of the interval, else the end: low < t ≤ high."""
    middle, quarter = low + (high - low) / 2, (high - low) / 4
    for digits in range(-12, 17):
        shorter = round(middle, digits)
        if abs(shorter - middle) <= quarter and low < shorter <= high:
            return shorter
    return high


def _whole_between(low: float, high: float) -> float:
    """The same for whole ends: a whole number."""
    found = _between(low, high)
    return found if found == round(found) else float(math.ceil(found))


# --- a binariser and the network behind it as one network on the features themselves


def on_features(binariser: Binariser, network: BinarizedNetwork) -> BinarizedNetwork:
    """The network whose first layer compares numeric features with thresholds.

    A statement ``x ≥ t`` is the sign of x - t, with sign(0) = 1, and every other statement about
    one numeric feature is an affine function of two such signs.  So the decision is the same at
    every real x, exactly.

    Parameters
    ----------
    binariser
        Fitted, on numeric features only.
    network
        Trained on its output.

    Raises
    ------
    DataError
        If a feature is categorical, or the network takes another number of inputs.
    """
    bits = binariser.bits_
    if len(bits) != network.widths[0]:
        raise DataError(f"The network takes {network.widths[0]} inputs, not {len(bits)}.")
    text = next((bit.feature for bit in bits if bit.category is not None), None)
    if text is not None:
        raise DataError(f"Feature {text!r} is categorical, so it is no real number.")
    cuts = sorted({cut for bit in bits for cut in _cuts(bit)})
    place = {cut: number for number, cut in enumerate(cuts)}
    select = np.zeros((len(binariser.schema().columns), len(cuts)))
    for (column, _), number in place.items():
        select[column, number] = 1
    thresholds = Layer(select, np.array([-threshold for _, threshold in cuts]))
    mix, shift = np.zeros((len(cuts), len(bits))), np.zeros(len(bits))
    for output, bit in enumerate(bits):
        # -1 below the interval, 1 in it, -1 above: (sign at lower) - (sign at upper) - 1
        shift[output] = float(bit.lower is None) - float(bit.upper is not None)
        if bit.lower is not None:
            mix[place[bit.column, bit.lower], output] = 1
        if bit.upper is not None:
            mix[place[bit.column, bit.upper], output] = -1
    if not binariser.signs:
        mix, shift = mix / 2, (shift + 1) / 2
    first, *others = network.layers
    merged = Layer(mix @ first.weights, shift @ first.weights + first.offset)
    return BinarizedNetwork((thresholds, merged, *others))


def _cuts(bit: Bit) -> list[tuple[int, float]]:
    return [(bit.column, end) for end in (bit.lower, bit.upper) if end is not None]
