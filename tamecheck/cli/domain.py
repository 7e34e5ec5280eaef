"""What inputs of a binarized network can occur: options for levels, names and groups."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tamecheck.cli.answer import message
from tamecheck.cli.options import option
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.binarized import ThresholdNetwork
    from tamecheck.explain.domain import Domain
    from tamecheck.loaders.samples import Sample
    from tamecheck.loaders.tables.schema import Schema
    from tamecheck.model import Model

__all__ = ["DOMAIN", "Naming", "levels_of", "naming_of", "network_and_domain"]

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


@dataclass(frozen=True, slots=True)
class Naming:
    """What inputs and classes are called; None where that is not known.

    Parameters
    ----------
    schema
        What the inputs are made of, if that is known; names alone say nothing about groups.
    inferred
        Whether the names are only those of the model's inputs, which say nothing about a table.
    """

    names: list[str] | None = None
    classes: list[str] | None = None
    schema: Schema | None = None
    inferred: bool = False

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
    one_hot = _groups(args.one_hot, "--one-hot", network.inputs)
    thermometer = _groups(args.thermometer, "--thermometer", network.inputs)
    taken = {i for group in (*one_hot.values(), *thermometer.values()) for i in group}
    domain = said.without(taken).domain(
        network, naming.names, one_hot=one_hot, thermometer=thermometer
    )
    return network, domain


def _groups(text: str | None, option: str, inputs: int) -> dict[str, list[int]]:
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
