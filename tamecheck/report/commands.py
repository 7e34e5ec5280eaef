"""The command lines that say again what a report says."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from tamecheck.report.markup import Markup, code, element, joined


@dataclass(frozen=True, slots=True)
class Commands:
    """What a command line names, quoted for a shell: the model, the table, what can occur."""

    model: str = "MODEL"
    table: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    box: tuple[str, ...] = ()

    def line(
        self,
        verb: str,
        *options: str,
        table: bool = True,
        domain: bool = True,
        box: bool = False,
    ) -> str:
        """A command about the model, with the options that say which table and which domain."""
        words = [
            *(self.table if table else ()),
            *(self.box if box else self.domain if domain else ()),
            *options,
        ]
        return " ".join(["tamecheck", verb, self.model, *map(shlex.quote, words)])


def again(*lines: str) -> Markup:
    """How to check a claim again: commands, one a line."""
    return _again(code(line) for line in lines)


def _again(lines: Iterable[Markup]) -> Markup:
    separated = (
        joined(Markup("<br>") if number else Markup(), line) for number, line in enumerate(lines)
    )
    return element(
        "p", element("span", "Check it again: ", class_="soft"), *separated, class_="again"
    )
