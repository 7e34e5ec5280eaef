"""``tamecheck merge``: the answers of all parts of a question as one file."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from typing import Any, cast

from tamecheck.cli.answer import claim, print_answer
from tamecheck.cli.many import FORMAT, Line
from tamecheck.cli.options import Verb, option, output
from tamecheck.errors import InputError

_DESCRIPTION = """\
Join the files that 'tamecheck VERB ... --shard I/N --results FILE' wrote.  What comes out is the
file that one run without --shard writes, byte for byte.  If items have no answer yet, they are
named and nothing is written; a part may be given more than once if its answers agree.

exit codes: 0 done, 3 an item has no answer"""
_SHOWN = 5
_MOST = 10_000_000


def _run(args: Namespace) -> int:
    """Read the parts, check that they are parts of one question, and write all of it."""
    claim(args, args.output, "list of answers")
    question: dict[str, Any] | None = None
    found: dict[int, Line] = {}
    for path in args.parts:
        said, lines = _read(path)
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
        first = ", ".join(map(str, missing[:_SHOWN])) + ", ..." * (len(missing) > _SHOWN)
        text = f"{len(missing)} of {question['items']} items have no answer: {first}"
        print_answer(args, document, [text])
        return 3
    from tamecheck.loaders.outputs import write_journal

    write_journal(args.output, FORMAT, question, [found[k] for k in range(question["items"])])
    document["file"] = args.output
    print_answer(args, document, [f"{question['items']} items in {args.output}"])
    return 0


def _read(path: str) -> tuple[dict[str, Any], dict[int, Line]]:
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
    _DESCRIPTION,
    (
        option("parts", "PART", "a file of --results", nargs="+"),
        output("-o --output", "FILE", "write all answers here", required=True),
    ),
    _run,
)
