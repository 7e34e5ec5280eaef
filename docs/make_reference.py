"""A page for each verb of the command line, written from its parser when the site is built."""

# ruff: noqa: SLF001 (argparse has no public names for what a parser was told)

import argparse
import re
import textwrap
from pathlib import Path

from tamecheck.cli.entry import _parser


def verb_page(name: str, parser: argparse.ArgumentParser) -> str:
    """The page of a verb: what it does, how it is called, its options in their groups."""
    usage = " ".join(parser.format_usage().removeprefix("usage:").split())
    usage = textwrap.fill(usage, 88, subsequent_indent=" " * 4, break_on_hyphens=False)
    parts = [f"# tamecheck {name}", _prose(parser.description or ""), f"```text\n{usage}\n```"]
    for group in parser._action_groups:
        rows = [_row(action) for action in group._group_actions if action.help != "==SUPPRESS=="]
        if rows:
            title = group.title or "options"
            title = title[:1].upper() + title[1:]
            parts += [f"## {title}", "\n".join(["| option | meaning |", "|---|---|", *rows])]
    if parser.epilog:
        parts += ["## Exit codes and notes", _prose(parser.epilog)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _prose(text: str) -> str:
    """Help as Markdown: its paragraphs; what is set out in columns stays as it is."""
    blocks = text.strip("\n").split("\n\n")
    return "\n\n".join(f"```text\n{b}\n```" if "   " in b else _escape(b) for b in blocks)


def _row(action: argparse.Action) -> str:
    named = ", ".join(action.option_strings)
    value = ""
    if action.nargs != 0:
        value = argparse.HelpFormatter("")._format_args(action, _metavar(action))
    shown = " ".join(part for part in (named, value) if part).replace("|", r"\|")
    told = " ".join(((action.help or "") % {"default": action.default, "prog": ""}).split())
    return f"| `{shown}` | {_escape(told)} |"


def _metavar(action: argparse.Action) -> str:
    return action.dest.upper() if action.option_strings else str(action.metavar or action.dest)


def _escape(text: str) -> str:
    for character in "\\|*_<>[]$":
        text = text.replace(character, "\\" + character)
    return re.sub(r"(?<![\w-])(--[a-z][a-z-]*)", r"`\1`", text)


def write_verbs(folder: Path) -> None:
    """Write a page a verb, and their list, where a page differs from what is there."""
    parser, verbs = _parser()
    folder.mkdir(parents=True, exist_ok=True)
    pages = {name: verb_page(name, verbs[name]) for name in verbs}
    one_line = {a.dest: a.help for a in parser._subparsers._group_actions[0]._choices_actions}
    rows = [f"| [{name}]({name}.md) | {_escape(one_line.get(name) or '')} |" for name in verbs]
    listed = "\n".join(["| verb | does |", "|---|---|", *rows])
    tree = "\n".join(["```{toctree}", ":hidden:", "", *verbs, "```"])
    pages["index"] = f"# Verbs, option by option\n\n{listed}\n\n{tree}\n"
    for name, text in pages.items():
        page = folder / f"{name}.md"
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
