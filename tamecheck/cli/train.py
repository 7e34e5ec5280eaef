"""``tamecheck train``: a binarized network from a table."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentTypeError, Namespace
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli.answer import claim, message, print_answer
from tamecheck.cli.inputs import READING, reading_of, say_of_table, sha256_of_table, source_of
from tamecheck.cli.options import Verb, option, output
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from tamecheck.learn import BinarizedClassifier, Progress
    from tamecheck.learn.selection import Selection
    from tamecheck.learn.table import TableTraining
    from tamecheck.loaders.tables.rows import Table
    from tamecheck.loaders.tables.schema import Schema

_TEST, _LEAST_ROWS = 0.2, 50
"""The share of rows that is held out unless told otherwise, of tables with so many rows."""
_LEAST, _AFTER_INTERRUPT, _LONG = 0.5, 5.0, 1e6
_MOST_MIP = 500


_DESCRIPTION = """\
Train a binarized network on a table (CSV, ARFF, KEEL; also .gz) and save it as a model whose inputs
are signs.  Features that are no signs become statements such as age >= 37 or colour = red, which
are listed in the answer and beside the model, in FILE.features.json.

methods: mip    mixed-integer programming, with a proved bound on the training loss
         tame   backpropagation through elastic value functions
         ste    the straight-through estimator, a baseline
         auto   whichever is best in the comparison

Unless --hidden says otherwise, networks of 1, 2, 4, 8 and 16 hidden neurons are compared by
cross-validation on the rows to train on, and the smallest within one standard error of the best is
trained.  What is said of its quality is about rows that were held out, beside the most frequent
class, logistic regression and a tree of depth 3 on the same rows.

Ctrl-C ends training with the best network so far, which is saved.

exit codes: 0 done, 2 the table or an option cannot be used,
            130 interrupted before there is a network"""


def _run(args: Namespace) -> int:
    """Read the table, choose, train, save the model, print what came of it."""
    from tamecheck.learn.table import TableTraining, save_network, split
    from tamecheck.loaders.tables.rows import rows_of
    from tamecheck.loaders.tables.table import listing, read_table
    from tamecheck.show.protected import training_lines

    path = _output(args)
    source = source_of(args.table)
    reading = reading_of(args, source)
    raw = rows_of(source, header=reading["header"], sep=reading["sep"])
    target = raw.target if args.target is None else args.target
    if target is None:
        raise InputError("Which column is the label? Say --target COL.", hint=listing(raw))
    table = read_table(raw, target=target, **reading)
    parts = split(table.labels, _held_out(args, table.labels.tolist()), args.seed)
    start, budget = time.monotonic(), Budget.of(args.timeout)
    with _bar(args) as bar:
        notes = list[str]()
        method, hidden, selection = _choose(args, table, parts[0], budget, bar, notes)
        seconds = None if args.timeout is None else max(_LEAST, budget.seconds)
        if selection is not None and selection.interrupted:
            seconds = min(seconds or _AFTER_INTERRUPT, _AFTER_INTERRUPT)
        classifier = _classifier(args, method, hidden, seconds)
        if bar is not None and "callbacks" in classifier.get_params():
            classifier.callbacks = [bar.epoch]  # pyright: ignore[reportAttributeAccessIssue]
        trained = TableTraining.of(table, *parts, classifier, args.thresholds)
    say_of_table(args, table)
    for note in (*notes, *trained.notes):
        message(args, note)
    quality = trained.quality(args.seed)
    seconds = time.monotonic() - start
    record = {
        "method": method,
        "hidden": list(hidden),
        "seed": args.seed,
        "options": _given(args),
        **quality.to_json(),
        "selection": None if selection is None else selection.to_json(),
    }
    where = "" if args.table == "-" else args.table
    schema = trained.schema(sha256_of_table(args.table), where, record)
    _assert_possible(schema, trained)
    schema = save_network(classifier, path, schema)
    kept = {key: record[key] for key in record if key not in ("seed", "options")}
    document = {**kept, **trained.to_json(schema), "model": path, "seconds": seconds}
    if selection is not None and selection.interrupted:
        document["interrupted"] = True
    columns = [{"name": c.name, "kind": c.kind, "form": c.form} for c in table.columns]
    document["columns"] = columns
    lines = training_lines(document, quality, selection, table, classifier.network_)
    print_answer(args, document, lines)
    return 0


def _held_out(args: Namespace, labels: list[Any]) -> float | None:
    """The share of rows to hold out: a fifth, unless told otherwise or they are few."""
    if args.test is not None:
        return args.test or None
    most = max(Counter(labels).values())
    return _TEST if len(labels) >= _LEAST_ROWS and round(_TEST * most) > 0 else None


def _choose(  # noqa: PLR0913, PLR0917  # what the choice depends on
    args: Namespace, table: Table, train: Any, budget: Budget, bar: _Bar | None, notes: list[str]
) -> tuple[str, tuple[int, ...], Selection | None]:
    """The method and the widths: as given, else compared by cross-validation."""
    from tamecheck.learn.selection import FOLDS, WIDTHS, compare
    from tamecheck.learn.table import folds_of

    methods = ("tame", "ste", "mip") if args.method == "auto" else (args.method,)
    widths = [(width,) for width in WIDTHS] if args.hidden == "auto" else [args.hidden]
    usual = (4,) if args.method == "mip" else (8,)
    first = methods[0], usual if args.hidden == "auto" else args.hidden
    if len(methods) * len(widths) == 1:
        return *first, None
    folds = folds_of(table, train, args.thresholds, args.seed)
    if folds is None:
        notes.append("Too few rows to compare networks; the widths are the usual ones.")
        return *first, None

    def make(method: str, hidden: tuple[int, ...], seconds: float | None) -> BinarizedClassifier:
        return _classifier(args, method, hidden, seconds, comparing=True)

    found = compare(
        folds,
        [(method, hidden) for hidden in widths for method in methods],
        make,
        balanced=args.class_weight is not None,
        budget=budget if args.timeout is None else budget.part(args.timeout / 2),
        most=lambda method: _MOST_MIP if method == "mip" else None,
        show=(lambda _: None) if bar is None else bar.say,
    )
    if found is None:
        notes.append(f"Nothing was compared on {FOLDS} folds in time; the widths are the usual.")
        return *first, None
    if found.interrupted or found.late:
        count = len(found.candidates)
        why = "Ctrl-C" if found.interrupted else "the time"
        notes.append(f"The comparison was ended by {why}: {count} networks were compared.")
    if "mip" in methods and len(folds[0].train) > _MOST_MIP:
        notes.append(f"mip was compared with networks of {_MOST_MIP} rows of each fold.")
    return found.chosen.method, found.chosen.hidden, found


def _given(args: Namespace) -> dict[str, Any]:
    """The options that the network depends on, where they are given."""
    names = ("method", "hidden", "weights", "epochs", "solver", "nodes", "thresholds")
    names += ("class_weight", "test", "timeout")
    given = {name: getattr(args, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def _widths(text: str) -> tuple[int, ...] | str:
    if text == "auto":
        return text
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ArgumentTypeError(f"{text!r} are no widths such as 8 or 16,8, nor auto")
    return tuple(int(part) for part in parts)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no positive integer")
    return int(text)


def _output(args: Namespace) -> str:
    name = "table" if args.table == "-" else Path(args.table).name.split(".")[0]
    path = args.output or f"{name}-{args.method}.json"
    if not path.lower().endswith((".json", ".json.gz", ".onnx")):
        raise InputError("Models are saved as JSON or ONNX.", where=path)
    claim(args, path, "model")
    claim(args, f"{path}.features.json", "list of features")
    return path


def _assert_possible(schema: Schema, trained: TableTraining) -> None:
    """Make sure that every row of the table is one of those that the answers are about."""
    from tamecheck.explain.networks import network_of
    from tamecheck.explain.words import Vocabulary

    network, table = network_of(trained.classifier.to_model(), schema.pairs), trained.table
    domain = Vocabulary.of(schema).domain(network)
    domain.check_rows(network.states(schema.encode(table.rows)), table.origins)


def _classifier(
    args: Namespace,
    method: str,
    hidden: tuple[int, ...],
    seconds: float | None,
    *,
    comparing: bool = False,
) -> BinarizedClassifier:
    """The estimator that the options describe; where networks are compared, a quick one."""
    from tamecheck import learn

    options: dict[str, Any] = {"random_state": args.seed, "timeout": seconds, "hidden": hidden}
    options["class_weight"] = args.class_weight
    if args.weights is not None:
        options["weights"] = args.weights
    for name, parameter, methods in (
        ("epochs", "epochs", ("tame", "ste")),
        ("solver", "solver", ("mip",)),
        ("nodes", "max_nodes", ("mip",)),
    ):
        value = getattr(args, name)
        if value is not None:
            if args.method == "auto" and method not in methods:
                continue
            if method not in methods:
                text = f"--{name} is for --method {' and '.join(methods)}."
                raise InputError(text, where="train")
            options[parameter] = value
    if comparing and method == "mip":
        # what solvers add takes minutes, and what a clock ends is another network each time
        options |= {"solver": "annealing", "starts": 2, "timeout": seconds or _LONG}
    match method:
        case "tame":
            return learn.TameBinarizedClassifier(**options)
        case "ste":
            return learn.SteBinarizedClassifier(**options)
        case _:
            return learn.MIPBinarizedClassifier(**options)


class _Bar:
    """Draws on stderr what is going on."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar, self._task = bar, bar.add_task("training", total=None)

    def say(self, text: str) -> None:
        """Show a text."""
        self._bar.update(self._task, total=None, description=text)

    def epoch(self, report: Progress) -> None:
        """Show how far a training is."""
        text = f"epoch {report.epoch}, loss {report.loss:.4f}"
        self._bar.update(self._task, total=report.epochs, completed=report.epoch, description=text)


@contextmanager
def _bar(args: Namespace) -> Generator[_Bar | None]:
    """What draws the progress on stderr; None where nobody looks."""
    if args.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as RichProgress

    with RichProgress(console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar)


VERB = Verb(
    "train",
    "a binarized network from a table",
    _DESCRIPTION,
    (
        option("table", "TABLE", ".csv, .tsv, .data, .arff or .dat, also .gz; - is standard input"),
        option("--target", "COL", "the label: a name or a number, -1 the last column"),
        option("--method", None, "default: tame; auto compares all three",
            choices=("mip", "tame", "ste", "auto"), default="tame"),
        option("--hidden", "N,N",
            "widths of the hidden layers; auto, the default, compares 1, 2, 4, 8 and 16 neurons",
            type=_widths, default="auto"),
        option("--class-weight", None, "classes count alike in training and comparison, not rows",
            choices=("balanced",)),
        option("--test", "FRACTION",
            "hold out this share of rows as a test (default 0.2 from 50 rows on); 0 for none",
            type=_fraction),
        option("--weights", None, "default: real; binary with mip",
            choices=("real", "binary", "ternary")),
        option("--epochs", "N", "passes over the data (default 100)", type=_positive),
        option("--solver", None,
            "with mip: who trains (default auto: annealing, then CBC and HiGHS)",
            choices=("auto", "cbc", "highs", "annealing")),
        option("--nodes", "N",
            "with mip: the most nodes of a solver's tree, for the same result at any speed",
            type=_positive),
        option("--thresholds", "N", "the most thresholds of a numeric feature (default 4)",
            type=_positive, default=4),
        READING,
        output("-o --output", "FILE", "the model: .json, .json.gz or .onnx"),
    ),
    _run,
    answers=True,
)  # fmt: skip
