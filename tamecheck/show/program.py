"""What `check` says about a program: text, one line, JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

from rich.console import RenderableType
from rich.text import Text

from tamecheck.programs.tameness import ProgramCheck
from tamecheck.show.console import print_to
from tamecheck.show.parts import (
    COLOURS,
    Framed,
    consequence_texts,
    open_texts,
    properties_table,
    section,
)
from tamecheck.show.tables import bulleted
from tamecheck.show.wording import property_values

__all__ = ["print_program_check", "program_check_json", "program_check_line"]

_MOST_OPEN = 20


def program_check_json(check: ProgramCheck) -> dict[str, Any]:
    """The answer with the keys of every answer of ``check``; there is no certificate."""
    return {
        "verdict": check.verdict.value,
        "structure": check.structure.public_name if check.structure.o_minimal else None,
        "also": [],
        "summary": _headline(check),
        "reasons": list(check.reasons),
        "properties": property_values(check.properties),
        "consequences": [
            {"theorem": c.theorem, "source": c.source, "hypotheses": list(c.hypotheses)}
            for c in check.consequences
        ],
        "witness": None,
        "open": [{"node": gap.node, "why": gap.why, "settles": gap.settles} for gap in check.open],
        "certificate": None,
        "trusted": [],
        "model": {"sha256": check.program.sha256},
    }


def program_check_line(check: ProgramCheck) -> str:
    """The verdict and the structure, in two words."""
    return f"{check.verdict.value} {check.structure.public_name}"


def print_program_check(check: ProgramCheck, *, file: IO[str], title: str) -> None:
    """Print the answer; colours only on a terminal that shows them."""
    print_to(file, *_answer(check, title))


def _headline(check: ProgramCheck) -> str:
    kind = "an o-minimal" if check.structure.o_minimal else "a locally o-minimal"
    return (
        "The feasible set, the optimal value and the optimal points, as they depend on the "
        f"right-hand side, are definable in {check.structure.symbol}, {kind} structure."
    )


def _answer(check: ProgramCheck, title: str) -> Iterable[RenderableType]:
    colour = COLOURS[check.verdict]
    yield Framed(
        Text.assemble(
            (check.verdict.value.upper().replace("-", " "), f"bold {colour}"),
            (f"  {check.structure.public_name}", "bold"),
            (f"   {title}\n", "dim"),
            f"{_headline(check)}\n",
            f"It adds {check.structure.adds}. Source: {check.structure.source}.",
        ),
        colour,
    )
    yield from section("Why", [bulleted([Text(reason)] for reason in check.reasons)])
    if check.open:
        shown = [open_texts(gap) for gap in check.open[:_MOST_OPEN]]
        if len(check.open) > _MOST_OPEN:
            shown.append([Text(f"{len(check.open) - _MOST_OPEN} more; --json lists all")])
        yield from section("What would make it tame", [bulleted(shown)])
    yield from section(
        "Properties of the value function where it is finite", [properties_table(check.properties)]
    )
    yield from section("What follows", [bulleted(map(consequence_texts, check.consequences))])
