"""``tamecheck supports`` and ``completion``: what other programs and shells ask of this one."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any

from tamecheck.cli.answer import print_answer
from tamecheck.cli.options import Group, Verb, flag, option

_ABOUT_SUPPORTS = """\
Say which networks and queries 'tamecheck verify QUERY --network NAME=FILE' takes, one answer a
line, as chapter 5 of the VNN-LIB 2.0 standard asks of every solver; and what else programs may want
to know of this one.  --schema VERB prints the JSON schema of a verb's answer.

exit code: 0"""


def _operators() -> list[str]:
    from tamecheck.loaders.onnx.reader import LOWERINGS

    return sorted(name for domain, name in LOWERINGS if not domain)


def _opsets() -> list[str]:
    from tamecheck.loaders.onnx.reader import NEWEST_OPSET

    return ["1", str(NEWEST_OPSET)]


def _exit_codes() -> list[str]:
    from tamecheck.cli.answer import MEANINGS

    return [f"{code} {meaning}" for code, meaning in MEANINGS.items()]


def _schemas() -> list[str]:
    from tamecheck.show.schemas import schema_names

    return schema_names()


_CAPABILITIES: Mapping[str, tuple[str, Callable[[], list[str]]]] = {
    "onnx-opset-versions": ("the oldest and the newest operator set", _opsets),
    "onnx-element-types": ("for which types unsat is proved", lambda: ["real"]),
    "onnx-operators": ("the operators that are read", _operators),
    "vnnlib-versions": ("the oldest and the newest version", lambda: ["1.0", "2.1"]),
    "hidden-node-theories": ("NH, H", lambda: ["NH", "H"]),
    "multiple-input-output-theories": ("SIO, MIO", lambda: ["SIO", "MIO"]),
    "multiple-network-theories": (
        "SNET, MENET, MINET, MNET",
        lambda: ["SNET", "MENET", "MINET", "MNET"],
    ),
    "multiple-node-comparison-theories": ("SNC, MNC", lambda: ["SNC", "MNC"]),
    "arithmetic-complexity-theories": (
        "BND, OUTC, LIN, POLY",
        lambda: ["BND", "OUTC", "LIN", "POLY"],
    ),
    "optimised-disjunctive-reasoning": ("is 'or' more than its cases?", lambda: ["false"]),
    "serialise-assignments": ("is --serialise-assignments known?", lambda: ["true"]),
    "model-formats": ("suffixes of models; each also .gz", lambda: [".onnx", ".json"]),
    "program-formats": ("suffixes of programs; each also .gz", lambda: [".mps", ".lp", ".json"]),
    "table-formats": (
        "suffixes of tables; each also .gz",
        lambda: [".csv", ".tsv", ".data", ".arff", ".dat"],
    ),
    "exit-codes": ("what exit codes mean", _exit_codes),
    "schemas": ("the answers that have a JSON schema", _schemas),
}


def _supports(args: Namespace) -> int:
    if args.schema is not None:
        from tamecheck.show.schemas import schema_of

        found = schema_of(args.schema)
        print_answer(args, found, json.dumps(found, indent=2, ensure_ascii=False).splitlines())
        return 0
    asked = [name for name in _CAPABILITIES if getattr(args, name.replace("-", "_"))]
    answers = {name: _CAPABILITIES[name][1]() for name in asked or _CAPABILITIES}
    several = [f"{name}: {' '.join(lines)}" for name, lines in answers.items()]
    print_answer(args, answers, answers[asked[0]] if asked else several)
    return 0


SUPPORTS = Verb(
    "supports",
    "which networks and VNN-LIB queries are read",
    _ABOUT_SUPPORTS,
    (
        Group(
            None,
            (
                *(flag(f"--{name}", text) for name, (text, _) in _CAPABILITIES.items()),
                option("--schema", "VERB", "the JSON schema of a verb's answer, of error, of line"),
            ),
        ),
    ),
    _supports,
)


# --- completion ----------------------------------------------------------------------------------

_FILES = ("FILE", "MODEL", "MODEL|PROGRAM", "PROGRAM", "TABLE", "CERT", "SPEC", "INPUTS|FILE")

_ABOUT_COMPLETION = """\
Print a script that completes verbs, options, their values and files.

bash   tamecheck completion bash > ~/.local/share/bash-completion/completions/tamecheck
zsh    tamecheck completion zsh > ~/.zfunc/_tamecheck   (a folder of $fpath)
fish   tamecheck completion fish > ~/.config/fish/completions/tamecheck.fish"""


def _completion(args: Namespace) -> int:
    """Write the script of the whole command line."""
    import shtab

    parser: Any = args.parser
    verbs = next(action for action in parser._actions if hasattr(action.choices, "items"))  # noqa: SLF001
    for verb in verbs.choices.values():
        for action in verb._actions:  # noqa: SLF001
            if action.metavar in _FILES:
                action.complete = shtab.FILE
    print(shtab.complete(parser, args.shell))
    return 0


COMPLETION = Verb(
    "completion",
    "what the Tab key completes in bash, zsh and fish",
    _ABOUT_COMPLETION,
    (option("shell", None, "bash, zsh or fish", choices=("bash", "zsh", "fish")),),
    _completion,
)
