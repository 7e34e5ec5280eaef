"""Options about inputs: which can occur in a binarized network, and rows of a table."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tamecheck.cli.answer import message
from tamecheck.cli.options import Group, flag, option
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.binarized import ThresholdNetwork
    from tamecheck.explain import Explainer, ModelExplainer
    from tamecheck.explain.attributes import Attributes
    from tamecheck.explain.domain import Domain
    from tamecheck.loaders.samples import Sample
    from tamecheck.loaders.tables.rows import Table
    from tamecheck.loaders.tables.schema import Schema
    from tamecheck.model import Model


_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)

DOMAIN = (
    option("--domain", "LOW,HIGH",
        "the two levels of every input: -1,1 or 0,1; default: those of the training"),
    option("--names", "NAMES",
        "names of the inputs: a,b,c, or a file; default: MODEL.features.json, if train wrote "
        "one; - for none"),
    option("--one-hot", "GROUPS",
        "inputs of which exactly one is high: 0-2,3-5, or colour=0-2,size=3-5"),
    option("--thermometer", "GROUPS",
        "inputs that are high only if all before them are: 6-9, or age=6-9"),
)  # fmt: skip


CONSTRAINT = option("--constraint", "TEXT",
    "what cannot occur: 'a implies b' or 'a excludes b', in the domain's words, with and, or; "
    "'table': pairs of values that no row of --data has, though several would be expected; may be "
    "repeated", action="append", default=[])  # fmt: skip


INTEGERS = option("--integers", "I,J",
    "inputs of --box that take integers only, by number or name")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Naming:
    """What inputs and classes are called; None where that is not known."""

    names: list[str] | None = None
    classes: list[str] | None = None
    schema: Schema | None = None
    """What the inputs are made of, if that is known; names alone say nothing about groups."""
    inferred: bool = False
    """Whether the names are only those of the model's inputs, which say nothing about a table."""

    @classmethod
    def of(cls, schema: Schema) -> Naming:
        """What a file, or the model itself, says."""
        return cls(list(schema.features), list(schema.classes) or None, schema)


def levels_of(text: str) -> tuple[Fraction, Fraction]:
    """The low and the high level that ``--domain`` names."""
    from tamecheck.ir.exact import parse_rational

    words = text.split(",")
    if len(words) == 2:
        low, high = (parse_rational(word.strip()) for word in words)
        if low < high:
            return low, high
    raise InputError(
        f"--domain {text!r} is no pair of levels.", hint="The low one, then the high one: -1,1."
    )


def naming_of(args: Namespace, model: Model) -> Naming:
    """The names of ``--names``, else what is known of the model since its training.

    If there are none, inputs that are one number each have the names of the model's inputs.
    """
    from tamecheck.ir.tensor import size_of

    found = Naming()
    if args.names not in (None, "-"):
        found = _given(args.names)
    elif args.names is None and (schema := model.schema) is not None:
        if args.model is not None and Path(f"{args.model}.features.json").is_file():
            message(args, f"What the inputs say is read from {args.model}.features.json.")
        found = Naming.of(schema)
    if found.names is None:
        alone = not any(model.inputs.values())
        return Naming(list(model.inputs) if alone else None, found.classes, inferred=True)
    inputs = sum(map(size_of, model.inputs.values()))
    if len(found.names) != inputs:
        where = f"{args.model}.features.json" if args.names is None else "--names"
        raise InputError(f"{len(found.names)} names for {inputs} inputs.", where=where)
    return found


def _given(text: str) -> Naming:
    """The names of a list between commas, or of a file."""
    from tamecheck.loaders.files import read_text
    from tamecheck.loaders.json_model import parse_json
    from tamecheck.loaders.tables.schema_file import parse_schema

    if text.endswith(".json"):
        content = read_text(text)
        document = parse_json(content, where=text)
        if isinstance(document, list) and document:
            names = cast("list[Any]", document)
            if all(isinstance(name, str) for name in names):
                return Naming(names)
        return Naming.of(parse_schema(content, where=text))
    if not text.endswith(".txt") and not Path(text).is_file():
        return Naming([name.strip() for name in text.split(",")])
    return Naming([line.strip() for line in read_text(text).splitlines() if line.strip()])


def network_and_domain(
    args: Namespace, model: Model, naming: Naming, sample: Sample | None = None
) -> tuple[ThresholdNetwork, Domain]:
    """The binarized network that the model is, and what of its inputs can occur.

    Its levels are those of ``--domain``, those of the training, those of the columns of a table
    with two values each, or those of a model that only reads signs.  Groups that are given replace
    what is known of their inputs.
    """
    from tamecheck.explain.networks import Described, network_of, occurring_network
    from tamecheck.explain.words import Vocabulary

    given: Any = None if args.domain is None else levels_of(args.domain)
    if naming.schema is not None:
        said = Vocabulary.of(naming.schema)
        network = occurring_network(Described(model, naming.schema), given)
    else:
        said = Vocabulary()
        known = args.names != "-" or given is None
        if given is None and sample is not None and (not known or model.schema is None):
            given = sample.levels()
        network = network_of(model, given)
    one_hot = groups_of(args.one_hot, "--one-hot", network.inputs)
    thermometer = groups_of(args.thermometer, "--thermometer", network.inputs)
    taken = {i for group in (*one_hot.values(), *thermometer.values()) for i in group}
    domain = said.without(taken).domain(
        network, naming.names, one_hot=one_hot, thermometer=thermometer
    )
    if getattr(args, "constraint", None):
        domain = _constrained(args, network, domain, naming, sample)
    return network, domain


def _constrained(
    args: Namespace,
    network: ThresholdNetwork,
    domain: Domain,
    naming: Naming,
    sample: Sample | None,
) -> Domain:
    """The domain without what ``--constraint`` forbids."""
    from dataclasses import replace

    from tamecheck.explain.constraints import constrain, suggest
    from tamecheck.explain.row_reader import states_of

    given = [text for text in args.constraint if text.strip() != "table"]
    domain = constrain(domain, given, network, naming.names)
    if len(given) == len(args.constraint):
        return domain
    if sample is None:
        raise InputError("There is no table.", where="--constraint table", hint="Give --data.")
    rows = domain.code_rows(states_of(sample, network, domain, args.data))
    learned = suggest(domain, rows)
    for constraint in learned:
        message(args, f"No row of the table breaks: {constraint.text}.")
    if not learned:
        message(args, "The table suggests no constraint.")
    return replace(domain, constraints=(*domain.constraints, *learned))


def groups_of(text: str | None, option: str, inputs: int) -> dict[str, list[int]]:
    """Groups of inputs by name: ``0-2,3-5`` or ``colour=0-2,size=3-5``.

    A group without a name is called by its first and last input: ``x0..x2``.
    """
    groups: dict[str, list[int]] = {}
    for part in [] if text is None else text.split(","):
        name, _, numbers = part.rpartition("=")
        found = _RANGE.fullmatch(numbers.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            what = f"{part[:40]!r} is no group of inputs."
            raise InputError(what, where=option, hint="Give 0-2,3-5.")
        if last >= inputs:
            what = f"There is no input {last}; the network has {inputs}, from 0 on."
            raise InputError(what, where=option)
        groups[name.strip() or f"x{first}..x{last}"] = list(range(first, last + 1))
    return groups


def named_inputs(text: str, domain: Domain | Attributes, option: str) -> list[int]:
    """Inputs by number, or those of features by name; a name may hold commas."""
    named = {feature.name: feature.inputs for feature in domain.features}
    parts = text.split(",") if text.strip() else []
    found: list[int] = []
    while parts:
        counts = range(len(parts), 0, -1)
        count = next((n for n in counts if ",".join(parts[:n]).strip() in named), 0)
        part = ",".join(parts[: count or 1]).strip()
        if count:
            found += named[part]
        elif part.isascii() and part.isdigit() and int(part) < domain.inputs:
            found.append(int(part))
        elif part:
            near = get_close_matches(part, named, n=1)
            known = f"There are: {', '.join(map(repr, named))}."
            hint = f"Did you mean {near[0]!r}? {known}" if near else known
            raise InputError(f"There is no input or feature {part!r}.", where=option, hint=hint)
        del parts[: count or 1]
    return found


# --- rows of a table -----------------------------------------------------------------------------

_ABOUT_TABLES = ("target", "header", "sep", "decimal", "missing", "ignore")
_SHOWN = 5
_ROWS = re.compile(r"(-?\d{1,11})(?:\s*-\s*(-?\d{1,11}))?", re.ASCII)

SHAPE = option("--shape", "ROWS,COLUMNS", "the input is an image of this size")
_TARGET = "the label of --data: a name or a number (default: that of the training, else -1)"


READING = (
    Group(None, (
        flag("--no-header", "the first line of a CSV file is a row", dest="header",
            action="store_const", const=False),
        flag("--header", "it has the columns' names, although it looks like a row",
            action="store_const", const=True),
    )),
    option("--sep", "CHAR", "what is between the cells of a CSV file: ';', tab (default: seen)"),
    option("--decimal", None, "the decimal mark", choices=(".", ",")),
    option("--missing", "RULE",
        "empty cells, NA, None, ?: refuse (them), drop (their rows), level (categories of columns "
        "of texts), or level,drop (and leave out rows where a number is missing)",
        choices=("refuse", "drop", "level", "level,drop")),
    flag("--drop-missing", "the same as --missing drop", dest="missing", action="store_const",
        const="drop"),
    option("--ignore", "COL,COL", "leave out these columns, by name or number"),
)  # fmt: skip


def table_options(what: str) -> Group:
    """``--data --target`` and how the table is read; ``what`` says what the rows are for."""
    return Group(
        "rows of a table",
        (
            option("--data", "TABLE", f"{what}: .csv, .tsv, .data, .arff or .dat, also .gz; -"),
            option("--target", "COL", _TARGET),
            READING,
        ),
    )


def source_of(path: str) -> str | bytes:
    """A table's file; what standard input holds for ``-``, which is read once."""
    return path if path != "-" else _standard_input()


@cache
def _standard_input() -> bytes:
    import sys

    from tamecheck.loaders.files import gunzip

    return gunzip(sys.stdin.buffer.read(), "standard input")


def reading_of(args: Namespace, source: Any) -> dict[str, Any]:
    """How the options say that a table is read, as `read_table` takes it."""
    sep = args.sep
    if sep is not None:
        sep = {"tab": "\t", "\\t": "\t"}.get(sep, sep)
    missing = "error" if args.missing == "refuse" else args.missing
    reading: dict[str, Any] = {"header": args.header, "sep": sep}
    ignored = _columns(args.ignore, source, reading) if args.ignore else ()
    return {**reading, "decimal": args.decimal, "missing": missing, "ignore": ignored}


def _columns(text: str, source: Any, reading: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns between commas, by name or number; a name may hold commas."""
    from tamecheck.loaders.tables.rows import rows_of
    from tamecheck.loaders.tables.table import place_of

    raw = rows_of(source, **reading)
    parts, found = text.split(","), list[str]()
    while parts:
        counts = range(len(parts), 0, -1)
        count = next((n for n in counts if ",".join(parts[:n]).strip() in raw.names), 1)
        found.append(raw.names[place_of(raw, ",".join(parts[:count]).strip(), "--ignore")])
        del parts[:count]
    return tuple(found)


def shape_of(text: str | None) -> tuple[int, ...]:
    """Rows and columns of ``--shape``; nothing if it is not given."""
    if text is None:
        return ()
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise InputError(f"{text!r} are no rows and columns.", where="--shape", hint="Give 8,8.")
    return int(parts[0]), int(parts[1])


def row_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """The first and last of rows such as ``0,5,7-9,-1``, for argparse."""
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        ends = _ROWS.fullmatch(part.strip())
        if ends is None:
            raise ArgumentTypeError(f"{text!r} are no rows such as 0,5,7-9 or -1")
        low, high = int(ends[1]), int(ends[2] or ends[1])
        if low > high and (low < 0) == (high < 0):
            raise ArgumentTypeError(f"{part.strip()!r} are no rows: {low} is after {high}")
        found.append((low, high))
    return tuple(found)


ROWS = option("--rows", "ROWS",
    "these rows of --data, by their number in the file from 0, negative from its end: 0-9,-1",
    type=row_ranges)  # fmt: skip


def ranges(rows: Sequence[int]) -> str:
    """The text that `row_ranges` reads as these rows: ``0,5,7-9``."""
    found: list[list[int]] = []
    for row in rows:
        if found and found[-1][1] + 1 == row:
            found[-1][1] = row
        else:
            found.append([row, row])
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in found)


def say_of_table(args: Namespace, table: Table) -> None:
    """Say on stderr which rows were left out, and what else somebody should know of a table."""
    for note in table.notes:
        message(args, note)
    if table.left_out:
        first = ", ".join(str(row.origin) for row in table.left_out[:_SHOWN])
        more = ", ..." if table.dropped > _SHOWN else ""
        message(args, f"{table.dropped} rows with missing values are left out: {first}{more}.")


def sha256_of_table(path: str) -> str:
    """The SHA-256 of a table's text, whether its file is gzipped or not."""
    import hashlib

    from tamecheck.loaders.files import read_bytes

    source = source_of(path)
    return hashlib.sha256(source if isinstance(source, bytes) else read_bytes(path)).hexdigest()


def table_of_training(args: Namespace, schema: Schema | None) -> str | None:
    """The table that the model was trained on, if it is still there and unchanged."""
    training = None if schema is None else schema.training
    if training is None or not training.table or args.model is None:
        return None
    for place in (Path(training.table), Path(args.model).parent / Path(training.table).name):
        if place.is_file() and sha256_of_table(str(place)) == training.sha256:
            message(args, f"The table of the training is read: {place}; --data gives another.")
            return str(place)
    return None


def sample_from(args: Namespace, model: Model, schema: Schema | None) -> Sample | None:
    """The rows that ``--data`` names, as inputs of the model; None if it is not given.

    Without a schema and ``--target``, a table with a column for each input has no label.
    """
    from tamecheck.ir.tensor import size_of
    from tamecheck.loaders.samples import sample_of, unlabelled
    from tamecheck.loaders.tables.table import read_table
    from tamecheck.verification.decisions import deciding

    if args.data is None:
        for name in (*_ABOUT_TABLES, "rows"):
            if getattr(args, name, None) is not None:
                given = "--no-header" if getattr(args, name) is False else f"--{name}"
                raise InputError(f"{given} is about a table.", hint="Give one with --data.")
        return None
    scores = deciding(model).outputs
    inputs, outputs = (sum(map(size_of, s.values())) for s in (model.inputs, scores))
    source, target = source_of(args.data), args.target
    reading = reading_of(args, source)
    if schema is None and target is None and not reading["ignore"]:
        given = unlabelled(source, inputs, header=reading["header"], sep=reading["sep"])
        source, target = (source, -1) if given is None else (given, None)
    table = read_table(source, target=target, schema=schema, **reading)
    say_of_table(args, table)
    return sample_of(table, inputs, outputs, schema, where=args.data)


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """What is explained: points, what JSON says of each row, and its name in words."""

    points: list[Any]
    about: list[dict[str, Any]]
    names: list[str]


def chosen_rows(
    args: Namespace, model: Model, explainer: Explainer | ModelExplainer, sample: Sample | None
) -> ChosenRows:
    """The rows of the input file or of the table: one for a single input."""
    from tamecheck.explain.models import ModelExplainer
    from tamecheck.explain.row_reader import states_of
    from tamecheck.ir.tensor import size_of
    from tamecheck.loaders.samples import exact_points, read_rows

    if sample is None:
        points = read_rows(args.input, sum(map(size_of, model.inputs.values())))
        if len(points) == 1:
            return ChosenRows(points, [{"row": 0, "line": None}], [""])
        numbers = range(len(points))
        about = [{"row": row, "line": None} for row in numbers]
        return ChosenRows(points, about, [f"row {row}" for row in numbers])
    chosen = range(len(sample.origins)) if args.rows is None else sample.table.positions(args.rows)
    if isinstance(explainer, ModelExplainer):
        for row, point in zip(chosen, exact_points(sample)[list(chosen)], strict=True):
            explainer.domain.point(point.tolist(), where=f"{args.data}: {sample.origins[row]}")
    else:
        states_of(sample, explainer.network, explainer.domain, args.data)
    points, labels = exact_points(sample), [sample.label(row) for row in chosen]
    said = ["" if label is None else f", labelled {label}" for label in labels]
    return ChosenRows(
        [points[row] for row in chosen],
        [sample.about(row) for row in chosen],
        [f"{sample.origins[row]}{words}" for row, words in zip(chosen, said, strict=True)],
    )
