"""``tamecheck train``: a binarized network from a table."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, json_line, message, print_json
from tamecheck.cli.options import Subparsers, add_common, add_output
from tamecheck.cli.table import say_left_out, sha256_of_table
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.learn import Binariser, BinarizedClassifier, Progress
    from tamecheck.loaders.tables.rows import Table
    from tamecheck.loaders.tables.schema import Schema

__all__ = ["add_parser", "run"]

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

_METHODS = ("mip", "tame", "ste")


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "train", help="a binarized network from a table", description=_DESCRIPTION
    )
    parser.add_argument("table", metavar="TABLE", help=".csv, .tsv, .data, .arff or .dat, also .gz")
    parser.add_argument(
        "--target", metavar="COL", help="the label: a name or a number (default: the last column)"
    )
    parser.add_argument("--method", choices=_METHODS, default="tame", help="default: tame")
    parser.add_argument(
        "--hidden",
        type=_widths,
        metavar="N,N",
        help="widths of the hidden layers (default 8; with mip 4)",
    )
    parser.add_argument(
        "--test", type=_fraction, metavar="FRACTION", help="hold out this share of rows as a test"
    )
    parser.add_argument(
        "--weights", choices=("real", "binary", "ternary"), help="default: real; binary with mip"
    )
    parser.add_argument(
        "--epochs", type=_positive, metavar="N", help="passes over the data (default 100)"
    )
    parser.add_argument(
        "--solver",
        choices=("auto", "cbc", "highs", "annealing"),
        help="with mip: who trains (default auto: annealing, then CBC and HiGHS)",
    )
    parser.add_argument(
        "--nodes",
        type=_positive,
        metavar="N",
        help="with mip: the most nodes of a solver's tree, for the same result at any speed",
    )
    parser.add_argument(
        "--thresholds", type=_positive, default=4, metavar="N",
        help="the most thresholds of a numeric feature (default 4)",
    )  # fmt: skip
    parser.add_argument(
        "--no-header", action="store_true", help="the first line of a CSV file is a row"
    )
    parser.add_argument(
        "--missing", choices=("refuse", "drop", "level"), default="refuse",
        help="values such as NA: refuse them, leave out their rows, or take them as categories",
    )  # fmt: skip
    parser.add_argument(
        "--drop-missing", dest="missing", action="store_const", const="drop",
        help="the same as --missing drop",
    )  # fmt: skip
    add_output(parser, "-o", "--output", metavar="FILE", help="the model: .json, .json.gz or .onnx")
    add_common(parser, answers=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Read the table, train, save the model, print what came of it."""
    import numpy as np

    from tamecheck.learn.held_out import scores_of, split
    from tamecheck.loaders.tables.table import read_table

    missing = "error" if args.missing == "refuse" else args.missing
    target = -1 if args.target is None else args.target
    table = read_table(args.table, target=target, header=not args.no_header, missing=missing)
    say_left_out(args, table)
    train, test = split(table.labels, args.test, args.seed)
    output = _output(args)
    start = time.monotonic()
    binariser = _binariser(args, table, train)
    classifier = _classifier(args)
    x = _signs(binariser, table.rows[train])
    for note in _trained(args, classifier, x, table.labels[train]):
        message(args, note)
    seconds = time.monotonic() - start
    classes = tuple(str(c) for c in np.asarray(classifier.classes_).tolist())
    schema = _schema(args, table, binariser, classes, test)
    _assert_possible(schema, classifier, table)
    schema = _saved(classifier, output, schema)
    names, counts = np.unique(table.labels[train], return_counts=True)
    majority = names[counts.argmax()]
    own = scores_of(classifier, x, table.labels[train], majority)
    held_out = None
    if len(test):
        kept = _signs(binariser, table.rows[test])
        held_out = scores_of(classifier, kept, table.labels[test], majority)
    document: dict[str, Any] = {
        "method": args.method,
        "train_accuracy": own.accuracy,
        "test_accuracy": None if held_out is None else held_out.accuracy,
        "held_out": None if held_out is None else held_out.document(),
        "baselines": {
            "majority": {
                "class": str(majority),
                "train_accuracy": own.majority,
                "accuracy": None if held_out is None else held_out.majority,
            }
        },
        "bound": _bound(classifier),
        "model": output,
        "seconds": seconds,
        "interrupted": classifier.interrupted_,
        "rows": {
            "train": len(train),
            "test": len(test),
            "dropped": table.dropped,
        },
        "left_out": [row.document() for row in table.left_out],
        "test_rows": [] if schema.training is None else list(schema.training.held_out),
        "features": list(schema.features),
        "classes": list(classes),
    }
    inner = getattr(classifier, "inner_", None)
    if inner is not None:
        document["inner"] = inner
    if args.json:
        print_json(document)
    else:
        _print(args, document, classifier)
    return 0


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
    output = args.output or f"{Path(args.table).name.split('.')[0]}-{args.method}.json"
    if not output.lower().endswith((".json", ".json.gz", ".onnx")):
        raise InputError("Models are saved as JSON or ONNX.", where=output)
    claim(args, output, "model")
    claim(args, f"{output}.features.json", "list of features")
    return output


def _binariser(args: Namespace, table: Table, train: Any) -> Binariser | None:
    """The binariser of the features; None if they are signs already."""
    import numpy as np

    from tamecheck.learn import Binariser

    if table.rows.dtype != object and bool(np.isin(table.rows, (-1.0, 1.0)).all()):
        return None
    # rows that are held out may have categories that no other row has; they can occur
    texts = {
        c.name: sorted(set(table.rows[:, k].tolist()))
        for k, c in enumerate(table.columns)
        if c.categories is not None
    }
    return Binariser(thresholds=args.thresholds, names=table.names, categories=texts).fit(
        table.rows[train]
    )


def _signs(binariser: Binariser | None, rows: Any) -> Any:
    return rows if binariser is None else binariser.transform(rows)


def _schema(
    args: Namespace, table: Table, binariser: Binariser | None, classes: tuple[str, ...], test: Any
) -> Schema:
    """What the inputs are made of: columns with their places in the file, statements, groups."""
    from dataclasses import replace

    from tamecheck.loaders.tables.schema import Bit, Group, Schema, Target, Training

    total = len(table.origins) + table.dropped
    held_out = tuple(table.origins[int(k)].row for k in test)
    training = Training(sha256_of_table(args.table), total, held_out)
    target = Target(table.target, table.place or 0, table.labels.dtype.kind in "if")
    if binariser is None:
        made = Schema(
            table.columns,
            tuple(Bit(k, c.name, levels=(-1.0, 1.0)) for k, c in enumerate(table.columns)),
            tuple(Group("free", c.name, (k,)) for k, c in enumerate(table.columns)),
        )
    else:
        made = binariser.schema()
        columns: list[Any] = []
        for k, (column, own) in enumerate(zip(made.columns, table.columns, strict=True)):
            # a value that only held-out rows have can occur, and has no place among the others
            known = column.values if set(table.rows[:, k].tolist()) <= set(column.values) else ()
            columns.append(replace(column, index=own.index, values=known))
        made = replace(made, columns=tuple(columns))
    return replace(made, classes=classes, target=target, training=training)


def _assert_possible(schema: Schema, classifier: BinarizedClassifier, table: Table) -> None:
    """Make sure that every row of the table is one of those that the answers are about."""
    from tamecheck.explain.networks import network_of
    from tamecheck.explain.words import Vocabulary

    network = network_of(classifier.to_model(), schema.pairs)
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
                raise InputError(
                    f"--{name} is for --method {' and '.join(methods)}.", where="train"
                )
            options[parameter] = value
    match args.method:
        case "tame":
            return learn.TameBinarizedClassifier(**options)
        case "ste":
            return learn.SteBinarizedClassifier(**options)
        case _:
            return learn.MIPBinarizedClassifier(**options)


def _trained(args: Namespace, classifier: BinarizedClassifier, x: Any, labels: Any) -> list[str]:
    """Train, with a bar on a terminal; what there is to say about it."""
    import warnings

    with warnings.catch_warnings(record=True) as caught, _bar(args) as show:
        warnings.simplefilter("always")
        if show is not None and "callbacks" in classifier.get_params():
            classifier.callbacks = [show]  # pyright: ignore[reportAttributeAccessIssue]
        classifier.fit(x, labels)
    return [str(warning.message) for warning in caught]


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


def _bound(classifier: BinarizedClassifier) -> float | None:
    """The proved bound on the training loss, of those methods that prove one."""
    bound = getattr(classifier, "bound_", None)
    return None if bound is None else float(bound)


def _saved(classifier: BinarizedClassifier, output: str, schema: Schema) -> Schema:
    """Write the model, and what its inputs are made of, with the model's hash: both or neither."""
    from dataclasses import replace

    from tamecheck.loaders.json_model import graph_bytes
    from tamecheck.loaders.onnx import load_onnx
    from tamecheck.loaders.outputs import write_files
    from tamecheck.loaders.tables.schema_file import schema_document

    graph = classifier.to_model().graph
    if output.lower().endswith(".onnx"):
        data = classifier.network_.onnx_bytes(schema)
        graph = load_onnx(data, where=output).graph
    else:
        data = graph_bytes(graph)
    found = replace(schema, model=graph.sha256)
    write_files({output: data, f"{output}.features.json": json_line(schema_document(found))})
    return found


def _print(args: Namespace, document: dict[str, Any], classifier: BinarizedClassifier) -> None:
    test = document["test_accuracy"]
    parts = [f"{document['method']}: train accuracy {document['train_accuracy']:.4f}"]
    if test is not None:
        most = document["baselines"]["majority"]
        parts.append(f"test accuracy {test:.4f} (always {most['class']}: {most['accuracy']:.4f})")
    if document["bound"] is not None:
        parts.append(f"proved bound on the training loss {document['bound']:g}")
    print(", ".join(parts))
    if args.quiet:
        return
    print(f"{document['model']}: {classifier.network_}")
    print(f"{document['model']}.features.json: what its {len(document['features'])} inputs say")


class _Train:
    """The verb, until its options are declared."""

    add_to = staticmethod(add_parser)


VERB = _Train()
