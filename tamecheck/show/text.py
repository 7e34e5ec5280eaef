"""The answer of `check`, about a function or a program: as text, and as HTML for notebooks.

Text is coloured on a terminal and plain in a pipe; every text is escaped where it enters HTML.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from html import escape
from typing import IO, TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from tamecheck.ir.structure import Structure
from tamecheck.ir.verdict import Consequence, Open, Properties, Verdict
from tamecheck.show import proof, wording
from tamecheck.show.console import Framed, bulleted, plain_table, print_to, section
from tamecheck.tame.verdict import Check, Line

if TYPE_CHECKING:
    from tamecheck.programs.tameness import ProgramCheck


class _Detail(Enum):
    """How much of an answer is shown: a screen, with a digest of the proof, or all of it."""

    SCREEN = "screen"
    DIGEST = "digest"
    WHOLE = "whole"


_MOST_LINES = {_Detail.SCREEN: 10, _Detail.DIGEST: 30, _Detail.WHOLE: None}
_MOST_OPEN = 20
_COLOURS = {
    Verdict.TAME: "green",
    Verdict.LOCALLY_TAME: "cyan",
    Verdict.NOT_TAME: "red",
    Verdict.UNKNOWN: "yellow",
}


def print_check(  # noqa: PLR0913 (how much is shown, by keyword)
    check: Check,
    *,
    file: IO[str],
    title: str = "",
    certificate: str | None = None,
    verbose: bool = False,
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
    verbose
        Whether to show a digest of the derivation, and the theorems with their statements, sources
        and hypotheses; without it a screen has to do.
    derivation
        Whether to show every line of the derivation as well.
    """
    detail = _Detail.WHOLE if derivation else _Detail.DIGEST if verbose else _Detail.SCREEN
    print_to(file, *_answer(check, title, certificate, detail))


def check_text(check: Check, *, width: int = 100, verbose: bool = False) -> str:
    """The answer as plain text of the given width; see `print_check`."""
    buffer = io.StringIO()
    detail = _Detail.DIGEST if verbose else _Detail.SCREEN
    print_to(buffer, *_answer(check, "", None, detail), width=width)
    return buffer.getvalue().rstrip("\n")


def check_line(check: Check) -> str:
    """The verdict, and the structure if there is one, in two words."""
    structure = check.structure
    word = check.verdict.value
    return word if structure is None else f"{word} {structure.public_name}"


def print_program_check(
    check: ProgramCheck, *, file: IO[str], title: str, verbose: bool = False
) -> None:
    """Print the answer about a program; colours only on a terminal that shows them."""
    print_to(file, *_program_answer(check, title, verbose=verbose))


def program_check_line(check: ProgramCheck) -> str:
    """The verdict and the structure, in two words."""
    return f"{check.verdict.value} {check.structure.public_name}"


def _answer(
    check: Check, about: str, certificate: str | None, detail: _Detail
) -> Iterator[RenderableType]:
    where = f"{about} on " if about else "on "
    also = ", ".join(f"{s.symbol} ({s.public_name})" for s in check.structures[1:])
    yield _head(
        check.verdict,
        check.structures[0] if check.structures else None,
        f"{where}{wording.domain_text(check.box, check.graph.inputs)}",
        wording.headline(check),
        _source(check.structure),
        f"\nAlso definable in {also}, which is not comparable." if also else "",
        f"\n{where}" if (where := wording.defined_text(check)) else "",
    )
    if check.witness is not None:
        yield from section("Why", Text(check.witness.summary, style="red"))
    if check.weaker:
        items = bulleted([Text(text)] for text in check.weaker)
        yield from section("What holds all the same", items)
    if check.open:
        unknown = check.verdict is Verdict.UNKNOWN
        title = "What is open" if unknown else "Where the derivation stops"
        yield from section(title, bulleted(map(_open, check.open)))
    if check.structures and (rows := wording.ingredients(check)):
        yield from section("Why", plain_table(rows))
    if check.derivation and (detail is not _Detail.SCREEN or proof.obstacles(check)):
        yield from section("Derivation, from the output down", *_derivation(check, detail))
    if check.properties != Properties():
        yield from section("Properties on the domain", _properties(check.properties))
    if check.consequences:
        yield from _what_follows(check.consequences, verbose=detail is not _Detail.SCREEN)
    if check.trusted:
        yield from section("Taken on trust", bulleted([Text(line)] for line in check.trusted))
    if certificate is not None:
        yield from section("Certificate", Text(certificate, style="bold"))


def _program_answer(check: ProgramCheck, title: str, *, verbose: bool) -> Iterator[RenderableType]:
    said = wording.program_headline(check)
    yield _head(check.verdict, check.structure, title, said, _source(check.structure))
    yield from section("Why", bulleted([Text(one)] for one in check.reasons))
    if check.open:
        shown = [_open(gap) for gap in check.open[:_MOST_OPEN]]
        if len(check.open) > _MOST_OPEN:
            shown.append([Text(f"{len(check.open) - _MOST_OPEN} more; --json lists all")])
        yield from section("What would make it tame", bulleted(shown))
    yield from section(
        "Properties of the value function where it is finite", _properties(check.properties)
    )
    yield from _what_follows(check.consequences, verbose=verbose)


def _head(verdict: Verdict, structure: Structure | None, about: str, *said: str) -> Framed:
    colour = _COLOURS[verdict]
    name = "" if structure is None else f"  {structure.public_name}"
    word = verdict.value.upper().replace("-", " ")
    content = Text.assemble(
        (word, f"bold {colour}"), (name, "bold"), (f"   {about}\n", "dim"), *said
    )
    return Framed(content, colour)


def _source(structure: Structure | None) -> str:
    return "" if structure is None else f"\nIt adds {structure.adds}. Source: {structure.source}."


def _open(gap: Open) -> list[Text]:
    """Where something is open and why, and below it what settles it."""
    return [
        Text.assemble((gap.node, "bold yellow"), f": {gap.why}"),
        Text(f"To settle it: {gap.settles}"),
    ]


def _properties(properties: Properties) -> RenderableType:
    styles = {"yes": "green", "no": "red", "not proved": "dim"}
    return plain_table(
        (name, Text(word, styles[word])) for name, word in wording.property_rows(properties)
    )


def _what_follows(
    consequences: Sequence[Consequence], *, verbose: bool
) -> Iterable[RenderableType]:
    """The theorems that apply: by name, or with statement, source and hypotheses."""
    if verbose:
        return section("What follows", bulleted(map(_consequence, consequences)))
    names = [one.theorem.partition(":")[0] for one in consequences]
    more = Text("-v shows their statements, sources and hypotheses", style="dim")
    return section("What follows", Text(" · ".join(names)), more)


def _consequence(consequence: Consequence) -> list[Text]:
    """A theorem, and below it each hypothesis with a tick."""
    name, colon, statement = consequence.theorem.partition(":")
    source = (f" ({consequence.source})", "dim")
    return [
        Text.assemble((name, "bold"), f"{colon}{statement}", source),
        *(Text.assemble(("✓ ", "green"), text) for text in consequence.hypotheses),
    ]


# --- derivation ----------------------------------------------------------------------------------


def _derivation(check: Check, detail: _Detail) -> Iterable[RenderableType]:
    drawer = _Drawer(proof.obstacles(check), limit=_MOST_LINES[detail])
    for name, entries in proof.arrange(check):
        tree = Tree(Text(name, style="bold"), guide_style="dim")
        drawer.draw(tree, entries if detail is _Detail.WHOLE else proof.collapse(entries))
        yield tree
        if drawer.full:
            break
    if drawer.left_out:
        yield Text("… more lines: --derivation shows all", style="dim")


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

    def draw(self, tree: Tree, entries: Sequence[proof.Entry], mark: str = "") -> None:
        """Add the entries; `Arms` hang below the entry before them, each head with its number."""
        last = tree
        for entry in entries:
            if self.full:
                self.left_out = True
                return
            match entry:
                case proof.Step(line):
                    last = self._add(tree, self._line(line), mark)
                case proof.See(line):
                    last = self._add(tree, Text(f"{line.name}, shown above", style="dim"), mark)
                case proof.Arms(arms):
                    for number, arm in enumerate(arms, start=1):
                        self.draw(last, arm, f"{number}. " if len(arms) > 1 else "")
                case proof.Repeat(times, inner):
                    last = self._add(tree, Text(f"{times} times:", style="bold"), mark)
                    self.draw(last, inner)
            mark = ""

    def _add(self, tree: Tree, text: Text, mark: str) -> Tree:
        self._count += 1
        return tree.add(Text.assemble((mark, "dim"), text))

    def _line(self, line: Line) -> Text:
        offending = line.node in self._offending
        text = Text(line.op, style="bold red" if offending else "bold")
        if line.name != line.op:
            own = line.name.removeprefix(line.op)
            text.append(own if own.startswith("#") else f" {line.name}", style="dim")
        names = wording.structure_names(line.structures) or "no structure found"
        text.append(f"  {names}", style="red" if offending else "green")
        if line.structures or offending:
            text.append(f"  {wording.reason(line)}".rstrip())
        if offending:
            text.append("  ← first obstacle", style="bold red")
        return text


# --- HTML ----------------------------------------------------------------------------------------

_INKS = {
    Verdict.TAME: "#1a7f37",
    Verdict.LOCALLY_TAME: "#0a7ea4",
    Verdict.NOT_TAME: "#cf222e",
    Verdict.UNKNOWN: "#9a6700",
}
_MOST_ROWS = 200


def check_html(check: Check) -> str:
    """A ``<div>`` with the verdict, what follows from it, and the derivation folded away."""
    return f'<div class="tamecheck">{"".join(_fragments(check))}</div>'


def _fragments(check: Check) -> Iterable[str]:
    structure = check.structure.public_name if check.structure else ""
    verdict = check.verdict.value.replace("-", " ")
    yield (
        f'<p><strong style="color:{_INKS[check.verdict]}">{escape(verdict)}</strong> '
        f"<strong>{escape(structure)}</strong> on "
        f"{escape(wording.domain_text(check.box, check.graph.inputs))}<br>"
        f"{escape(wording.headline(check))}</p>"
    )
    if check.witness is not None:
        yield f"<p>{escape(check.witness.summary)}</p>"
    yield from (f"<p>{escape(text)}</p>" for text in check.weaker)
    if check.open:
        gaps = ((gap.node, gap.why, gap.settles) for gap in check.open)
        yield _table(("derivation stops at", "why", "what would settle it"), gaps)
    yield _table(("property", ""), wording.property_rows(check.properties))
    if check.consequences:
        rows = ((c.theorem, c.source, "; ".join(c.hypotheses)) for c in check.consequences)
        yield _table(("what follows", "source", "checked hypotheses"), rows)
    if check.derivation:
        yield _derivation_html(check)


def _derivation_html(check: Check) -> str:
    offending = proof.obstacles(check)
    lines = [line for _, line in sorted(proof.all_lines(check).items())]
    shown = lines[-_MOST_ROWS:]
    rows = (
        (
            ("→ " if line.node in offending else "") + line.name,
            line.op,
            wording.structure_names(line.structures) or "no structure found",
            wording.reason(line),
        )
        for line in reversed(shown)
    )
    table = _table(("node", "op", "structure", "why"), rows)
    left_out = len(lines) - len(shown)
    rest = f"<p>{left_out} more lines.</p>" if left_out else ""
    return f"<details><summary>Derivation</summary>{table}{rest}</details>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f'<th style="text-align:left">{escape(cell)}</th>' for cell in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{escape(c)}</td>' for c in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"
