"""What can occur, from the command line: levels, names and groups of the inputs."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tamecheck.cli.options import Parser
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tamecheck.binarized import BinarizedNetwork
    from tamecheck.explain.domain import Domain
    from tamecheck.explain.words import Vocabulary
    from tamecheck.model import Model

__all__ = [
    "add_occurring",
    "classes_of",
    "groups_of",
    "input_names",
    "levels_of",
    "names_of",
    "occurring",
]

_RANGE = re.compile(r"^(\d+)(?:-(\d+))?$")


def add_occurring(parser: Parser) -> None:
    """Add ``--domain --names --one-hot --thermometer``."""
    parser.add_argument(
        "--domain", metavar="LOW,HIGH", help="the two levels of every input (default -1,1)"
    )
    parser.add_argument(
        "--names", metavar="NAMES",
        help="names or statements of the inputs: a,b,c, or a file (the .features.json of train)",
    )  # fmt: skip
    parser.add_argument(
        "--one-hot", metavar="GROUPS",
        help="inputs of which exactly one is high: 0-2,3-5, or colour=0-2,size=3-5",
    )  # fmt: skip
    parser.add_argument(
        "--thermometer", metavar="GROUPS",
        help="inputs that are high only if all before them are: 6-9, or age=6-9",
    )  # fmt: skip


def levels_of(text: str | None) -> tuple[Fraction, Fraction]:
    """The low and the high level that ``--domain`` names.

    Raises
    ------
    InputError
        If it is no pair of ascending numbers.
    """
    from tamecheck.ir.exact import parse_rational

    words = ("-1,1" if text is None else text).split(",")
    if len(words) == 2:
        low, high = (parse_rational(word.strip()) for word in words)
        if low < high:
            return low, high
    raise InputError(
        f"--domain {text!r} is no pair of levels.", hint="The low one, then the high one: -1,1."
    )


def _document(text: str | None) -> Any:
    """The JSON that ``--names`` names, or None if it is a list of names."""
    if text is None or not (text.endswith((".json", ".txt")) or Path(text).is_file()):
        return None
    from tamecheck.load.files import read_text

    content = read_text(text)
    if not text.endswith(".json"):
        return [line.strip() for line in content.splitlines() if line.strip()]
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise InputError(f"This is not JSON ({error.msg}).", where=text) from None


def names_of(text: str | None) -> list[str] | None:
    """The names or statements of the inputs; None if there are none.

    Raises
    ------
    InputError
        If the file holds no list of texts.
    """
    if text is None:
        return None
    found = _document(text)
    if found is None:
        return [name.strip() for name in text.split(",")]
    if isinstance(found, dict):
        found = cast("dict[str, Any]", found).get("features")
    if not isinstance(found, list):
        raise InputError("There is no list of names here.", where=text)
    names = cast("list[Any]", found)
    if not all(isinstance(name, str) for name in names):
        raise InputError("A name is a text.", where=text)
    return [str(name) for name in names]


def input_names(args: Namespace, model: Model) -> list[str] | None:
    """The names of ``--names``, or those of the model's inputs if each is one number."""
    found = names_of(args.names)
    if found is None and not any(model.inputs.values()):
        return list(model.inputs)
    return found


def classes_of(text: str | None) -> list[str] | None:
    """What the file of ``--names`` calls the classes; None if it does not say."""
    found = _document(text)
    if not isinstance(found, dict):
        return None
    classes = cast("dict[str, Any]", found).get("classes")
    if not isinstance(classes, list):
        return None
    return [str(label) for label in cast("list[Any]", classes)]


def groups_of(text: str | None, names: Sequence[str] | None, option: str) -> dict[str, list[int]]:
    """Groups of inputs by name: ``0-2,3-5`` or ``colour=0-2,size=3-5``.

    A group without a name takes the common start of its inputs' names.

    Raises
    ------
    InputError
        If it is no such text.
    """
    groups: dict[str, list[int]] = {}
    for part in [] if text is None else text.split(","):
        name, _, numbers = part.rpartition("=")
        found = _RANGE.match(numbers.strip())
        first, last = (found[1], found[2] or found[1]) if found else ("1", "0")
        if int(first) > int(last):
            raise InputError(f"{part!r} is no group of inputs.", where=option, hint="Give 0-2,3-5.")
        group = list(range(int(first), int(last) + 1))
        groups[name.strip() or _common(group, names)] = group
    return groups


def _common(group: Sequence[int], names: Sequence[str] | None) -> str:
    if names is not None and group[-1] < len(names):
        starts = {re.split(r"\s*[=≥<:]|>=", names[i])[0] for i in group}
        if len(starts) == 1:
            return starts.pop()
    return f"x{group[0]}..x{group[-1]}"


def occurring(
    args: Namespace, network: BinarizedNetwork, names: Sequence[str] | None = None
) -> Domain:
    """The domain that the options describe.

    Statements such as ``age ≥ 37`` in the names say by themselves which inputs belong together;
    groups that are given replace what they say about their inputs.

    Raises
    ------
    InputError
        If the options do not fit the network.
    """
    from tamecheck.explain.domain import domain_of
    from tamecheck.explain.words import Vocabulary, read_literals

    names = names_of(args.names) if names is None else names
    said = Vocabulary() if names is None else read_literals(names)
    one_hot = groups_of(args.one_hot, names, "--one-hot")
    thermometer = groups_of(args.thermometer, names, "--thermometer")
    taken = {i for group in (*one_hot.values(), *thermometer.values()) for i in group}
    return domain_of(
        network,
        names=names,
        one_hot={**_apart(said, "one_hot", taken), **one_hot},
        thermometer={**_apart(said, "thermometer", taken), **thermometer},
        words=said.words,
    )


def _apart(said: Vocabulary, kind: str, taken: set[int]) -> dict[str, tuple[int, ...]]:
    groups: dict[str, tuple[int, ...]] = getattr(said, kind)
    return {name: group for name, group in groups.items() if not taken & set(group)}
