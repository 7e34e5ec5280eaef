"""Rows of a table, or images, as inputs of a model, from the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

from tamecheck.cli.answer import message
from tamecheck.cli.options import Parser
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.load.samples import Sample, Sidecar
    from tamecheck.model import Model

__all__ = ["add_shape", "add_table", "row_numbers", "sample_from", "shape_of"]

_ABOUT_TABLES = ("target", "no_header", "drop_missing")


def add_table(parser: Parser, *, what: str) -> None:
    """Add ``--data --target --no-header --drop-missing``; ``what`` says what the rows are for."""
    group = parser.add_argument_group("rows of a table")
    group.add_argument(
        "--data", metavar="TABLE", help=f"{what}: .csv, .tsv, .data, .arff or .dat, also .gz"
    )
    group.add_argument(
        "--target", metavar="COL", help="the label of --data: a name or a number (default -1)"
    )
    group.add_argument(
        "--no-header", action="store_true", help="the first line of a CSV file is a row"
    )
    group.add_argument(
        "--drop-missing", action="store_true", help="leave out rows with missing values"
    )


def add_shape(parser: Parser) -> None:
    """Add ``--shape``."""
    parser.add_argument(
        "--shape", metavar="ROWS,COLUMNS", help="the input is an image of this size"
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
    """Rows such as ``0,5,7``, for argparse."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ArgumentTypeError(f"{text!r} are no rows such as 0,5,7")
    return tuple(int(part) for part in parts)


def sample_from(args: Namespace, model: Model, sidecar: Sidecar | None) -> Sample | None:
    """The rows that ``--data`` names, as inputs of the model; None if it is not given.

    Raises
    ------
    InputError
        If the table cannot be read or does not fit the model, or there is none to which the other
        options could belong.
    """
    from tamecheck.explain.networks import deciding
    from tamecheck.ir.tensor import size_of
    from tamecheck.load.samples import sample_of
    from tamecheck.load.tables import read_table

    if args.data is None:
        for name in (*_ABOUT_TABLES, "rows"):
            if getattr(args, name, None) not in (None, False):
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is about a table.", hint="Give one with --data.")
        return None
    table = read_table(
        args.data,
        target=-1 if args.target is None else args.target,
        header=not args.no_header,
        missing="drop" if args.drop_missing else "error",
    )
    if table.dropped:
        message(args, f"{table.dropped} rows with missing values are left out.")
    scores = deciding(model).outputs
    inputs, outputs = (sum(map(size_of, s.values())) for s in (model.inputs, scores))
    return sample_of(table, inputs, outputs, sidecar, where=args.data)
