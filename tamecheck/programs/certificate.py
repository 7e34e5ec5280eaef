"""Nodes of a finished search tree, and the document by which a checker confirms what they prove."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational_of_text, rational_text
from tamecheck.ir.program import Program
from tamecheck.programs.branching import Branch, Split
from tamecheck.programs.lattice import Granularity
from tamecheck.programs.scaled import Multipliers
from tamecheck.solvers.scaling import Scaling, power


@dataclass(frozen=True, slots=True)
class Branched:
    """A node with two children, which come later in the list of nodes."""

    by: Branch | Split
    children: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Bounded:
    """A leaf whose multipliers prove this lower bound on the minimised objective."""

    multipliers: Multipliers
    bound: Fraction


@dataclass(frozen=True, slots=True)
class Excluded:
    """A leaf whose multipliers prove that it has no point."""

    multipliers: Multipliers


@dataclass(frozen=True, slots=True)
class Gap:
    """A leaf whose multipliers combine rows to one that no integers satisfy."""

    multipliers: Multipliers


@dataclass(frozen=True, slots=True)
class Crossed:
    """A leaf without points because a column's bounds are crossed."""

    column: int


@dataclass(frozen=True, slots=True)
class CrossedRow:
    """A leaf without points because a row's bounds are crossed."""

    row: int


Node: TypeAlias = Branched | Bounded | Excluded | Gap | Crossed | CrossedRow


@dataclass(frozen=True, slots=True)
class Tightened:
    """Bounds of columns that one sum of rows proves, rounded where the values are integers.

    The terms of all other columns leave so much for that of a column.  An end is the column, the
    sign (1 of a lower bound, -1 of an upper one), and the bound.
    """

    ends: tuple[tuple[int, int, Fraction], ...]
    rows: Mapping[int, int]
    """What rows are multiplied by."""


@dataclass(frozen=True, slots=True)
class Side:
    """Multipliers that prove a cut on one side of a disjunction.

    ``times`` is that of the side's own bound.  If the denominator is 0, there is no point.
    """

    multipliers: Multipliers
    times: int


@dataclass(frozen=True, slots=True)
class Cut:
    """``terms x >= least``, proved where ``split x <= at`` and where it is larger."""

    terms: tuple[tuple[int, int], ...]
    least: Fraction
    split: tuple[tuple[int, int], ...]
    at: int
    sides: tuple[Side, Side]


Derived: TypeAlias = Tightened | Cut
"""What follows from a program, the bound of the best point, and what was derived before.

Row ``len(rows)`` is that bound; each cut is a row after it.
"""


def unscale(node: Node, by: Scaling) -> Node:
    """A node of a scaled program as one of the program."""
    return _scaled(node, by.rows, -by.objective)


def scale(node: Node, by: Scaling) -> Node:
    """A node of the program as one of the scaled program."""
    return _scaled(node, [-r for r in by.rows], by.objective)


def _scaled(node: Node, rows: Sequence[int], objective: int) -> Node:
    match node:
        case Bounded(multipliers, bound):
            return Bounded(_times(multipliers, rows, objective), bound * power(objective))
        case Excluded(multipliers):
            return Excluded(_times(multipliers, rows))
        case Gap(multipliers):
            return Gap(_times(multipliers, rows))
        case _:
            return node


def _times(multipliers: Multipliers, exponents: Sequence[int], common: int = 0) -> Multipliers:
    """The multipliers times ``2^(exponent of the row + common)``."""
    powers = {i: exponents[i] + common for i in multipliers.numerators}
    least = min((0, *powers.values()))
    numerators = {i: n << (powers[i] - least) for i, n in multipliers.numerators.items()}
    return Multipliers(numerators, multipliers.denominator << -least)


def renumber(node: Node, rows: Mapping[int, int]) -> Node:
    """A node about rows with other numbers."""
    match node:
        case Bounded() | Excluded() | Gap():
            return replace(node, multipliers=node.multipliers.renumbered(rows))
        case CrossedRow(row):
            return CrossedRow(rows[row])
        case _:
            return node


JOURNAL = "tamecheck-search-journal"
"""The format of the records of a search, one a line: steps, points and nodes as they are found."""

_LONGEST_INTEGER = 10**17
# longer ones are strings, since JSON readers may round them

_NUMBER_BITS, _COMMON_BITS, _POINT_BITS, _ALL_BITS = 66_400, 1 << 16, 1 << 30, 1 << 28
"""Of numbers, of the common denominator of a point, and of a point over it, that the kernel reads;
of all numbers together, whose text would be 80 million characters.
"""

_SIGNS = {"lower": 1, "upper": -1}

TOO_LONG = "has numbers that are too long for a certificate"


def certificate(
    program: Program,
    verdict: str,
    nodes: Sequence[Node] = (),
    steps: Granularity | None = None,
    derived: Sequence[Derived] | None = None,
    **claim: Fraction | Sequence[Fraction],
) -> dict[str, Any]:
    """The certificate: the program, what is claimed about it, and the tree that proves it.

    The verdicts are ``optimal`` (no point has a better value than ``x``), ``infeasible``, ``bound``
    (no point has a better value) and ``unbounded`` (every multiple of the ``ray`` may be added to
    the point ``x``, and each is better).  Version 3 has what is ``derived`` from the program.
    """
    return {
        "format": "tamecheck-tree-certificate",
        "version": 1 if derived is None else 3,
        "program": program.document(),
        "claim": {"verdict": verdict, **{name: _text(value) for name, value in claim.items()}},
        "granularity": None if steps is None else _granularity(steps),
        **({} if derived is None else {"derived": list(map(derived_record, derived))}),
        "nodes": [_node(node) for node in nodes],
    }


def is_long(
    nodes: Sequence[Node] = (),
    derived: Sequence[Derived] = (),
    *points: Sequence[Fraction],
) -> bool:
    """Whether the kernel does not read the numbers of a certificate: they have too many digits."""
    found = [n.multipliers for n in nodes if isinstance(n, Bounded | Excluded | Gap)]
    for step in derived:
        found += (
            [Multipliers(step.rows, 1)]
            if isinstance(step, Tightened)
            else [side.multipliers for side in step.sides]
        )
    numbers = [n for own in found for n in (own.denominator, *own.numerators.values())]
    for point in points:
        pairs = [x.as_integer_ratio() for x in point]
        numbers += [n for pair in pairs for n in pair]
        common = 1
        for low in {low for _, low in pairs}:
            if common % low:
                common = math.lcm(common, low)
            if common.bit_length() > _COMMON_BITS:
                return True
        if common.bit_length() * sum(top != 0 for top, _ in pairs) > _POINT_BITS:
            return True
    bits = list(map(int.bit_length, numbers))
    return max(bits, default=0) > _NUMBER_BITS or sum(bits) > _ALL_BITS


def node_record(index: int, node: Node) -> dict[str, Any]:
    """The record of a node in a journal."""
    return {"node": index, **_node(node)}


def point_record(point: Sequence[Fraction]) -> dict[str, Any]:
    """The record of the best point so far in a journal."""
    return {"x": _text(point)}


def rows_of(step: Derived) -> Collection[int]:
    """The rows that a derived step rests on."""
    if isinstance(step, Tightened):
        return step.rows
    return {i for side in step.sides for i in side.multipliers.numerators}


def derived_record(step: Derived) -> dict[str, Any]:
    """The record of a derived step in a journal, which is as in a certificate."""
    match step:
        case Tightened(ends, rows):
            sides = {
                name: [[j, rational_text(to)] for j, own, to in ends if own == sign]
                for name, sign in _SIGNS.items()
            }
            return {**sides, "rows": _pairs(rows)}
        case Cut(terms, least, split, at, sides):
            return {
                "cut": [[j, _integer(a)] for j, a in terms],
                "least": rational_text(least),
                "split": [[j, _integer(a)] for j, a in split],
                "at": _integer(at),
                "sides": [
                    {
                        "rows": _pairs(side.multipliers.numerators),
                        "over": _integer(side.multipliers.denominator),
                        "times": _integer(side.times),
                    }
                    for side in sides
                ],
            }


def _granularity(found: Granularity) -> dict[str, Any]:
    rows = [[i, rational_text(y)] for i, y in sorted(found.rows.items())]
    return {"step": rational_text(found.step), "rows": rows}


def _node(node: Node) -> dict[str, Any]:
    match node:
        case Branched(Branch(column, at), children):
            return {"branch": column, "at": _integer(at), "children": list(children)}
        case Branched(by, children):
            return {"semi": by.column, "children": list(children)}
        case Bounded(Multipliers(numerators, over)):
            return {"bound": _pairs(numerators), "over": _integer(over)}
        case Excluded(Multipliers(numerators)):
            return {"none": _pairs(numerators)}
        case Gap(Multipliers(numerators, over)):
            return {"gap": _pairs(numerators), "over": _integer(over)}
        case Crossed(column):
            return {"crossed": column}
        case CrossedRow(row):
            return {"row": row}


def _pairs(numerators: Mapping[int, int]) -> list[list[int | str]]:
    return [[i, _integer(n)] for i, n in sorted(numerators.items())]


def _integer(value: int) -> int | str:
    return value if abs(value) < _LONGEST_INTEGER else rational_text(Fraction(value))


def _text(value: Fraction | Sequence[Fraction]) -> str | list[str]:
    return rational_text(value) if isinstance(value, Fraction) else list(map(rational_text, value))


# -- reading, for a search that goes on ------------------------------------------------------------


def unfinished(sha256: str, records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a journal says of a program, in the form of a certificate with nodes that are open."""
    nodes: dict[int, Any] = {}
    derived: list[Mapping[str, Any]] = []
    claim: dict[str, Any] = {}
    for record in records:
        match record:
            case {"node": int(index), **node}:
                nodes[index] = node
            case {"x": x}:
                claim["x"] = x
            case _:
                derived.append(record)
    pairs = [(index, c) for index, node in nodes.items() for c in node.get("children", ())]
    count, later = 1 + len(pairs), all(index < c for index, c in pairs)
    children = sorted(c for _, c in pairs)
    if not later or children != list(range(1, count)) or not nodes.keys() <= {0, *children}:
        raise InputError("The journal does not hold all nodes of a tree.")
    tree = [nodes.get(index) for index in range(count)]
    if not nodes and "x" not in claim:
        # the steps may rest on a point that was to be written after them
        derived.clear()
    return {"program": sha256, "claim": claim, "derived": derived, "nodes": tree}


def records_of(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The records of a journal that says the same as a certificate, or as another journal."""
    yield from document.get("derived", ())
    if "x" in document["claim"]:
        yield {"x": document["claim"]["x"]}
    for index, node in enumerate(document["nodes"]):
        if node is not None:
            yield {"node": index, **node}


def nodes_of(document: Mapping[str, Any]) -> tuple[Node | None, ...]:
    """The nodes of a certificate or journal, None if open; what leaves prove is not computed."""
    return tuple(None if node is None else _node_of(node) for node in document["nodes"])


def derived_of(document: Mapping[str, Any]) -> tuple[Derived, ...]:
    """What was derived in a certificate that the kernel accepts."""
    return tuple(map(_derived_of, document.get("derived", ())))


def integer_of(value: int | str) -> int:
    """The integer that stands in a certificate."""
    return value if isinstance(value, int) else rational_of_text(value).numerator


def narrowed(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """A step that narrows bounds as version 3 has it; before that each was of one column."""
    if "tighten" not in step:
        return step
    sides = {name: list[Any]() for name in _SIGNS}
    sides[step["side"]].append([step["tighten"], step["to"]])
    return {**sides, "rows": step["rows"]}


def _node_of(node: Mapping[str, Any]) -> Node:
    match node:
        case {"branch": j, "at": at, "children": [a, b]}:
            return Branched(Branch(j, integer_of(at)), (a, b))
        case {"semi": j, "children": [a, b]}:
            return Branched(Split(j), (a, b))
        case {"bound": pairs, "over": over}:
            return Bounded(_multipliers_of(pairs, over), Fraction(0))
        case {"none": pairs}:
            return Excluded(_multipliers_of(pairs, 1))
        case {"gap": pairs, "over": over}:
            return Gap(_multipliers_of(pairs, over))
        case {"crossed": j}:
            return Crossed(j)
        case _:
            return CrossedRow(node["row"])


def _derived_of(step: Mapping[str, Any]) -> Derived:
    if "cut" not in step:
        own = narrowed(step)
        ends = [(j, sign, to) for name, sign in _SIGNS.items() for j, to in own[name]]
        rows = _multipliers_of(own["rows"], 1).numerators
        return Tightened(tuple((j, sign, rational_of_text(to)) for j, sign, to in ends), rows)
    terms, split = (tuple((j, integer_of(a)) for j, a in step[key]) for key in ("cut", "split"))
    first, second = (
        Side(_multipliers_of(side["rows"], side["over"]), integer_of(side["times"]))
        for side in step["sides"]
    )
    least, at = rational_of_text(step["least"]), integer_of(step["at"])
    return Cut(terms, least, split, at, (first, second))


def _multipliers_of(pairs: Sequence[Sequence[int | str]], over: int | str) -> Multipliers:
    return Multipliers({int(i): integer_of(n) for i, n in pairs}, integer_of(over))
