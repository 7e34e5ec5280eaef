"""``tamecheck explain``: why a binarized network decides as it does."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.occurring import add_occurring, levels_of, naming_of, occurring
from tamecheck.cli.options import Subparsers, add_common, add_model
from tamecheck.cli.source import model_of
from tamecheck.cli.table import add_table, row_numbers, sample_from
from tamecheck.errors import InputError
from tamecheck.visible import visible

if TYPE_CHECKING:
    from tamecheck.cli.occurring import Naming
    from tamecheck.explain import Explainer
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
For one input, or each row of a table: a minimal set of features that keeps the decision whatever
the others are (abductive), a smallest set that can change it (contrastive), or the nearest
possible input of another class (counterfactual).  All exact, over the stated domain.

exit codes: 0 explained, 1 no change of the features changes the decision, 3 out of time"""
_KINDS = ("abductive", "contrastive", "counterfactual")


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
    parser.add_argument(
        "-o", dest="output", metavar="FILE",
        help="write a table's answers here, one JSON object a line; what is there is kept",
    )  # fmt: skip
    add_occurring(parser)
    add_table(parser, what="instead of --input, rows for the model")
    parser.add_argument(
        "--rows", type=row_numbers, metavar="I,J", help="these rows of --data, counted from 0"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Explain and print."""
    from tamecheck.explain import Explainer, OutOfTimeError, network_of

    model = model_of(args)
    network = network_of(model, levels_of(args.domain))
    naming = naming_of(args, model)
    domain = occurring(args, network, naming)
    labels = naming.classes or ()
    explainer = Explainer.over(network, domain, classes=labels, seed=args.seed)
    options = _options(args, explainer)
    rows = _rows(args, model, naming)
    if len(rows) > 1 or args.output is not None:
        return _table(args, explainer, rows, options)
    try:
        found = explainer.explain(rows[0], args.kind, **options)
    except OutOfTimeError:
        if args.json:
            print_json({"decision": explainer.decide(rows[0]), "features": None, "why": "timeout"})
        else:
            print("unknown: out of time")
        return 3
    if found is None:
        decision = explainer.decide(rows[0])
        document: dict[str, Any] = {"decision": decision, "features": None, "rule": None}
        if args.json:
            print_json(document)
        else:
            label = explainer.classes[decision] if explainer.classes else f"class {decision}"
            print(visible(f"{label}: no allowed change of the features changes it"))
        return 1
    if args.json:
        print_json(found.document())
    elif args.quiet:
        print(visible(found.rule))
    else:
        rests = "exact search" if found.rests_on == "search" else found.rests_on
        print(visible(found.rule))
        print(f"  {found.size} features, {'minimal' if found.minimal else 'perhaps not minimal'}")
        print(f"  rests on: {rests}{', z3 ' + found.second if found.second else ''}")
    return 0 if found.minimal else 3


def _options(args: Namespace, explainer: Explainer) -> dict[str, Any]:
    """The options of the kind of explanation that is asked for."""
    if args.kind == "abductive":
        return {
            "smallest": args.smallest,
            "second": args.second,
            "prefer": _inputs(args.prefer, explainer, "--prefer"),
            "timeout": args.timeout,
        }
    if args.kind == "contrastive":
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

    found = _kept(args.output)
    left = rows[len(found) :]
    try:
        for answer in explain_rows(explainer, left, args.kind, workers=args.workers, **options):
            found.append(answer)
            _written(args, answer)
    except KeyboardInterrupt:
        message(args, f"stopped after {len(found)} of {len(rows)} rows")
    if args.json:
        print_json({"explanations": found, "rows": len(rows)})
    elif args.output is not None:
        print(f"{len(found)} of {len(rows)} rows explained in {visible(args.output)}")
    whole = len(found) == len(rows) and all(a.get("minimal", True) for a in found)
    return 0 if whole and not any("error" in a for a in found) else 3


def _written(args: Namespace, answer: dict[str, Any]) -> None:
    if args.output is not None:
        with Path(args.output).open("a", encoding="utf-8") as out:
            out.write(json.dumps(answer, sort_keys=True) + "\n")
    elif not args.json:
        print(visible(str(answer.get("rule") or answer.get("error") or "no change")))


def _kept(path: str | None) -> list[dict[str, Any]]:
    """The answers that an earlier run wrote; a line that it did not finish is cut off."""
    if path is None or not Path(path).exists():
        return []
    text = Path(path).read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    try:
        found = [json.loads(line) for line in whole.splitlines()]
    except json.JSONDecodeError:
        raise InputError("This is no file of explanations.", where=path) from None
    if whole != text:
        Path(path).write_text(whole, encoding="utf-8")
        print("tamecheck: the last line was unfinished and is written again", file=sys.stderr)
    return found
