"""``tamecheck supports``: what queries and networks are read, as the VNN-LIB standard asks."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping

from tamecheck.cli.answer import print_answer
from tamecheck.cli.options import Group, Verb, flag

_DESCRIPTION = """\
Say which networks and queries 'tamecheck verify QUERY --network NAME=FILE' takes, one answer a
line, as chapter 5 of the VNN-LIB 2.0 standard asks of every solver.

exit code: 0"""


def _operators() -> list[str]:
    from tamecheck.loaders.onnx.reader import LOWERINGS

    return sorted(name for domain, name in LOWERINGS if not domain)


def _opsets() -> list[str]:
    from tamecheck.loaders.onnx.reader import NEWEST_OPSET

    return ["1", str(NEWEST_OPSET)]


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
}


def _run(args: Namespace) -> int:
    asked = [name for name in _CAPABILITIES if getattr(args, name.replace("-", "_"))]
    answers = {name: _CAPABILITIES[name][1]() for name in asked or _CAPABILITIES}
    several = [f"{name}: {' '.join(lines)}" for name, lines in answers.items()]
    print_answer(args, answers, answers[asked[0]] if asked else several)
    return 0


VERB = Verb(
    "supports",
    "which networks and VNN-LIB queries are read",
    _DESCRIPTION,
    (Group(None, tuple(flag(f"--{name}", text) for name, (text, _) in _CAPABILITIES.items())),),
    _run,
)
