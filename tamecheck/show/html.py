"""The answer of `check` as an HTML fragment for notebooks; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from tamecheck.show.proof import all_lines, obstacles
from tamecheck.show.wording import domain_text, headline, property_rows, reason, structure_names
from tamecheck.tame.verdict import Check, Verdict

__all__ = ["check_html"]

_COLOURS = {
    Verdict.TAME: "#1a7f37",
    Verdict.LOCALLY_TAME: "#0a7ea4",
    Verdict.NOT_TAME: "#cf222e",
    Verdict.UNKNOWN: "#9a6700",
}
_MOST_LINES = 200


def check_html(check: Check) -> str:
    """A ``<div>`` with the verdict, what follows from it, and the derivation folded away."""
    return f'<div class="tamecheck">{"".join(_parts(check))}</div>'


def _parts(check: Check) -> Iterable[str]:
    structure = check.structure.public_name if check.structure else ""
    verdict = check.verdict.value.replace("-", " ")
    yield (
        f'<p><strong style="color:{_COLOURS[check.verdict]}">{escape(verdict)}</strong> '
        f"<strong>{escape(structure)}</strong> on "
        f"{escape(domain_text(check.box, check.graph.inputs))}<br>{escape(headline(check))}</p>"
    )
    if check.witness is not None:
        yield f"<p>{escape(check.witness.summary)}</p>"
    if check.open:
        gaps = ((gap.node, gap.why, gap.settles) for gap in check.open)
        yield _table(("derivation stops at", "why", "what would settle it"), gaps)
    yield _table(("property", ""), property_rows(check.properties))
    if check.consequences:
        rows = ((c.theorem, c.source, "; ".join(c.hypotheses)) for c in check.consequences)
        yield _table(("what follows", "source", "checked hypotheses"), rows)
    if check.derivation:
        yield _derivation(check)


def _derivation(check: Check) -> str:
    offending = obstacles(check)
    lines = [line for _, line in sorted(all_lines(check).items())]
    shown = lines[-_MOST_LINES:]
    rows = (
        (
            ("→ " if line.node in offending else "") + line.name,
            line.op,
            structure_names(line.structures) or "no structure found",
            reason(line),
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
