"""The derivation arranged for reading: chains, arms that meet again, and repeated layers.

A network's graph is mostly a chain, with arms that leave a node and meet again (a residual
connection, the gates of an LSTM).  Drawn as a tree of arguments it would be as deep as the network
and repeat what is shared.  Here a chain is a flat list from the output down, the arms of a node
hang below it until the node where they meet, and a run of equal layers is one entry with a count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tamecheck.tame.verdict import Check, Line, Verdict

_DEEPEST = 5
_LONGEST_PERIOD = 40
_SOURCE = -1


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the derivation."""

    line: Line


@dataclass(frozen=True, slots=True)
class See:
    """A node that an earlier entry shows."""

    line: Line


@dataclass(frozen=True, slots=True)
class Arms:
    """What the arguments of the entry above rest on, until they meet."""

    arms: tuple[tuple[Entry, ...], ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Entries that occur several times in a row, with equal ops, structures and reasons."""

    times: int
    entries: tuple[Entry, ...]


Entry: TypeAlias = Step | See | Arms | Repeat


def all_lines(check: Check) -> dict[int, Line]:
    """The derivation by node, with a line for each node that it does not reach."""
    lines = {line.node: line for line in check.derivation}
    if not lines:
        return lines
    graph = check.graph
    for index, node in graph.applied():
        if index not in lines:
            name = graph.name_of(index)
            lines[index] = Line(index, name, node.op.name, (), "rests on what is open", node.args)
    return lines


def obstacles(check: Check) -> frozenset[int]:
    """The nodes at which the derivation first fails: no structure, though every argument has one.

    Empty when the verdict is positive.
    """
    if check.verdict in (Verdict.TAME, Verdict.LOCALLY_TAME):
        return frozenset()
    lines = all_lines(check)
    return frozenset(
        node
        for node, line in lines.items()
        if not line.structures and all(lines[a].structures for a in line.args if a in lines)
    )


def arrange(check: Check) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
    """The derivation of each output by name, from the output down; input-free parts left out."""
    lines = all_lines(check)
    arranger = _Arranger(lines, check.graph.input_free)
    return tuple((name, arranger.output(node)) for name, node in check.graph.outputs)


class _Arranger:
    """Walks the lines once; a node that several outputs or arms share is shown once."""

    def __init__(self, lines: Mapping[int, Line], input_free: Sequence[bool]) -> None:
        self._lines = lines
        kept = {node for node in lines if not input_free[node]}
        self._args = {
            node: tuple(dict.fromkeys(arg for arg in line.args if arg in kept))
            for node, line in lines.items()
        }
        self._meet = _meeting_points(self._args)
        self._seen: set[int] = set()

    def output(self, node: int) -> tuple[Entry, ...]:
        """The entries of one output."""
        return self._chain(node, _SOURCE, 0) if node in self._lines else ()

    def _chain(self, node: int, stop: int, depth: int) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        while node not in (stop, _SOURCE):
            if node in self._seen:
                entries.append(See(self._lines[node]))
                break
            self._seen.add(node)
            entries.append(Step(self._lines[node]))
            args = self._args[node]
            if not args:
                break
            if len(args) == 1:
                node = args[0]
                continue
            meet = self._meet[node]
            if depth == _DEEPEST:
                entries += self._flat(args, meet)
            else:
                arms = (self._chain(arg, meet, depth + 1) for arg in args)
                entries.append(Arms(tuple(arm for arm in arms if arm)))
            node = meet
        return tuple(entries)

    def _flat(self, roots: tuple[int, ...], stop: int) -> Iterator[Entry]:
        waiting = {root for root in roots if root not in self._seen and root != stop}
        while waiting:
            node = max(waiting)
            waiting.remove(node)
            self._seen.add(node)
            yield Step(self._lines[node])
            waiting.update(a for a in self._args[node] if a not in self._seen and a != stop)


def _meeting_points(args: Mapping[int, tuple[int, ...]]) -> dict[int, int]:
    """For each node, the nearest node on every path from it down to the inputs.

    These are the immediate dominators of the reversed graph; arguments have smaller numbers.
    """
    meet: dict[int, int] = {}
    depth = {_SOURCE: 0}
    for node in sorted(args):
        common = args[node][0] if args[node] else _SOURCE
        for other in args[node][1:]:
            left, right = common, other
            while left != right:
                if depth[left] >= depth[right]:
                    left = meet[left]
                else:
                    right = meet[right]
            common = left
        meet[node] = common
        depth[node] = depth[common] + 1
    return meet


_Shape: TypeAlias = tuple[object, ...]


def _signature(entry: Entry) -> _Shape:
    match entry:
        case Step(line):
            return ("step", line.op, line.structures, line.why)
        case See(line):
            return ("see", line.node)
        case Arms(arms):
            return ("arms", *(tuple(_signature(e) for e in arm) for arm in arms))
        case Repeat(times, entries):
            return ("repeat", times, *(_signature(e) for e in entries))


def collapse(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The same entries, each run of equal layers replaced by one `Repeat`."""
    inner = tuple(
        Arms(tuple(collapse(arm) for arm in entry.arms)) if isinstance(entry, Arms) else entry
        for entry in entries
    )
    signatures = [_signature(entry) for entry in inner]
    found: list[Entry] = []
    start = 0
    while start < len(inner):
        period, times = _best_run(signatures, start)
        if times > 1:
            found.append(Repeat(times, inner[start : start + period]))
        else:
            found.append(inner[start])
        start += period * times
    return tuple(found)


def _best_run(signatures: Sequence[_Shape], start: int) -> tuple[int, int]:
    """The period and count of the run at ``start`` that saves most lines; (1, 1) if none does."""
    best, saved = (1, 1), 1
    for period in range(1, min(_LONGEST_PERIOD, (len(signatures) - start) // 2) + 1):
        block = signatures[start : start + period]
        times = 1
        while signatures[start + times * period : start + (times + 1) * period] == block:
            times += 1
        if (times - 1) * period > saved:
            best, saved = (period, times), (times - 1) * period
    return best


def entry_count(entries: Sequence[Entry]) -> int:
    """The number of lines that the entries take."""
    total = 0
    for entry in entries:
        match entry:
            case Step() | See():
                total += 1
            case Arms(arms):
                total += sum(entry_count(arm) for arm in arms)
            case Repeat(_, inner):
                total += 1 + entry_count(inner)
    return total
