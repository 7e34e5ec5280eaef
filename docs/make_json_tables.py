"""Write ``docs/json-answers.md``: the keys of every answer, from the JSON schemas of the package.

python docs/make_json_tables.py            write the page
python docs/make_json_tables.py --check    only compare; exit code 1 if it is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pages import write_or_compare

from tamecheck.show.schemas import schema_names, schema_of

PAGE = Path(__file__).parent / "json-answers.md"
HEAD = """\
# JSON answers

With `--json` stdout holds one JSON object and nothing else; with `--json-lines` a table has one a
line, and so have [many items](many.md). This page is written from the JSON schemas that come with
the package, which `tamecheck supports --schema VERB` prints. Keys in bold are always there; keys
that are not named may come later. Numbers that are exact are strings `"p/q"` or `"p"`, floats are
JSON numbers. The exit codes are in [one table](cli.md#exit-codes).
"""
FIRST = ("error", "line")


def page() -> str:
    """The text of the page."""
    names = [*FIRST, *(name for name in schema_names() if name not in FIRST)]
    return HEAD + "".join(map(_section, names))


def _section(name: str) -> str:
    schema = schema_of(name)
    rows = [_row(schema, key, about) for key, about in schema["properties"].items()]
    table = "\n| key | type | value |\n|---|---|---|\n" + "".join(rows) if rows else ""
    return f"\n## {name}\n\n{schema['title']}\n{table}"


def _row(schema: Mapping[str, Any], key: str, about: Mapping[str, Any]) -> str:
    shown = f"**`{key}`**" if key in schema["required"] else f"`{key}`"
    return f"| {shown} | {_type(about)} | {about.get('description', '')} |\n"


def _type(about: Mapping[str, Any]) -> str:
    if "enum" in about:
        return ", ".join("null" if word is None else f"`{word}`" for word in about["enum"])
    return " or ".join(_types(about)) or "any"


def _types(about: Mapping[str, Any]) -> Iterator[str]:
    found = about.get("type", [])
    for one in [found] if isinstance(found, str) else found:
        inner = _type(about.get("items") or about.get("additionalProperties") or {})
        if one == "array" and inner != "any":
            yield f"array of {inner}"
        elif one == "object" and inner != "any":
            yield f"object of {inner}"
        else:
            yield one


if __name__ == "__main__":
    sys.exit(write_or_compare(PAGE, page()))
