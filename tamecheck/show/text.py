"""The answer of `check` for a terminal: coloured there, plain text in a pipe."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import IO

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from tamecheck.show.console import print_to
from tamecheck.show.parts import (
    COLOURS,
    Framed,
    consequence_texts,
    open_texts,
    properties_table,
    section,
)
from tamecheck.show.proof import Arms, Entry, Repeat, See, Step, arrange, collapse, obstacles
from tamecheck.show.tables import bulleted, plain_table
from tamecheck.show.wording import (
    domain_text,
    headline,
    ingredients,
    property_values,
    reason,
    structure_names,
)
from tamecheck.tame.verdict import Check, Line, Verdict, Witness

__all__ = ["check_line", "check_text", "print_check"]

_MOST_LINES = 30


def print_check(
    check: Check,
    *,
    file: IO[str],
    title: str = "",
    certificate: str | None = None,
    derivation: bool = False,
) -> None:
    """Print the answer.

    Parameters
    ----------
    check
        The answer.
    file
        Where to; colours only if it is a terminal that shows them.
    title
        What the question was about.
    certificate
        The path that the certificate was written to, if it was.
    derivation
        Whether to show every line of the derivation instead of a digest.
    """
    print_to(file, *_answer(check, title, certificate, whole=derivation))


def check_text(check: Check, *, width: int = 100) -> str:
    """The answer as plain text of the given width."""
    buffer = io.StringIO()
    print_to(buffer, *_answer(check, "", None, whole=False), width=width)
    return buffer.getvalue().rstrip("\n")


def check_line(check: Check) -> str:
    """The verdict, and the structure if there is one, in two words."""
    structure = check.structure
    word = check.verdict.value
    return word if structure is None else f"{word} {structure.public_name}"


def _answer(
    check: Check, about: str, certificate: str | None, *, whole: bool
) -> Iterable[RenderableType]:
    yield Framed(_verdict(check, about), COLOURS[check.verdict])
    if check.witness is not None:
        yield from section("Why", [_witness(check.witness)])
    if check.open:
        unknown = check.verdict is Verdict.UNKNOWN
        title = "What is open" if unknown else "Where the derivation stops"
        yield from section(title, [bulleted(open_texts(gap) for gap in check.open)])
    if check.structures and (rows := ingredients(check)):
        yield from section("Why", [plain_table(rows)])
    if check.derivation:
        yield from section("Derivation, from the output down", _derivation(check, whole=whole))
    if any(value is not None for value in property_values(check.properties).values()):
        yield from section("Properties on the domain", [properties_table(check.properties)])
    if check.consequences:
        yield from section("What follows", [bulleted(map(consequence_texts, check.consequences))])
    if check.trusted:
        yield from section("Taken on trust", [bulleted([Text(line)] for line in check.trusted)])
    if certificate is not None:
        yield from section("Certificate", [Text(certificate, style="bold")])


def _verdict(check: Check, title: str) -> Text:
    colour = COLOURS[check.verdict]
    text = Text()
    text.append(check.verdict.value.upper().replace("-", " "), style=f"bold {colour}")
    if check.structures:
        text.append(f"  {check.structures[0].public_name}", style="bold")
    about = f"{title} on " if title else "on "
    text.append(f"   {about}{domain_text(check.box, check.graph.inputs)}\n", style="dim")
    text.append(headline(check))
    if check.structure is not None:
        text.append(f"\nIt adds {check.structure.adds}. Source: {check.structure.source}.")
    also = check.structures[1:]
    if also:
        symbols = ", ".join(f"{s.symbol} ({s.public_name})" for s in also)
        text.append(f"\nAlso definable in {symbols}, which is not comparable.")
    return text


def _witness(witness: Witness) -> Text:
    return Text(witness.summary, style="red")


# --- derivation --------------------------------------------------------------------------------


def _derivation(check: Check, *, whole: bool) -> list[RenderableType]:
    drawer = _Drawer(obstacles(check), limit=None if whole else _MOST_LINES)
    trees: list[RenderableType] = []
    for name, entries in arrange(check):
        tree = Tree(Text(name, style="bold"), guide_style="dim")
        drawer.draw(tree, entries if whole else collapse(entries))
        trees.append(tree)
        if drawer.full:
            break
    if drawer.left_out:
        trees.append(Text("… more lines: --derivation shows all", style="dim"))
    return trees


class _Drawer:
    """Adds entries to a tree, up to a limit of lines."""

    def __init__(self, offending: frozenset[int], limit: int | None) -> None:
        self._offending = offending
        self._limit = limit
        self._count = 0
        self.left_out = False

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self._limit is not None and self._count >= self._limit

    def draw(self, tree: Tree, entries: Sequence[Entry], mark: str = "") -> None:
        """Add the entries; `Arms` hang below the entry before them, each head with its number."""
        last = tree
        for entry in entries:
            if self.full:
                self.left_out = True
                return
            match entry:
                case Step(line):
                    last = self._add(tree, self._line(line), mark)
                case See(line):
                    last = self._add(tree, Text(f"{line.name}, shown above", style="dim"), mark)
                case Arms(arms):
                    for number, arm in enumerate(arms, start=1):
                        self.draw(last, arm, f"{number}. " if len(arms) > 1 else "")
                case Repeat(times, inner):
                    last = self._add(tree, Text(f"{times} times:", style="bold"), mark)
                    self.draw(last, inner)
            mark = ""

    def _add(self, tree: Tree, text: Text, mark: str) -> Tree:
        self._count += 1
        return tree.add(Text.assemble((mark, "dim"), text))

    def _line(self, line: Line) -> Text:
        offending = line.node in self._offending
        text = Text()
        text.append(line.op, style="bold red" if offending else "bold")
        if line.name != line.op:
            own = line.name.removeprefix(line.op)
            text.append(own if own.startswith("#") else f" {line.name}", style="dim")
        names = structure_names(line.structures) or "no structure found"
        text.append(f"  {names}", style="red" if offending else "green")
        if line.structures or offending:
            text.append(f"  {reason(line)}".rstrip())
        if offending:
            text.append("  ← first obstacle", style="bold red")
        return text
