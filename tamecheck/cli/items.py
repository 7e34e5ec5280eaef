"""Which items the arguments name, by folders, patterns and lists; ``tamecheck merge`` of parts."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import itertools
import json
import os
import re
import stat
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from tamecheck.cli.answer import claim, print_answer
from tamecheck.cli.options import Parser, Place, Verb, option, output
from tamecheck.errors import InputError, first_few

FORMAT = "tamecheck-answers"
Line: TypeAlias = dict[str, Any]
"""The answer about an item, as JSON."""

_PATTERN = re.compile(r"[*?\[]")
_FORMAT = re.compile(r'"format"\s*:\s*"([^"]*)"')
_COLUMNS = {"onnx": "model", "vnnlib": "spec"}
"""What the columns of other people's lists are called."""
_ALONE = ("vnncomp", "resume", "serialise_assignments", "plot")
"""Options that are about one answer."""


@dataclass(frozen=True, slots=True)
class Item:
    """One of many: its number, what the list says of it, and what that means to the verb."""

    number: int
    given: Mapping[str, str]
    values: Mapping[str, Any]


def names_many(args: Namespace) -> bool:
    """Whether the arguments name items by a folder, a pattern, a list, or one by one."""
    return bool(args.more) or any(
        _is_many(place, value)
        for place in args.many
        if (value := getattr(args, place.name)) is not None
    )


def _is_many(place: Place, text: str) -> bool:
    if _kind(text) == "file":
        return _is_list(place, text)
    return _kind(text) == "folder" or _PATTERN.search(text) is not None or _is_list(place, text)


def _kind(text: str) -> Literal["file", "folder"] | None:
    """What is there under a name; None if nothing is, or can be."""
    try:
        found = os.stat(text).st_mode  # noqa: PTH116 (an empty name is no folder)
    except (OSError, ValueError):
        return None
    return "folder" if stat.S_ISDIR(found) else "file"


def _is_list(place: Place, text: str) -> bool:
    return place.listed and text.lower().endswith((".csv", ".csv.gz"))


def items_of(args: Namespace) -> list[Item]:
    """The items that the arguments name, in order: every model with every property."""
    for name in _ALONE:
        if getattr(args, name, None) is not None:
            option = name.replace("_", "-")
            raise InputError(f"--{option} is about one answer, not about many.", where=args.verb)
    if getattr(args, "expr", None) is not None and args.model is not None:
        raise InputError("Many items are files; an expression is one.", where=args.verb)
    last = [place for place in args.many if place.listed][-1].name
    columns: list[list[dict[str, str]]] = []
    for place in args.many:
        value: str | None = getattr(args, place.name)
        if value is not None:
            names = (value, *args.more) if place.name == last else (value,)
            rows = [row for name in names for row in _rows(place, name, args)]
            columns.append(rows)
        elif place.name == last and args.more:
            raise InputError("Too many files are given.", where=args.verb)
    found: list[Item] = []
    for number, rows in enumerate(itertools.product(*columns)):
        given: dict[str, str] = {}
        for row in rows:
            if twice := given.keys() & row:
                raise InputError(f"Two lists have a column {min(twice)!r}.", where=args.verb)
            given |= row
        found.append(Item(number, given, _values(given, args)))
    return found


def _values(given: Mapping[str, str], args: Namespace) -> dict[str, Any]:
    """What the cells of a line mean: files as they are, options as the verb reads them."""
    places = {place.name for place in args.many}
    options = tuple((name, text) for name, text in given.items() if name not in places)
    return {**{k: v for k, v in given.items() if k in places}, **_read(args.options, options)}


@cache
def _read(parser: Parser, options: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return parser.read_options(dict(options)) if options else {}


def _rows(place: Place, text: str, args: Namespace) -> list[dict[str, str]]:
    """The lines of a list, or the files of a folder or of a pattern, or one file."""
    if not _is_many(place, text):
        return [{place.name: text}]
    if _is_list(place, text):
        return _lines(text, args)
    if _kind(text) == "folder":
        meant = place
        if getattr(args, "network", None):
            meant = Place(place.name, (".vnnlib",))
        files = [str(one) for one in sorted(Path(text).rglob("*")) if _is_meant(one, meant)]
        what = f"The folder has no files {', '.join(meant.suffixes)} for {args.verb!r}."
    else:
        named = glob.glob(text, recursive=True)  # noqa: PTH207 (in any folder)
        files = sorted(one for one in named if _kind(one) == "file")
        what = "No file has a name of this pattern."
    if not files:
        raise InputError(what, where=text)
    return [{place.name: one} for one in files]


def _is_meant(path: Path, place: Place) -> bool:
    """Whether a file of a folder is one of those that a verb is about."""
    name = path.name.lower().removesuffix(".gz")
    if name.startswith(".") or not name.endswith(place.suffixes) or not path.is_file():
        return False
    # other JSON files are certificates, answers, names of features
    return not (place.listed and name.endswith(".json")) or _says_model(path)


def _says_model(path: Path) -> bool:
    from tamecheck.loaders.files import read_text

    try:
        found = _FORMAT.search(read_text(path))
    except InputError:
        # what is wrong with it is to be an answer
        return True
    return found is not None and found[1] in {"tamecheck-graph", "tamecheck-program"}


def _lines(path: str, args: Namespace) -> list[dict[str, str]]:
    """The lines of a CSV file; without a head the positional arguments in turn, and the time.

    Files are found from the folder of the list, gzipped or not.
    """
    from tamecheck.loaders.files import read_text

    try:
        table = list(csv.reader(io.StringIO(read_text(path), newline="")))
    except csv.Error as error:
        raise InputError(f"The list cannot be read ({error}).", where=path) from None
    lines = [
        (number, [cell.strip() for cell in cells])
        for number, cells in enumerate(table, start=1)
        if any(cell.strip() for cell in cells)
    ]
    if not lines:
        raise InputError("The list is empty.", where=path)
    places = [place.name for place in args.many]
    columns = [place.name for place in args.many if place.listed] + ["timeout"]
    head = [_COLUMNS.get(name, name.lstrip("-")) for name in lines[0][1]]
    known = {*places, *(name[2:] for name in args.options.option_names())}
    if head[0] in known:
        columns = head
        del lines[0]
        if unknown := [name for name in head if name not in known]:
            raise InputError(
                f"{unknown[0]!r} is no option of {args.verb!r}.",
                where=f"{path}, line 1",
                hint="The columns of a list are called as the options are, without dashes.",
            )
        if len(set(head)) < len(head):
            raise InputError("Two columns have the same name.", where=f"{path}, line 1")
    found: list[dict[str, str]] = []
    for number, cells in lines:
        if len(cells) > len(columns):
            what = f"{len(cells)} cells, where {len(columns)} were expected"
            raise InputError(f"{what} ({', '.join(columns)}).", where=f"{path}, line {number}")
        row = {name: cell for name, cell in zip(columns, cells, strict=False) if cell}
        row |= {name: _beside(path, row[name]) for name in places if name in row}
        try:
            _values(row, args)
        except InputError as error:
            raise InputError(error.what, where=f"{path}, line {number}", hint=error.hint) from None
        found.append(row)
    return found


def _beside(path: str, name: str) -> str:
    """The file of a line, from the folder of the list; the gzipped one if only that is there."""
    found = str(Path(path).parent / name)
    return f"{found}.gz" if _kind(found) is None and _kind(f"{found}.gz") == "file" else found


def sha256_of_items(items: Sequence[Item]) -> str:
    """What tells one list of items from another."""
    text = json.dumps([dict(item.given) for item in items], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def part_of(items: Sequence[Item], shard: str | None) -> list[Item]:
    """The items of part ``I/N``: every N-th."""
    if shard is None:
        return list(items)
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard, re.ASCII)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(
            f"{shard!r} is no part of several.", where="--shard", hint="From 1/N to N/N."
        )
    return list(items[int(found[1]) - 1 :: int(found[2])])


# --- merge ---------------------------------------------------------------------------------------

_ABOUT_MERGE = """\
Join the files that 'tamecheck VERB ... --shard I/N --results FILE' wrote.  What comes out is the
file that one run without --shard writes, byte for byte.  If items have no answer yet, they are
named and nothing is written; a part may be given more than once if its answers agree.

exit codes: 0 done, 3 an item has no answer"""
_SHOWN = 5
_MOST = 10_000_000


def _merge(args: Namespace) -> int:
    """Read the parts, check that they are parts of one question, and write all of it."""
    claim(args, args.output, "list of answers")
    question: dict[str, Any] | None = None
    found: dict[int, Line] = {}
    for path in args.parts:
        said, lines = _read_part(path)
        said["shard"] = None
        if question is not None and said != question:
            other = [key for key in question if said.get(key) != question[key]]
            raise InputError(
                f"This is part of another question than {args.parts[0]} ({', '.join(other)}).",
                where=path,
            )
        question = said
        for number, line in lines.items():
            if found.setdefault(number, line) != line:
                raise InputError(f"Item {number} has another answer in another part.", where=path)
    if question is None:
        raise InputError("No parts are given.", where="merge")
    missing = [number for number in range(question["items"]) if number not in found]
    document = {"items": question["items"], "missing": missing, "file": None}
    if missing:
        first = first_few([*map(str, missing)], _SHOWN, ", ...")
        text = f"{len(missing)} of {question['items']} items have no answer: {first}"
        print_answer(args, document, [text])
        return 3
    from tamecheck.loaders.outputs import write_journal

    write_journal(args.output, FORMAT, question, [found[k] for k in range(question["items"])])
    document["file"] = args.output
    print_answer(args, document, [f"{question['items']} items in {args.output}"])
    return 0


def _read_part(path: str) -> tuple[dict[str, Any], dict[int, Line]]:
    """The question of a part, and its lines by the numbers of their items; the later one counts."""
    from tamecheck.loaders.files import read_text

    whole, _, _ = read_text(path).rpartition("\n")
    head, *lines = [_object(path, n, text) for n, text in enumerate(whole.split("\n"), start=1)]
    question = head.get("question")
    if head.get("format") != FORMAT or not isinstance(question, dict):
        raise InputError("This is no file of --results.", where=path)
    said = cast("dict[str, Any]", question)
    count = said.get("items")
    if not isinstance(count, int) or not 0 <= count <= _MOST:
        raise InputError(f"It is about no number of items up to {_MOST}.", where=path)
    for number, line in enumerate(lines, start=2):
        item = line.get("item")
        if not isinstance(item, int) or not 0 <= item < count:
            raise InputError(f"Line {number} is about no item.", where=path)
    return said, {line["item"]: line for line in lines}


def _object(path: str, number: int, text: str) -> Line:
    found: object = None
    try:
        found = json.loads(text)
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping):
        what = "This is no file of --results." if number == 1 else f"Line {number} is no answer."
        raise InputError(what, where=path)
    return dict(cast("Mapping[str, Any]", found))


MERGE = Verb(
    "merge",
    "join the answers of the parts of --shard",
    _ABOUT_MERGE,
    (
        option("parts", "PART", "a file of --results", nargs="+"),
        output("-o --output", "FILE", "write all answers here", required=True),
    ),
    _merge,
)
