"""``tamecheck explain``: why a binarized network decides as it does."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, message, print_json
from tamecheck.cli.occurring import add_occurring, levels_of, naming_of, occurring
from tamecheck.cli.options import Subparsers, add_common, add_model, add_output
from tamecheck.cli.source import model_of
from tamecheck.cli.table import add_shape, add_table, row_numbers, sample_from, shape_of
from tamecheck.errors import InputError
from tamecheck.visible import visible

if TYPE_CHECKING:
    from tamecheck.cli.occurring import Naming
    from tamecheck.explain import (
        Abductive,
        Contrastive,
        Counterfactual,
        Explainer,
        Relevancy,
    )
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
For one input, or each row of a table: a minimal set of features that keeps the decision whatever
the others are (abductive), a smallest set that can change it (contrastive), or the nearest
possible input of another class (counterfactual), or which features are in every reason, in some
and in none (relevancy).  All exact, over the stated domain.

exit codes: 0 explained, 1 no change of the features changes the decision, 3 out of time"""
_KINDS = ("abductive", "contrastive", "counterfactual", "relevancy")
_ABOUT_KINDS = (
    (("abductive", "contrastive"), ("smallest",)),
    (("abductive",), ("second", "prefer")),
    (("counterfactual",), ("towards", "metric", "immutable", "increasing", "decreasing")),
)
"""Options that are only for some kinds."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "explain", help="why a decision? reasons and nearest changes", description=_DESCRIPTION
    )
    add_model(parser)
    parser.add_argument(
        "--input", metavar="FILE", help="the input, or a table of inputs: .json, .csv or .npy"
    )
    parser.add_argument("--kind", choices=_KINDS, default="abductive", help="what to find")
    parser.add_argument("--smallest", action="store_true", help="a reason with the fewest features")
    parser.add_argument("--second", action="store_true", help="let z3 check the reason as well")
    parser.add_argument(
        "--towards", metavar="CLASS", help="the class that a counterfactual is to have"
    )
    parser.add_argument(
        "--metric", choices=("features", "inputs", "steps"), default="features",
        help="what a counterfactual's distance counts",
    )  # fmt: skip
    for name, text in (
        ("immutable", "inputs that stay"),
        ("increasing", "inputs that may only rise"),
        ("decreasing", "inputs that may only fall"),
        ("prefer", "inputs to keep in a reason rather than others"),
    ):
        parser.add_argument(
            f"--{name}", metavar="I,J", default="", help=f"{text}, by number or name"
        )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes for a table")
    add_output(
        parser, "-o", dest="output", metavar="FILE",
        help="write a table's answers here, one JSON object a line; what is there is kept",
    )  # fmt: skip
    add_output(
        parser, "--plot", metavar="FILE",
        help="draw it: pixels of an image, or bars of relevancy; .png, .svg or .pdf",
    )  # fmt: skip
    add_shape(parser)
    add_occurring(parser)
    add_table(parser, what="instead of --input, rows for the model")
    parser.add_argument(
        "--rows", type=row_numbers, metavar="I,J", help="these rows of --data, counted from 0"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Explain and print."""
    from tamecheck.explain import Explainer, network_of
    from tamecheck.explain.networks import image_shape

    _check_outputs(args)
    _check_kind(args)
    model = model_of(args)
    network = network_of(model, levels_of(args.domain))
    naming = naming_of(args, model)
    domain = occurring(args, network, naming)
    labels = naming.classes or ()
    shape = shape_of(args.shape) or image_shape(model)
    explainer = Explainer.over(network, domain, classes=labels, shape=shape, seed=args.seed)
    options = _options(args, explainer)
    rows = _rows(args, model, naming)
    if len(rows) == 1 and args.output is None:
        return _single(args, explainer, rows[0], options)
    if args.plot is not None:
        raise InputError(
            "A figure is about one input.", where="--plot", hint="Choose it by --rows."
        )
    return _table(args, explainer, rows, options)


def _single(args: Namespace, explainer: Explainer, row: Any, options: dict[str, Any]) -> int:
    """Explain one input."""
    from tamecheck.explain import OutOfTimeError

    try:
        found = explainer.explain(row, args.kind, **options)
    except OutOfTimeError:
        if args.json:
            print_json({"decision": explainer.decide(row), "features": None, "why": "timeout"})
        else:
            print("unknown: out of time")
        return 3
    if found is None:
        _print_unchangeable(args, explainer, row)
        return 1
    if args.plot is not None:
        _draw(args, found)
    if args.json:
        print_json({**found.document(), **({} if args.plot is None else {"file": args.plot})})
    else:
        print(visible(found.rule))
    if args.kind == "relevancy":
        if not args.json and not args.quiet:
            _print_counts(found)
        return 0 if found.complete else 3
    if not args.json and not args.quiet:
        _print_grounds(found)
    return 0 if found.minimal else 3


def _print_unchangeable(args: Namespace, explainer: Explainer, row: Any) -> None:
    """Say that no allowed change of the features changes the decision."""
    from tamecheck.explain.answers import called

    decision = explainer.decide(row)
    label = called(decision, explainer.classes)
    if args.json:
        print_json({"decision": decision, "label": label, "features": None, "rule": None})
    else:
        print(visible(f"{label}: no allowed change of the features changes it"))


def _print_counts(found: Relevancy) -> None:
    for name, count in sorted(found.counts.items(), key=lambda item: -item[1]):
        print(visible(f"  {name}: in {count} of {found.reasons} reasons"))


def _print_grounds(found: Abductive | Contrastive | Counterfactual) -> None:
    rests = "exact search" if found.rests_on == "search" else found.rests_on
    size = "1 feature" if found.size == 1 else f"{found.size} features"
    print(f"  {size}, {'minimal' if found.minimal else 'perhaps not minimal'}")
    print(f"  rests on: {rests}{', z3 ' + found.second if found.second else ''}")


def _check_outputs(args: Namespace) -> None:
    """Refuse files that cannot be written before anything is worked out."""
    if args.output is not None:
        claim(args, args.output, "list of explanations")
    if args.plot is not None:
        from tamecheck.show.plots import checked_path

        checked_path(args.plot)
        claim(args, args.plot, "figure")


def _check_kind(args: Namespace) -> None:
    """Refuse options that would say nothing, and impossible numbers of processes."""
    if args.workers < 1:
        raise InputError(f"--workers {args.workers} is no positive number.")
    for kinds, names in _ABOUT_KINDS:
        for name in names:
            if args.kind not in kinds and getattr(args, name) not in (None, "", False, "features"):
                raise InputError(
                    f"--{name} is not for --kind {args.kind}.",
                    hint=f"It is for --kind {' and '.join(kinds)}.",
                )


def _draw(args: Namespace, found: Any) -> None:
    """Write the figure of an explanation."""
    from tamecheck.show.plots import draw_explanation, draw_relevancy

    draw = draw_relevancy if args.kind == "relevancy" else draw_explanation
    draw(found).save(args.plot)


def _options(args: Namespace, explainer: Explainer) -> dict[str, Any]:
    """The options of the kind of explanation that is asked for."""
    if args.kind == "abductive":
        return {
            "smallest": args.smallest,
            "second": args.second,
            "prefer": _inputs(args.prefer, explainer, "--prefer"),
            "timeout": args.timeout,
        }
    if args.kind in ("contrastive", "relevancy"):
        return {"timeout": args.timeout}
    return {
        "target": _class(args.towards, explainer),
        "metric": args.metric,
        "timeout": args.timeout,
        **{
            name: _inputs(getattr(args, name), explainer, f"--{name}")
            for name in ("immutable", "increasing", "decreasing")
        },
    }


def _inputs(text: str, explainer: Explainer, option: str) -> list[int]:
    """Inputs by number, or those of features by name."""
    named = {feature.name: feature.inputs for feature in explainer.domain.features}
    found: list[int] = []
    for part in filter(None, map(str.strip, text.split(","))):
        if part in named:
            found += named[part]
        elif part.isascii() and part.isdigit() and int(part) < explainer.network.inputs:
            found.append(int(part))
        else:
            raise InputError(f"There is no input or feature {part!r}.", where=option)
    return found


def _class(text: str | None, explainer: Explainer) -> int | None:
    """A class by its name or its number."""
    if text is None:
        return None
    numbers = [str(number) for number in range(explainer.network.classes)]
    for known in (explainer.classes, numbers):
        if text in known:
            return known.index(text)
    known = ", ".join(explainer.classes or numbers)
    raise InputError(f"There is no class {text!r}.", where="--towards", hint=f"Classes: {known}.")


def _rows(args: Namespace, model: Model, naming: Naming) -> list[Any]:
    """The rows of the input file or of the table: one for a single input."""
    from tamecheck.ir.tensor import size_of
    from tamecheck.load.arrays import read_rows

    inputs = sum(map(size_of, model.inputs.values()))
    if (args.input is None) == (args.data is None):
        what = "Give --input or --data." if args.data is None else "--input or --data, not both."
        raise InputError(what, hint=f"A file with {inputs} numbers, or rows, or a table.")
    sample = sample_from(args, model, naming.sidecar)
    if sample is None:
        return read_rows(args.input, inputs)
    chosen = range(len(sample.points)) if args.rows is None else args.rows
    if max(chosen) >= len(sample.points):
        raise InputError(f"The table has {len(sample.points)} rows.", where="--rows")
    return [sample.points[row] for row in chosen]


def _table(args: Namespace, explainer: Explainer, rows: list[Any], options: dict[str, Any]) -> int:
    from tamecheck.explain.batch import explain_rows

    with _answers(args) as (found, keep):
        left = rows[len(found) :]
        try:
            for answer in explain_rows(explainer, left, args.kind, workers=args.workers, **options):
                keep(answer)
                found.append(answer)
        except KeyboardInterrupt:
            message(args, f"stopped after {len(found)} of {len(rows)} rows")
    if args.json:
        print_json({"explanations": found, "rows": len(rows)})
    elif args.output is not None:
        print(f"{len(found)} of {len(rows)} rows explained in {visible(args.output)}")
    whole = len(found) == len(rows) and all(a.get("minimal", True) for a in found)
    return 0 if whole and not any("error" in a for a in found) else 3


@contextmanager
def _answers(
    args: Namespace,
) -> Generator[tuple[list[dict[str, Any]], Callable[[dict[str, Any]], None]]]:
    """The answers that an earlier run wrote, and where the next ones go."""
    if args.output is None:
        yield [], partial(_shown, args)
        return
    from tamecheck.load.journal import journal

    form = "tamecheck-explanations"
    with journal(
        args.output, "list of explanations", form, {"kind": args.kind}, force=args.force
    ) as kept:
        if kept.cut:
            message(args, "the last line was unfinished and is written again")
        yield list(kept.kept), kept.append


def _shown(args: Namespace, answer: dict[str, Any]) -> None:
    if not args.json:
        print(visible(str(answer.get("rule") or answer.get("error") or "no change")))
