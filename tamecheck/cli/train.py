"""``tamecheck train``: a binarized network from a table."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, message, print_answer
from tamecheck.cli.inputs import READING, reading_of, say_of_table, sha256_of_table, source_of
from tamecheck.cli.options import Verb, option, output
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.learn import BinarizedClassifier, Progress
    from tamecheck.learn.table import TableTraining
    from tamecheck.loaders.tables.schema import Schema


_DESCRIPTION = """\
Train a binarized network on a table (CSV, ARFF, KEEL; also .gz) and save it as a model whose inputs
are signs.  Features that are no signs become statements such as age >= 37 or colour = red, which
are listed in the answer and beside the model, in FILE.features.json.

methods: mip    mixed-integer programming, with a proved bound on the training loss
         tame   backpropagation through elastic value functions
         ste    the straight-through estimator, a baseline

Ctrl-C ends training with the best network so far, which is saved.

exit codes: 0 done, 2 the table or an option cannot be used,
            130 interrupted before there is a network"""


def _run(args: Namespace) -> int:
    """Read the table, train, save the model, print what came of it."""
    from tamecheck.learn.table import TableTraining, save_network, split
    from tamecheck.loaders.tables.rows import rows_of
    from tamecheck.loaders.tables.table import listing, read_table
    from tamecheck.show.training import columns_text

    path = _output(args)
    source = source_of(args.table)
    reading = reading_of(args, source)
    raw = rows_of(source, header=reading["header"], sep=reading["sep"])
    target = raw.target if args.target is None else args.target
    if target is None:
        raise InputError("Which column is the label? Say --target COL.", hint=listing(raw))
    table = read_table(raw, target=target, **reading)
    parts = split(table.labels, args.test, args.seed)
    start = time.monotonic()
    classifier = _classifier(args)
    with _bar(args) as show:
        if show is not None and "callbacks" in classifier.get_params():
            classifier.callbacks = [show]  # pyright: ignore[reportAttributeAccessIssue]
        trained = TableTraining.of(table, *parts, classifier, args.thresholds)
    say_of_table(args, table)
    for note in trained.notes:
        message(args, note)
    seconds = time.monotonic() - start
    schema = trained.schema(sha256_of_table(args.table))
    _assert_possible(schema, trained)
    schema = save_network(classifier, path, schema)
    named = {"model": path, "seconds": seconds}
    document = {"method": args.method, **trained.to_json(schema), **named}
    said = f"{len(table.origins)} rows: {columns_text(table)}."
    print_answer(args, document, [*_lines(document, classifier), said])
    return 0


def _lines(document: dict[str, Any], classifier: BinarizedClassifier) -> Iterator[str]:
    test = document["test_accuracy"]
    parts = [f"{document['method']}: train accuracy {document['train_accuracy']:.4f}"]
    if test is not None:
        most = document["baselines"]["majority"]
        parts.append(f"test accuracy {test:.4f} (always {most['class']}: {most['accuracy']:.4f})")
    if document["bound"] is not None:
        parts.append(f"proved bound on the training loss {document['bound']:g}")
    yield ", ".join(parts)
    yield f"{document['model']}: {classifier.network_}"
    yield f"{document['model']}.features.json: what its {len(document['features'])} inputs say"


def _widths(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ArgumentTypeError(f"{text!r} are no widths such as 8 or 16,8")
    return tuple(int(part) for part in parts)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
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


def _classifier(args: Namespace) -> BinarizedClassifier:
    """The estimator that the options describe."""
    from tamecheck import learn

    options: dict[str, Any] = {"random_state": args.seed, "timeout": args.timeout}
    if args.hidden is not None or args.method != "mip":
        options["hidden"] = args.hidden or (8,)
    if args.weights is not None:
        options["weights"] = args.weights
    for name, parameter, methods in (
        ("epochs", "epochs", ("tame", "ste")),
        ("solver", "solver", ("mip",)),
        ("nodes", "max_nodes", ("mip",)),
    ):
        value = getattr(args, name)
        if value is not None:
            if args.method not in methods:
                text = f"--{name} is for --method {' and '.join(methods)}."
                raise InputError(text, where="train")
            options[parameter] = value
    match args.method:
        case "tame":
            return learn.TameBinarizedClassifier(**options)
        case "ste":
            return learn.SteBinarizedClassifier(**options)
        case _:
            return learn.MIPBinarizedClassifier(**options)


@contextmanager
def _bar(args: Namespace) -> Generator[Callable[[Progress], None] | None]:
    """A callback that draws the progress on stderr; None where nobody looks."""
    if args.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=None)

        def show(report: Progress) -> None:
            text = f"epoch {report.epoch}, loss {report.loss:.4f}"
            bar.update(task, total=report.epochs, completed=report.epoch, description=text)

        yield show


VERB = Verb(
    "train",
    "a binarized network from a table",
    _DESCRIPTION,
    (
        option("table", "TABLE", ".csv, .tsv, .data, .arff or .dat, also .gz; - is standard input"),
        option("--target", "COL", "the label: a name or a number, -1 the last column"),
        option("--method", None, "default: tame", choices=("mip", "tame", "ste"), default="tame"),
        option("--hidden", "N,N", "widths of the hidden layers (default 8; with mip 4)",
            type=_widths),
        option("--test", "FRACTION", "hold out this share of rows as a test", type=_fraction),
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
