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
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.learn import Binariser, BinarizedClassifier, Progress
    from tamecheck.load.tables import Table

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
        "--target", default="-1", metavar="COL", help="the label: a name or a number (default -1)"
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
        "--drop-missing", action="store_true", help="leave out rows with missing values"
    )
    add_output(parser, "-o", "--output", metavar="FILE", help="the model: .json, .json.gz or .onnx")
    add_common(parser, answers=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Read the table, train, save the model, print what came of it."""
    import numpy as np

    from tamecheck.load.tables import read_table

    missing = "drop" if args.drop_missing else "error"
    table = read_table(args.table, target=args.target, header=not args.no_header, missing=missing)
    if table.dropped:
        message(args, f"{table.dropped} rows with missing values are left out.")
    train, test = _split(table, args.test, args.seed)
    output = _output(args)
    start = time.monotonic()
    binariser = _binariser(args, table, train)
    classifier = _classifier(args)
    x = _signs(binariser, table.rows[train])
    for note in _trained(args, classifier, x, table.labels[train]):
        message(args, note)
    seconds = time.monotonic() - start
    held_out = None
    if len(test):
        held_out = _accuracy(classifier, _signs(binariser, table.rows[test]), table.labels[test])
    features = list(table.names) if binariser is None else _literals(binariser)
    classes = [str(c) for c in np.asarray(classifier.classes_).tolist()]
    said: dict[str, Any] = {"features": features, "classes": classes}
    if binariser is not None:
        said["negations"] = _literals(binariser, holds=False)
        said["values"] = _values(binariser, table)
    _save(classifier, said, output)
    document = {
        "method": args.method,
        "train_accuracy": _accuracy(classifier, x, table.labels[train]),
        "test_accuracy": held_out,
        "bound": _bound(classifier),
        "model": output,
        "seconds": seconds,
        "interrupted": classifier.interrupted_,
        "rows": {"train": len(train), "test": len(test), "dropped": table.dropped},
        "features": features,
        "classes": classes,
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


def _split(table: Table, fraction: float | None, seed: int) -> tuple[Any, Any]:
    """The numbers of the rows to train on, and of those to test on, classes in proportion."""
    import numpy as np

    every = np.arange(len(table.labels))
    if fraction is None:
        return every, every[:0]
    rng = np.random.default_rng(seed)
    test: list[int] = []
    for label in np.unique(table.labels):
        rows = rng.permutation(every[table.labels == label])
        test += rows[: round(fraction * len(rows))].tolist()
    if not test or len(test) == len(every):
        raise InputError(
            f"--test {fraction:g} leaves no rows to {'test' if not test else 'train'}.",
            where=f"{len(every)} rows",
        )
    return np.setdiff1d(every, test), np.sort(np.array(test, dtype=np.int64))


def _binariser(args: Namespace, table: Table, train: Any) -> Binariser | None:
    """The binariser of the features; None if they are signs already."""
    import numpy as np

    from tamecheck.learn import Binariser

    if table.rows.dtype != object and bool(np.isin(table.rows, (-1.0, 1.0)).all()):
        return None
    # rows that are held out may have a category that no other row has
    unknown = "error" if len(train) == len(table.rows) else "none"
    binariser = Binariser(thresholds=args.thresholds, names=table.names, unknown=unknown)
    return binariser.fit(table.rows[train])


def _signs(binariser: Binariser | None, rows: Any) -> Any:
    return rows if binariser is None else binariser.transform(rows)


def _literals(binariser: Binariser, *, holds: bool = True) -> list[str]:
    return [binariser.literal(output, holds=holds) for output in range(len(binariser.bits_))]


def _values(binariser: Binariser, table: Table) -> dict[str, list[str]]:
    """The values of features all of which the thresholds tell apart, also in held-out rows."""
    from tamecheck.learn import Binariser

    whole = Binariser(thresholds=binariser.thresholds, names=table.names).fit(table.rows).values()
    known = binariser.values()
    return {name: list(found) for name, found in known.items() if whole.get(name) == found}


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


def _accuracy(classifier: BinarizedClassifier, x: Any, labels: Any) -> float:
    import numpy as np

    hits: Any = np.asarray(classifier.predict(x) == labels)
    return float(hits.mean())


def _bound(classifier: BinarizedClassifier) -> float | None:
    """The proved bound on the training loss, of those methods that prove one."""
    bound = getattr(classifier, "bound_", None)
    return None if bound is None else float(bound)


def _save(classifier: BinarizedClassifier, said: dict[str, Any], output: str) -> None:
    """Write the model and what its inputs say: both or neither."""
    from tamecheck.learn.onnx_export import onnx_bytes
    from tamecheck.load.json_model import graph_bytes
    from tamecheck.load.outputs import write_files

    if output.lower().endswith(".onnx"):
        model = onnx_bytes(classifier.network_)
    else:
        model = graph_bytes(classifier.to_model().graph)
    write_files(
        {
            output: model,
            f"{output}.features.json": json_line({"format": "tamecheck-features", **said}),
        }
    )


def _print(args: Namespace, document: dict[str, Any], classifier: BinarizedClassifier) -> None:
    test = document["test_accuracy"]
    parts = [f"{document['method']}: train accuracy {document['train_accuracy']:.4f}"]
    if test is not None:
        parts.append(f"test accuracy {test:.4f}")
    if document["bound"] is not None:
        parts.append(f"proved bound on the training loss {document['bound']:g}")
    print(", ".join(parts))
    if args.quiet:
        return
    print(f"{document['model']}: {classifier.network_}")
    print(f"{document['model']}.features.json: what its {len(document['features'])} inputs say")
