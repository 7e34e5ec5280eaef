"""Protected attributes: can a change of them alone change a decision, for whom, and how often.

A combination of the other features is *mixed* if not all values of the protected attributes have
one decision there.  Whoever has a mixed combination has some other value of the attributes with
which they would be decided otherwise, so the number of points of the domain with a flip is that of
the mixed combinations times that of the attributes' values.  The mixed ones are counted as the
points of one network, of a copy for each value (`tamecheck.binarized.copies`), and once more from
the definition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.binarized.copies import Chain, Relation, copies
from tamecheck.errors import InputError, TimeLimitError
from tamecheck.explain.answers import Answer
from tamecheck.explain.check import RECOMPUTED, Recomputation, confirm
from tamecheck.explain.check_visits import count_turned
from tamecheck.explain.counts import count_bounds
from tamecheck.explain.domain import Domain
from tamecheck.explain.search import Codes, Search
from tamecheck.explain.tables import partner, said_table, turned
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Array

_MOST, _MOST_TIED = 2**12, 2**6
_ROWS = 2**16


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as codes, the number of the class of each (-1: not known), and whether it was held out.

    ``held_out`` is None if that is not known.
    """

    rows: tuple[Codes, ...]
    labels: tuple[int, ...]
    held_out: tuple[bool, ...] | None

    @classmethod
    def of(
        cls,
        rows: Sequence[Codes],
        labels: Sequence[Any] | None,
        held_out: Sequence[bool] | None,
        classes: Sequence[str],
    ) -> Table:
        """The rows with classes that are given by name, or by number if they have no names."""
        for what, given in (("labels", labels), ("held_out", held_out)):
            if given is not None and len(given) != len(rows):
                raise InputError(f"{len(given)} for {len(rows)} rows.", where=what)
        given = [None] * len(rows) if labels is None else labels
        names = {name: number for number, name in enumerate(classes)}
        numbers = [-1 if one is None else names.get(str(one), -1) for one in given]
        if not classes:
            numbers = [-1 if one is None else int(one) for one in given]
        kept = None if held_out is None else tuple(map(bool, held_out))
        return cls(tuple(rows), tuple(numbers), kept)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two inputs that differ in protected attributes alone and are decided differently.

    ``changes`` are the values of the attributes that differ, before and after, in words; ``row`` is
    the position of the first input in the table, None if it is none of its rows.
    """

    point: tuple[str, ...]
    other_point: tuple[str, ...]
    decision: int
    other: int
    changes: tuple[tuple[str, str], ...]
    row: int | None

    def to_json(self) -> dict[str, Any]:
        """The JSON form; inputs are in the model's own levels, as exact texts."""
        return {
            "input": list(self.point),
            "other_input": list(self.other_point),
            "decision": self.decision,
            "other": self.other,
            "changes": [list(change) for change in self.changes],
            "row": self.row,
        }


@dataclass(frozen=True, slots=True)
class Rates:
    """How rows are decided: how many for each class, and how many of those with a label wrongly."""

    rows: int
    decisions: tuple[int, ...]
    labelled: int
    errors: int

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """The JSON form."""
        return {
            "rows": self.rows,
            "decisions": dict(zip(names, self.decisions, strict=True)),
            "labelled": self.labelled,
            "errors": self.errors,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """What has one value of a protected attribute.

    ``domain`` is how many points of the domain have each class, None if that is not known;
    ``table`` and ``held_out`` are about rows, None if there are none.
    """

    attribute: str
    value: str
    domain: tuple[int, ...] | None
    table: Rates | None
    held_out: Rates | None

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """The JSON form."""
        counts = self.domain
        return {
            "attribute": self.attribute,
            "value": self.value,
            "domain": None if counts is None else dict(zip(names, counts, strict=True)),
            "table": None if self.table is None else self.table.to_json(names),
            "held_out": None if self.held_out is None else self.held_out.to_json(names),
        }


@dataclass(frozen=True, slots=True)
class Protected(Answer):
    """What protected attributes decide."""

    attributes: tuple[str, ...]
    points: int
    """The number of points of the domain."""
    bounds: tuple[int, int]
    """At least and at most how many of them a change of the attributes alone decides otherwise."""
    each: dict[str, int | None]
    """How many a change of one attribute alone decides otherwise; None if that is not known."""
    rows: tuple[int, ...]
    """Positions of the rows of the table that are decided otherwise by such a change."""
    table: int | None
    """The number of rows of the table; None if there is none."""
    witness: Pair | None
    groups: tuple[Group, ...]
    classes: tuple[str, ...]
    """What the classes are called."""
    rests_on: str
    """As for a reason."""

    @property
    def flips(self) -> int | None:
        """How many points a change of the attributes alone decides otherwise; None if not known."""
        return self.bounds[0] if self.bounds[0] == self.bounds[1] else None

    @property
    def share(self) -> Fraction | None:
        """The share of these points in the domain."""
        return None if self.flips is None else Fraction(self.flips, self.points)

    @property
    def rule(self) -> str:
        """How often the attributes decide, in a sentence."""
        who, several = " and ".join(self.attributes), len(self.attributes) > 1
        low, high = self.bounds
        if high == 0:
            return f"{who} alone never {'change' if several else 'changes'} the decision"
        many = str(low) if low == high else f"{low} to {high}"
        verb = "change" if several else "changes"
        said = f"{who} alone {verb} the decision at {many} of {self.points} possible inputs"
        if self.table is None:
            return said
        return f"{said} and for {len(self.rows)} of {self.table} rows"

    def to_json(self) -> dict[str, Any]:
        """The JSON form; ``rows`` are positions in the table."""
        return {
            "protected": list(self.attributes),
            **self.document("points", "flips", "share", "bounds", "each", "rows"),
            "table": None if self.table is None else {"rows": self.table, "flips": len(self.rows)},
            "witness": None if self.witness is None else self.witness.to_json(),
            "groups": [group.to_json(self.classes) for group in self.groups],
            **self.document("rule", "checked", "rests_on"),
        }


def protected(
    search: Search,
    recomputation: Recomputation,
    attributes: Sequence[str],
    table: Table | None,
    classes: Sequence[str],
) -> Protected:
    """What protected attributes, features by name, decide in a domain and in a table.

    Raises `InputError` if there is no such feature, or their values have too many combinations.
    """
    domain = recomputation.domain
    features = features_named(domain, attributes)
    made = _Tied if domain.constraints else _Copies
    joint = made(search.network, domain, features)
    rows = () if table is None else joint.rows_with_flips(table.rows)
    bounds, witness = joint.bounds(search), None
    if table is not None and rows:
        witness = joint.pair(table.rows[rows[0]], rows[0])
    elif bounds[1]:
        with suppress(TimeLimitError):
            witness = joint.find(search)
            if witness is None:
                bounds = bounds[0], 0
    if witness is not None and bounds[0] < bounds[1]:
        bounds = max(bounds[0], len(joint.values)), bounds[1]
    facts: list[bool | None] = [bounds[0] <= bounds[1]]
    alone = {domain.features[k].name: (k,) for k in features} if len(features) > 1 else {}
    parts = {name: made(search.network, domain, one) for name, one in alone.items()}
    each = {name: part.bounds(search) for name, part in parts.items()}
    for part, known in ((joint, bounds), *((parts[name], each[name]) for name in each)):
        if known[0] == known[1]:
            again = None if search.budget.is_spent else part.recomputed(recomputation)
            facts.append(None if again is None else again == known[0])
        else:
            facts.append(None)
    holds = False if False in facts else None if None in facts else True
    names = tuple(classes) or tuple(map(str, range(search.network.classes)))
    return Protected(
        tuple(domain.features[k].name for k in features),
        domain.size,
        bounds,
        {name: low if low == high else None for name, (low, high) in each.items()},
        rows,
        None if table is None else len(table.rows),
        witness,
        tuple(_groups(search, recomputation, features, table)),
        names,
        confirm(holds, "these counts", search.rests_on),
    )


def features_named(domain: Domain, names: Sequence[str]) -> tuple[int, ...]:
    """The numbers of features by name, each once.

    Raises `InputError` if there is no such feature, or no name.
    """
    known = {feature.name: k for k, feature in enumerate(domain.features)}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
            raise InputError(f"There is no feature {name!r}.", where="protected", hint=hint)
    if not names:
        raise InputError("No feature is named.", where="protected")
    return tuple(dict.fromkeys(known[name] for name in names))


class _Copies:
    """The values of some features, and the network that tells where not all are decided alike."""

    def __init__(
        self, network: ThresholdNetwork, domain: Domain, features: tuple[int, ...]
    ) -> None:
        self.network, self.domain, self.features = network, domain, features
        chosen = [domain.features[k] for k in features]
        sizes = [len(feature.codes) for feature in chosen]
        if prod(sizes) > _MOST:
            what = f"The protected attributes have {prod(sizes)} combinations of values."
            raise InputError(what, hint=f"Ask about fewer at a time; at most {_MOST} are compared.")
        self.values = list(product(*map(range, sizes)))
        codes = zip(chosen, zip(*self.values, strict=True), strict=True)
        states = np.concatenate([f.codes[list(column)] for f, column in codes], axis=1)
        inputs = tuple(i for feature in chosen for i in feature.inputs)
        self.chain = Chain(inputs, states, "equal")
        self.mixed = copies(network, [self.chain], "decision")
        self.others = [k for k in range(len(domain.features)) if k not in features]

    def bounds(self, search: Search) -> tuple[int, int]:
        """At least and at most how many points have a flip."""
        if len(self.values) == 1:
            return 0, 0
        allowed = [range(len(feature.codes)) for feature in self.domain.features]
        for k in self.features:
            allowed[k] = range(1)
        share = search.budget.part(search.budget.seconds / 3)
        found = count_bounds(self.mixed, self.domain, allowed, deadline=share.deadline)
        return found.lower[1] * len(self.values), found.upper[1] * len(self.values)

    def recomputed(self, recomputation: Recomputation) -> int | None:
        """How many points have a flip, from the definition; None if that takes too long."""
        found = recomputation.count_breaches(self.features, self.values, self.chain.pairs)
        return None if found is None else found * len(self.values)

    def find(self, search: Search) -> Pair | None:
        """Two points that differ in the features only; None if there are none.

        Raises `TimeLimitError` if that is not known in time.
        """
        own = Search(self.mixed, self.domain, budget=search.budget)
        codes: Codes | None = (0,) * len(self.domain.features)
        if own.decide(codes) == 0:
            codes = own.change(codes, self.others)
        search.trusted |= own.trusted
        return None if codes is None else self.pair(codes, None)

    def decisions(self, rows: Sequence[Codes]) -> Array:
        """The class of each row with each of the values, ``(rows, values)``."""
        states = np.repeat([self.domain.states(row) for row in rows], len(self.values), axis=0)
        states[:, list(self.chain.inputs)] = np.tile(self.chain.states, (len(rows), 1))
        return self.network.decide(states).reshape(len(rows), len(self.values))

    def rows_with_flips(self, rows: Sequence[Codes]) -> tuple[int, ...]:
        """The positions of rows that other values of the features would decide otherwise."""
        found: list[int] = []
        block = max(1, _ROWS // len(self.values))
        for start in range(0, len(rows), block):
            decided = self.decisions(rows[start : start + block])
            mixed = (decided != decided[:, :1]).any(axis=1)
            found += (np.flatnonzero(mixed) + start).tolist()
        return tuple(found)

    def pair(self, codes: Codes, row: int | None) -> Pair:
        """A mixed point, and the one with the fewest other values that is decided otherwise."""
        decided = self.decisions([codes])[0].tolist()
        own = tuple(codes[k] for k in self.features)
        before = decided[self.values.index(own)]
        changed = [v for v, after in zip(self.values, decided, strict=True) if after != before]
        other = min(changed, key=lambda v: sum(a != b for a, b in zip(v, own, strict=True)))
        turned = list(codes)
        for k, code in zip(self.features, other, strict=True):
            turned[k] = code
        said = ((self.domain.features[k].values, codes[k], turned[k]) for k in self.features)
        changes = tuple((words[a], words[b]) for words, a, b in said if a != b)
        after = decided[self.values.index(other)]
        return Pair(self._point(codes), self._point(turned), before, after, changes, row)

    def _point(self, codes: Sequence[int]) -> tuple[str, ...]:
        return tuple(map(rational_text, self.network.point(self.domain.states(codes))))


class _Tied(_Copies):
    """The same in a domain with constraints, whose points are all looked at."""

    def __init__(
        self, network: ThresholdNetwork, domain: Domain, features: tuple[int, ...]
    ) -> None:
        super().__init__(network, domain, features)
        if len(self.values) > _MOST_TIED:
            what = f"The protected attributes have {len(self.values)} combinations of values."
            raise InputError(what, hint=f"With constraints at most {_MOST_TIED} are compared.")
        self.said = said_table(network, domain)
        self.relations: dict[int, Relation] = dict.fromkeys(features, "equal")
        self.turned = turned(self.said, self.relations)

    def bounds(self, search: Search) -> tuple[int, int]:
        """How many points have a flip."""
        del search
        many = int(self.turned.sum())
        return many, many

    def recomputed(self, recomputation: Recomputation) -> int | None:
        """How many points have a flip, from the definition."""
        return count_turned(recomputation.network, self.domain, self.features)

    def find(self, search: Search) -> Pair | None:
        """Two points that differ in the features only; None if there are none."""
        del search
        found = np.argwhere(self.turned)
        return self.pair(tuple(found[0].tolist()), None) if len(found) else None

    def rows_with_flips(self, rows: Sequence[Codes]) -> tuple[int, ...]:
        """The positions of rows that other values of the features would decide otherwise."""
        return tuple(k for k, row in enumerate(rows) if self.turned[row])

    def pair(self, codes: Codes, row: int | None) -> Pair:
        """A point, and the one with the fewest other values that is decided otherwise."""
        other = partner(self.said, self.relations, codes)
        said = ((self.domain.features[k].values, codes[k], other[k]) for k in self.features)
        changes = tuple((words[a], words[b]) for words, a, b in said if a != b)
        ends = int(self.said[codes]), int(self.said[other])
        return Pair(self._point(codes), self._point(other), *ends, changes, row)


def _groups(
    search: Search, recomputation: Recomputation, features: Sequence[int], table: Table | None
) -> Iterator[Group]:
    """What has each value of each of the features."""
    network, domain = search.network, recomputation.domain
    rows = () if table is None else table.rows
    decided = np.zeros(0, dtype=np.int64)
    if rows:
        decided = network.decide(np.array([domain.states(row) for row in rows]))
    for k in features:
        feature = domain.features[k]
        own = np.array([row[k] for row in rows], dtype=np.int64)
        for code, value in enumerate(feature.values):
            allowed = [range(len(one.codes)) for one in domain.features]
            allowed[k] = range(code, code + 1)
            known = count_bounds(network, domain, allowed, deadline=search.budget.deadline)
            counts = known.lower if known.exact and not search.budget.is_spent else None
            if counts is not None:
                again = recomputation.counts(allowed)
                holds = None if again is None else tuple(again) == counts
                # what is not shown twice is left out
                shown = confirm(holds, "these counts", "search") == RECOMPUTED
                counts = counts if shown else None
            places = np.flatnonzero(own == code)
            seen = held = None
            if table is not None:
                seen = _rates(network.classes, decided, table.labels, places)
                if table.held_out is not None:
                    apart = [k for k in places.tolist() if table.held_out[k]]
                    held = _rates(network.classes, decided, table.labels, apart)
            yield Group(feature.name, value, counts, seen, held)


def _rates(
    classes: int, decided: Array, labels: Sequence[int], places: Sequence[int] | Array
) -> Rates:
    """How the rows at some places are decided."""
    pairs = [(int(decided[k]), labels[k]) for k in places]
    labelled = [(decision, label) for decision, label in pairs if label >= 0]
    counts = Counter(decision for decision, _ in pairs)
    wrong = sum(decision != label for decision, label in labelled)
    return Rates(len(pairs), tuple(counts[k] for k in range(classes)), len(labelled), wrong)
