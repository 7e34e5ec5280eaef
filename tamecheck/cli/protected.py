"""``tamecheck explain --protected``: what protected attributes decide."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli import inputs
from tamecheck.cli.answer import message, print_answer
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.cli.inputs import ChosenRows
    from tamecheck.explain import Explainer
    from tamecheck.loaders.samples import Sample
    from tamecheck.loaders.tables.schema import Schema

_CASES = 5
"""Rows with a flip of which all reasons are found, if none are chosen."""
_FOREVER = 1e9


def run_protected(  # noqa: PLR0913, PLR0917  # the question, and its rows
    args: Namespace,
    explainer: Explainer,
    attributes: Sequence[int],
    rows: ChosenRows | None,
    sample: Sample | None,
    schema: Schema | None,
) -> int:
    """Say what the features of some inputs decide, and print it; ``rows`` are all of the table."""
    from tamecheck.show.protected import protected_lines

    domain, budget = explainer.domain, Budget.of(args.timeout)
    names = [domain.features[k].name for k in domain.covering(attributes)]
    given: dict[str, Any] = {}
    numbers: list[int] = []
    if rows is not None:
        numbers = [about.get("row", place) for place, about in enumerate(rows.about)]
        given["rows"] = rows.points
    if rows is not None and sample is not None:
        given["labels"] = _labels(explainer, sample, numbers)
        given["held_out"] = _held_out(args, schema, numbers)
    found = explainer.protected(names, **given, timeout=min(0.7 * budget.seconds, _FOREVER))
    document = found.to_json()
    document["rows"] = [numbers[place] for place in found.rows]
    witness = document["witness"]
    if witness is not None and rows is not None and witness["row"] is not None:
        witness |= {"row": numbers[witness["row"]], **rows.about[witness["row"]]}
    chosen = found.rows[:_CASES]
    if sample is not None and args.rows is not None:
        chosen = sample.table.positions(args.rows)
    elif args.input is not None:
        chosen = range(len(numbers))
    document["cases"] = _cases(explainer, names, rows, chosen, found.rows, budget)
    print_answer(args, document, protected_lines(found, document), found.rule)
    if found.flips is None:
        message(args, "unknown: out of time, with proved bounds")
    elif not found.checked:
        message(args, "This rests on a search alone, so the exit code is 3.")
    return 0 if found.flips is not None and found.checked else 3


def _labels(explainer: Explainer, sample: Sample, numbers: Sequence[int]) -> list[Any] | None:
    """The class of each chosen row: by name, or by number if classes have none."""
    place = {origin.row: k for k, origin in enumerate(sample.origins)}
    known = [int(sample.labels[place[number]]) for number in numbers]
    names = explainer.classes
    return [None if k < 0 else names[k] if names else k for k in known]


def _held_out(args: Namespace, schema: Schema | None, numbers: Sequence[int]) -> list[bool] | None:
    """Whether each chosen row was held out of the training; None if it is another table."""
    training = None if schema is None else schema.training
    if training is None or training.sha256 != inputs.sha256_of_table(args.data):
        return None
    held = set(training.held_out)
    return [number in held for number in numbers]


def _cases(  # noqa: PLR0913, PLR0917  # the question, and its rows
    explainer: Explainer,
    names: Sequence[str],
    rows: ChosenRows | None,
    chosen: Sequence[int],
    flips: Sequence[int],
    budget: Budget,
) -> list[dict[str, Any]]:
    """For each chosen row the reasons that contain an attribute."""
    found: list[dict[str, Any]] = []
    if rows is None:
        return found
    for done, place in enumerate(chosen):
        left = max(budget.seconds, 0.01) / (len(chosen) - done)
        case = explainer.involvement(rows.points[place], names, timeout=min(left, _FOREVER))
        found.append({**case.to_json(), "flips": place in flips, **rows.about[place]})
    return found


def refuse_options(args: Namespace) -> None:
    """Refuse options of other questions than this one."""
    for name in ("plot", "smallest", "second", "towards", "immutable", "increasing", "decreasing"):
        if getattr(args, name):
            raise InputError(f"--{name} is not for --protected.")
    if args.output is not None:
        raise InputError("-o is not for --protected: its answer is one.", hint="Use --json.")
    if args.kind is not None:
        raise InputError("--kind is not for --protected: it is a question of its own.")
