"""What can occur: the features of a table, the inputs that code them, and their possible codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from tamecheck.binarized import BinarizedNetwork
from tamecheck.errors import InputError
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Array

__all__ = ["Domain", "Feature", "domain_of"]


@dataclass(frozen=True, eq=False)
class Feature:
    """One feature: the inputs that code it, and the codes that can occur.

    Parameters
    ----------
    name
        What the user calls it.
    inputs
        Indices of the inputs.
    codes
        ``(values, inputs)``, int8, each row a possible combination of the states -1 and 1.  For
        an ordered feature the rows are in its order.
    values
        The words for each code: ``"age ≥ 37"``.
    words
        For an ordered feature, what each of its inputs says when it is low and when it is high.
    """

    name: str
    inputs: tuple[int, ...]
    codes: Array
    values: tuple[str, ...]
    words: tuple[tuple[str, str], ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether the codes have an order: a thermometer."""
        return bool(self.words)

    def code(self, states: Array) -> int:
        """The number of the code in a vector of states.

        Raises
        ------
        InputError
            If these states cannot occur.
        """
        hits = np.flatnonzero((self.codes == states[list(self.inputs)]).all(axis=1))
        if not hits.size:
            raise InputError(
                f"The inputs of feature {self.name!r} have a combination that cannot occur.",
                hint="An input must keep to the one-hot and thermometer groups of the domain.",
            )
        return int(hits[0])


@dataclass(frozen=True, eq=False)
class Domain:
    """The product of the features' possible codes: a subset of the network's inputs.

    ``size`` is its number of points.
    """

    features: tuple[Feature, ...]

    @cached_property
    def inputs(self) -> int:
        """The number of inputs that the features code."""
        return sum(len(feature.inputs) for feature in self.features)

    @property
    def size(self) -> int:
        """The number of points."""
        return prod(len(feature.codes) for feature in self.features)

    def codes(self, states: Array) -> tuple[int, ...]:
        """The number of each feature's code in a vector of states."""
        return tuple(feature.code(states) for feature in self.features)

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
    network: BinarizedNetwork,
    *,
    names: Sequence[str] | None = None,
    one_hot: Mapping[str, Sequence[int]] | None = None,
    thermometer: Mapping[str, Sequence[int]] | None = None,
    words: Mapping[int, tuple[str, str]] | None = None,
    values: Mapping[str, Sequence[str]] | None = None,
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

    Raises
    ------
    InputError
        If a group names an input that does not exist or stands in another group.
    """
    labels = list(names) if names is not None else [f"x{i}" for i in range(network.inputs)]
    if len(labels) != network.inputs:
        raise InputError(f"{len(labels)} names for {network.inputs} inputs.")
    said = dict(words or {})
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
            codes = [said[i][1] if i in said else f"{name} = {labels[i]}" for i in group]
            made[min(group)] = _one_hot(name, group, codes)
        else:
            texts = [_words(network, i, labels[i], said) for i in group]
            known = tuple((values or {}).get(name, ()))
            made[min(group)] = _steps(name, group, texts, known)
    for i in range(network.inputs):
        if i not in taken:
            made[i] = _single(network, i, labels[i], said)
    return Domain(tuple(made[i] for i in sorted(made)))


def _words(
    network: BinarizedNetwork, i: int, name: str, said: Mapping[int, tuple[str, str]]
) -> tuple[str, str]:
    if i in said:
        return said[i]
    low, high = rational_text(network.low[i]), rational_text(network.high[i])
    return f"{name} = {low}", f"{name} = {high}"


def _single(
    network: BinarizedNetwork, i: int, name: str, said: Mapping[int, tuple[str, str]]
) -> Feature:
    low, high = _words(network, i, name, said)
    if network.low[i] == network.high[i]:
        return Feature(name, (i,), np.array([[1]], dtype=np.int8), (high,))
    return Feature(name, (i,), np.array([[-1], [1]], dtype=np.int8), (low, high))


def _one_hot(name: str, group: tuple[int, ...], values: Sequence[str]) -> Feature:
    codes = (2 * np.eye(len(group), dtype=np.int8) - 1).astype(np.int8)
    return Feature(name, group, codes, tuple(values))


def _steps(
    name: str,
    group: tuple[int, ...],
    texts: Sequence[tuple[str, str]],
    known: tuple[str, ...],
) -> Feature:
    count = len(group)
    codes = np.where(np.arange(count) < np.arange(count + 1)[:, None], 1, -1).astype(np.int8)
    between = [f"{texts[k - 1][1]} and {texts[k][0]}" for k in range(1, count)]
    values = [texts[0][0], *between, texts[-1][1]]
    if len(known) == count + 1:
        values = [f"{name} = {value}" for value in known]
    return Feature(name, group, codes, tuple(values), tuple(texts))
