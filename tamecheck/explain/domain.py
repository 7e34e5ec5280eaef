"""What can occur: the features of a table, the inputs that code them, and their possible codes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any, TypeAlias

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Array


@dataclass(frozen=True, eq=False)
class Feature:
    """One feature: the inputs that code it, and the codes that can occur."""

    name: str
    """What the user calls it."""
    inputs: tuple[int, ...]
    """Indices of the inputs."""
    codes: Array
    """``(values, inputs)``, int8, each row a possible combination of the states -1 and 1.

    For an ordered feature the rows are in its order.
    """
    values: tuple[str, ...]
    """The words for each code: ``"age ≥ 37"``."""
    words: tuple[tuple[str, str], ...] = ()
    """For an ordered feature, what each of its inputs says when it is low and when it is high."""
    plain: tuple[str, ...] = ()
    """What comes after ``name = `` in each of the words for the codes, if all have that form."""

    @property
    def ordered(self) -> bool:
        """Whether the codes have an order: a thermometer."""
        return bool(self.words)

    def text(self, code: int) -> str:
        """That the feature has a code, in words."""
        return self.values[code]

    def code(self, states: Array) -> int:
        """The number of the code in a vector of states; an error if these cannot occur."""
        hits = np.flatnonzero(self.coded(states[np.newaxis])[0])
        if not hits.size:
            raise _impossible(self)
        return int(hits[0])

    def coded(self, states: Array) -> Array:
        """Which code the rows of states have, ``(rows, codes)``."""
        return (states[:, np.newaxis, list(self.inputs)] == self.codes).all(axis=2)

    def sum_of(self, adds: Sequence[int]) -> tuple[Array, int]:
        """Weights of the inputs and a constant whose sum is twice what each code adds.

        Raises `UnsupportedError` if the codes are neither one input's, one-hot nor a thermometer's.
        """
        worth = np.array(adds, dtype=np.int64)
        count, width = len(self.codes), len(self.inputs)
        if count == 1:
            return np.zeros(width, dtype=np.int64), int(2 * worth[0])
        if count == width and np.array_equal(self.codes, 2 * np.eye(width) - 1):
            weights: Array = worth
        elif count == width + 1 and np.array_equal(self.codes, 2 * np.tri(count, width, -1) - 1):
            weights = np.asarray(np.diff(worth))
        else:
            raise UnsupportedError(f"The codes of feature {self.name!r} are in no known order.")
        return weights, int(2 * worth[0] - weights @ self.codes[0])


def _impossible(feature: Feature, origin: object = None) -> InputError:
    start = "The" if origin is None else f"{origin}: the"
    return InputError(
        f"{start} inputs of feature {feature.name!r} have a combination that cannot occur.",
        hint="An input must keep to the one-hot and thermometer groups of the domain.",
    )


Cube: TypeAlias = tuple[tuple[int, tuple[int, ...]], ...]
"""Some features, by number, with codes that each of them has one of."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What cannot occur, as a user says it, and as cubes of codes."""

    text: str
    forbidden: tuple[Cube, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Features that constraints tie together, and the combinations of their codes that can occur.

    ``codes`` is ``(combinations, features)``, in the order of the first feature, then the next.
    """

    features: tuple[int, ...]
    codes: Array

    def within(self, allowed: Sequence[Sequence[int]]) -> Array:
        """The combinations of allowed codes, where each feature has those of its number."""
        kept = np.ones(len(self.codes), dtype=np.bool_)
        for column, feature in zip(self.codes.T, self.features, strict=True):
            kept &= _among(column, allowed[feature])
        return np.asarray(self.codes[kept])


_FEW = 64


def _among(codes: Array, chosen: Sequence[int]) -> Array:
    """Which of some codes are among those chosen."""
    if len(codes) > _FEW:
        return np.isin(codes, chosen)
    # NumPy sorts first, which takes longer than to look at a few
    known = set(chosen)
    return np.fromiter((code in known for code in codes.tolist()), np.bool_, len(codes))


_MOST_COMBINATIONS = 2**16


@dataclass(frozen=True, eq=False)
class Domain:
    """The product of the features' possible codes: a subset of the network's inputs.

    Of these points those are left out that a constraint forbids.
    """

    features: tuple[Feature, ...]
    constraints: tuple[Constraint, ...] = ()

    @cached_property
    def inputs(self) -> int:
        """The number of inputs that the features code."""
        return sum(len(feature.inputs) for feature in self.features)

    @cached_property
    def size(self) -> int:
        """The number of points."""
        return prod(len(group.codes) for group in self.groups)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Features that constraints tie together; the domain is the product of their combinations.

        Raises `InputError` if features that are tied together have too many combinations, or none.
        """
        owner = list(range(len(self.features)))
        for constraint in self.constraints:
            tied = {owner[k] for cube in constraint.forbidden for k, _ in cube}
            owner = [min(tied) if k in tied else k for k in owner]
        members = [[k for k, own in enumerate(owner) if own == one] for one in sorted(set(owner))]
        return tuple(self._group(tuple(own)) for own in members)

    def _group(self, features: tuple[int, ...]) -> Group:
        sizes = [len(self.features[k].codes) for k in features]
        if len(features) > 1 and prod(sizes) > _MOST_COMBINATIONS:
            names = ", ".join(self.features[k].name for k in features)
            raise InputError(
                f"Constraints tie features together that have {prod(sizes)} combinations: {names}.",
                where="--constraint",
                hint=f"At most {_MOST_COMBINATIONS} are looked at; give fewer constraints.",
            )
        codes = np.indices(sizes).reshape(len(sizes), -1).T
        possible = ~self._forbidden(features, codes)
        if not possible.any():
            raise InputError("The constraints leave nothing that can occur.", where="--constraint")
        return Group(features, codes[possible])

    def _forbidden(self, features: Sequence[int], codes: Array) -> Array:
        """Which rows of codes of some features a constraint about these forbids."""
        column = {k: place for place, k in enumerate(features)}
        found = np.zeros(len(codes), dtype=np.bool_)
        for cube in (cube for constraint in self.constraints for cube in constraint.forbidden):
            if all(k in column for k, _ in cube):
                inside = [_among(codes[:, column[k]], chosen) for k, chosen in cube]
                found |= np.all(inside, axis=0)
        return found

    def possible(self, codes: Array) -> Array:
        """Which rows of codes of all features no constraint forbids."""
        return ~self._forbidden(range(len(self.features)), codes)

    def points_in(self, allowed: Sequence[Sequence[int]]) -> int:
        """The number of points with allowed codes of each feature."""
        return prod(len(group.within(allowed)) for group in self.groups)

    def to_json(self) -> dict[str, Any]:
        """How large the domain is, and what constrains it."""
        made: dict[str, Any] = {"points": self.size, "features": len(self.features)}
        if self.constraints:
            made["constraints"] = [constraint.text for constraint in self.constraints]
        return made

    @property
    def product(self) -> Domain:
        """The domain without its constraints."""
        return Domain(self.features) if self.constraints else self

    def require_product(self, what: str) -> None:
        """Raise `UnsupportedError` if there are constraints, which something does not know."""
        if self.constraints:
            raise UnsupportedError(
                f"{what} does not know constraints between features.",
                hint="Leave out --constraint.",
            )

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the features: their names, inputs, codes and words; and constraints."""
        document: list[Any] = [
            [f.name, list(f.inputs), f.codes.tolist(), list(f.values)] for f in self.features
        ]
        if self.constraints:
            document.append([constraint.forbidden for constraint in self.constraints])
        return hashlib.sha256(json.dumps(document).encode()).hexdigest()

    def codes(self, states: Array) -> tuple[int, ...]:
        """The number of each feature's code in a vector of states."""
        found = tuple(feature.code(states) for feature in self.features)
        self._check_possible(np.array([found]), [None])
        return found

    def _check_possible(self, codes: Array, origins: Sequence[Any]) -> None:
        for constraint in self.constraints:
            broken = ~replace(self, constraints=(constraint,)).possible(codes)
            if broken.any():
                origin = origins[int(np.argmax(broken))]
                raise InputError(
                    f"{'This' if origin is None else f'{origin}: this'} cannot occur by the "
                    f"constraint {constraint.text!r}.",
                    hint="Leave out the constraint, or the row.",
                )

    def holds(self, states: Array) -> bool:
        """Whether a vector of states can occur."""
        coded = [f.coded(states[np.newaxis]) for f in self.features]
        if not all(bool(one.any()) for one in coded):
            return False
        return bool(self.possible(np.array([[int(one.argmax()) for one in coded]]))[0])

    def check_rows(self, states: Array, origins: Sequence[Any]) -> None:
        """Make sure that rows of states can occur; ``origins`` say where they stand.

        Raises `InputError`, naming the first row that cannot, and the feature or the constraint.
        """
        for feature in self.features:
            possible = feature.coded(states).any(axis=1)
            if not possible.all():
                raise _impossible(feature, origins[int(np.argmin(possible))])
        self._check_possible(self.code_rows(states), origins)

    def code_rows(self, states: Array) -> Array:
        """The number of each feature's code in rows of states that can occur."""
        columns = [feature.coded(states).argmax(axis=1) for feature in self.features]
        return np.stack(columns, axis=1)

    def states(self, codes: Sequence[int]) -> Array:
        """The vector of states of a combination of codes."""
        found = np.empty(self.inputs, dtype=np.int8)
        for feature, code in zip(self.features, codes, strict=True):
            found[list(feature.inputs)] = feature.codes[code]
        return found

    def covering(self, inputs: Sequence[int]) -> tuple[int, ...]:
        """The features that any of the inputs belongs to."""
        wanted = set(inputs)
        return tuple(k for k, f in enumerate(self.features) if wanted & set(f.inputs))


def domain_of(  # noqa: PLR0913  # what can occur has many sides
    network: ThresholdNetwork,
    *,
    names: Sequence[str] | None = None,
    one_hot: Mapping[str, Sequence[int]] | None = None,
    thermometer: Mapping[str, Sequence[int]] | None = None,
    words: Mapping[int, tuple[str, str]] | None = None,
    values: Mapping[str, Sequence[str]] | None = None,
    plain: Mapping[int, tuple[str | None, str | None]] | None = None,
) -> Domain:
    """The domain of a network: each input by itself, or in a group with others.

    Parameters
    ----------
    network
        The network; a constant input has one code.
    names
        A name for each input; ``x0``, ``x1``, ... if None.
    one_hot
        For each feature that is coded so, its inputs: exactly one of them is high.
    thermometer
        For each feature that is coded so, its inputs in the order of their thresholds, the
        lowest first: an input is high only if all before it are.
    words
        For an input, what it means to be low and to be high: ``("age < 37", "age ≥ 37")``.
    values
        For a thermometer, the value of the feature for each number of inputs that are high, if it
        has no other values.
    plain
        For an input with words, what comes after ``name = `` in those for low and for high; None
        where they have another form.

    Raises
    ------
    InputError
        If a group names an input that does not exist or stands in another group, or two features
        have the same name.
    """
    labels = list(names) if names is not None else [f"x{i}" for i in range(network.inputs)]
    if len(labels) != network.inputs:
        raise InputError(f"{len(labels)} names for {network.inputs} inputs.")
    given, bare = words or {}, plain or {}
    said = [
        _Words(*given[i], *bare.get(i, (None, None)))
        if i in given
        else _Words.of_levels(name, network.low[i], network.high[i])
        for i, name in enumerate(labels)
    ]
    made: dict[int, Feature] = {}
    taken: set[int] = set()
    groups = [(name, tuple(g), True) for name, g in (one_hot or {}).items()]
    groups += [(name, tuple(g), False) for name, g in (thermometer or {}).items()]
    for name, group, exclusive in groups:
        for i in group:
            if not 0 <= i < network.inputs or i in taken:
                raise InputError(
                    f"Input {i} of group {name!r} does not exist, or is in two groups."
                )
            taken.add(i)
        if exclusive:
            named = (_Words("", f"{name} = {labels[i]}", None, labels[i]) for i in group)
            own = [said[i] if i in given else new for i, new in zip(group, named, strict=True)]
            codes = (2 * np.eye(len(group), dtype=np.int8) - 1).astype(np.int8)
            texts, ends = tuple(x.high for x in own), _complete(*(x.plain_high for x in own))
            made[min(group)] = Feature(name, group, codes, texts, (), ends)
        else:
            known = tuple((values or {}).get(name, ()))
            made[min(group)] = _steps(name, group, [said[i] for i in group], known)
    for i, (name, own) in enumerate(zip(labels, said, strict=True)):
        if i not in taken:
            # a constant input has its one state
            there = slice(int(network.low[i] == network.high[i]), None)
            codes = np.array([[-1], [1]], dtype=np.int8)[there]
            ends = _complete(*(own.plain_low, own.plain_high)[there])
            made[i] = Feature(name, (i,), codes, (own.low, own.high)[there], (), ends)
    features = tuple(made[i] for i in sorted(made))
    names_of = [feature.name for feature in features]
    if len(set(names_of)) < len(names_of):
        twice = next(name for name in names_of if names_of.count(name) > 1)
        raise InputError(f"Two features are called {twice!r}.", hint="Names must differ.")
    return Domain(features)


@dataclass(frozen=True, slots=True)
class _Words:
    """What an input says when it is low and when it is high, and the values of ``name = value``."""

    low: str
    high: str
    plain_low: str | None
    plain_high: str | None

    @classmethod
    def of_levels(cls, name: str, *levels: Fraction) -> _Words:
        """Those of an input of which nothing is said."""
        low, high = map(rational_text, levels)
        return cls(f"{name} = {low}", f"{name} = {high}", low, high)


def _complete(*plain: str | None) -> tuple[str, ...]:
    found = tuple(text for text in plain if text is not None)
    return found if len(found) == len(plain) else ()


def _steps(
    name: str, group: tuple[int, ...], said: Sequence[_Words], known: tuple[str, ...]
) -> Feature:
    count = len(group)
    codes = np.where(np.arange(count) < np.arange(count + 1)[:, None], 1, -1).astype(np.int8)
    between = [f"{before.high} and {after.low}" for before, after in pairwise(said)]
    values = [said[0].low, *between, said[-1].high]
    named = len(known) == count + 1
    if named:
        values = [f"{name} = {value}" for value in known]
    texts = tuple((words.low, words.high) for words in said)
    return Feature(name, group, codes, tuple(values), texts, known if named else ())
