"""Rows of a table, or images, as inputs of a model: options, and what they name."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message
from tamecheck.cli.options import Group, flag, option
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.explain import Explainer
    from tamecheck.loaders.samples import Sample
    from tamecheck.loaders.tables.rows import Table
    from tamecheck.loaders.tables.schema import Schema
    from tamecheck.model import Model

__all__ = [
    "SHAPE",
    "ChosenRows",
    "chosen_rows",
    "ranges",
    "row_numbers",
    "sample_from",
    "say_left_out",
    "sha256_of_table",
    "shape_of",
    "table_options",
]

_ABOUT_TABLES = ("target", "no_header", "drop_missing")
_SHOWN = 5
_DIGITS = 12
_MOST_ROWS = 2**24

SHAPE = option("--shape", "ROWS,COLUMNS", "the input is an image of this size")
_TARGET = "the label of --data: a name or a number (default: that of the training, else -1)"


def table_options(what: str) -> Group:
    """``--data --target --no-header --drop-missing``; ``what`` says what the rows are for."""
    return Group(
        "rows of a table",
        (
            option("--data", "TABLE", f"{what}: .csv, .tsv, .data, .arff or .dat, also .gz"),
            option("--target", "COL", _TARGET),
            flag("--no-header", "the first line of a CSV file is a row"),
            flag("--drop-missing", "leave out rows with missing values"),
        ),
    )


def shape_of(text: str | None) -> tuple[int, ...]:
    """Rows and columns of ``--shape``; nothing if it is not given."""
    if text is None:
        return ()
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise InputError(f"{text!r} are no rows and columns.", where="--shape", hint="Give 8,8.")
    return int(parts[0]), int(parts[1])


def row_numbers(text: str) -> tuple[int, ...]:
    """Rows such as ``0,5,7-9``, for argparse."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        ends = [first, last] if dash else [first, first]
        if not all(end.isascii() and end.isdigit() and len(end) < _DIGITS for end in ends):
            raise ArgumentTypeError(f"{text!r} are no rows such as 0,5,7 or 0-9")
        low, high = map(int, ends)
        if low > high:
            raise ArgumentTypeError(f"{part.strip()!r} are no rows: {low} is after {high}")
        if high - low + len(found) >= _MOST_ROWS:
            raise ArgumentTypeError(f"{text!r} are more than {_MOST_ROWS} rows")
        found += range(low, high + 1)
    return tuple(found)


def ranges(rows: Sequence[int]) -> str:
    """The text that `row_numbers` reads as these rows: ``0,5,7-9``."""
    found: list[list[int]] = []
    for row in rows:
        if found and found[-1][1] + 1 == row:
            found[-1][1] = row
        else:
            found.append([row, row])
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in found)


def say_left_out(args: Namespace, table: Table) -> None:
    """Say on stderr which rows were left out."""
    if table.left_out:
        first = ", ".join(str(row.origin) for row in table.left_out[:_SHOWN])
        more = ", ..." if table.dropped > _SHOWN else ""
        message(args, f"{table.dropped} rows with missing values are left out: {first}{more}.")


def sha256_of_table(path: str) -> str:
    """The SHA-256 of a table's text, whether its file is gzipped or not."""
    import hashlib

    from tamecheck.loaders.files import read_bytes

    return hashlib.sha256(read_bytes(path)).hexdigest()


def sample_from(args: Namespace, model: Model, schema: Schema | None) -> Sample | None:
    """The rows that ``--data`` names, as inputs of the model; None if it is not given.

    Without a schema and ``--target``, a table with a column for each input has no label.
    """
    from tamecheck.explain.networks import deciding
    from tamecheck.ir.tensor import size_of
    from tamecheck.loaders.samples import sample_of, unlabelled
    from tamecheck.loaders.tables.table import read_table

    if args.data is None:
        for name in (*_ABOUT_TABLES, "rows"):
            if getattr(args, name, None) not in (None, False):
                given = f"--{name.replace('_', '-')}"
                raise InputError(f"{given} is about a table.", hint="Give one with --data.")
        return None
    scores = deciding(model).outputs
    inputs, outputs = (sum(map(size_of, s.values())) for s in (model.inputs, scores))
    source, target, header = args.data, args.target, not args.no_header
    if schema is None and target is None:
        source = unlabelled(args.data, inputs, header=header)
        source, target = (args.data, -1) if source is None else (source, None)
    missing = "drop" if args.drop_missing else "error"
    table = read_table(source, target=target, header=header, missing=missing, schema=schema)
    say_left_out(args, table)
    return sample_of(table, inputs, outputs, schema, where=args.data)


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """What is explained: points, what JSON says of each row, and its name in words."""

    points: list[Any]
    about: list[dict[str, Any]]
    names: list[str]


def chosen_rows(
    args: Namespace, model: Model, explainer: Explainer, sample: Sample | None
) -> ChosenRows:
    """The rows of the input file or of the table: one for a single input."""
    from tamecheck.explain.row_reader import states_of
    from tamecheck.ir.tensor import size_of
    from tamecheck.loaders.arrays import read_rows
    from tamecheck.loaders.samples import exact_points

    if sample is None:
        points = read_rows(args.input, sum(map(size_of, model.inputs.values())))
        if len(points) == 1:
            return ChosenRows(points, [{}], [""])
        numbers = range(len(points))
        about = [{"row": row, "line": None} for row in numbers]
        return ChosenRows(points, about, [f"row {row}" for row in numbers])
    chosen = range(len(sample.origins)) if args.rows is None else sample.table.positions(args.rows)
    states_of(sample, explainer.network, explainer.domain, args.data)
    points, labels = exact_points(sample), [sample.label(row) for row in chosen]
    said = ["" if label is None else f", labelled {label}" for label in labels]
    return ChosenRows(
        [points[row] for row in chosen],
        [sample.about(row) for row in chosen],
        [f"{sample.origins[row]}{words}" for row, words in zip(chosen, said, strict=True)],
    )
