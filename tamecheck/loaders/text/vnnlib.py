"""VNN-LIB 1.0 and 2.0: input regions and properties, with exact numbers."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial, reduce
from itertools import pairwise
from typing import TypeAlias

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.affine import AffineForm
from tamecheck.ir.box import is_crossed
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.spec import Case, Specification, TensorName
from tamecheck.ir.tensor import size_of
from tamecheck.loaders.files import name_place, read_text
from tamecheck.loaders.text import linear_logic
from tamecheck.loaders.text.sexpr import GAP, Atom, line_of, read_form
from tamecheck.loaders.text.vnnlib_names import (
    FLAT,
    MAX_VARIABLES,
    Equivalence,
    Kind,
    Tensor,
    Variables,
    atom_text,
)

MAX_BITS = 13_000
_NUMBER = re.compile(r"[-+]?\.?[0-9]")
_COMPARISONS = frozenset({"<=", "<", ">=", ">", "=", "==", "!=", "distinct"})
_IGNORED = frozenset({"", "set-logic", "set-info", "set-option", "check-sat", "get-model", "exit"})
_REALS = re.compile(
    r"real|float(?:16|32|64)?|bfloat16|float8e[0-9]m[0-9][a-z]*|float4e2m1", re.IGNORECASE
)
_INTEGERS = re.compile(r"u?int(?:2|4|8|16|32|64)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition."""

    dnf: linear_logic.Dnf


@dataclass(frozen=True, slots=True)
class Assertion:
    """A condition that the file asserts."""

    dnf: linear_logic.Dnf


Item: TypeAlias = AffineForm | Condition | Assertion | Tensor | Equivalence | None
"""What a form is; None for a command that is done, or that says nothing about the property."""


def fold_form(items: Sequence[Atom | Item], variables: Variables) -> Item:
    """The value of ``(head …)`` whose inner forms have been folded."""
    head, *args = items or (Atom(""),)
    if not isinstance(head, Atom) or head.string or head.indices is not None:
        raise InputError("A form must start with a word.")
    match head.text:
        case name if name in _COMPARISONS:
            return _comparison(name, args, variables)
        case "+" | "-" | "*" | "/" as name:
            return _short(_arithmetic(name, [_linear(arg, variables) for arg in args], variables))
        case "and" | "or" | "not" | "=>" as name:
            return _connective(name, [_condition(arg) for arg in args])
        case "assert":
            if len(args) != 1:
                raise InputError("'assert' takes one condition.")
            return Assertion(_condition(args[0]))
        case "declare-input" | "declare-hidden" | "declare-output" as name:
            return _declare_tensor(name, args)
        case "equal-to" | "isomorphic-to" as name:
            return _relate(name, args)
        case name:
            _command(name, args, variables)
            return None


def _command(name: str, args: Sequence[Atom | Item], variables: Variables) -> None:
    match name:
        case "declare-const" | "declare-fun":
            _declare_flat(name, args, variables)
        case "declare-network":
            _declare_network(args, variables)
        case "vnnlib-version":
            _set_version(args, variables)
        case _ if name not in _IGNORED:
            raise InputError(f"{name[:40]!r} is no command, relation or operator of VNN-LIB.")
        case _:
            pass


def _linear(item: Atom | Item, variables: Variables) -> AffineForm:
    if isinstance(item, AffineForm):
        return item
    if not isinstance(item, Atom) or item.string:
        raise InputError("A number or a variable was expected.")
    if item.indices is None and _NUMBER.match(item.text):
        return AffineForm.number(parse_rational(item.text))
    return variables.element(item)


def _condition(item: Atom | Item) -> linear_logic.Dnf:
    if isinstance(item, Condition):
        return item.dnf
    if isinstance(item, Atom) and item.text in ("true", "false"):
        return linear_logic.TRUE if item.text == "true" else linear_logic.FALSE
    raise InputError("A condition was expected.")


def _comparison(name: str, args: Sequence[Atom | Item], variables: Variables) -> Condition:
    if len(args) < 2 or (name in ("!=", "distinct") and len(args) > 2):
        raise InputError(f"{name!r} does not compare {len(args)} terms.")
    terms = [_linear(arg, variables) for arg in args]
    return Condition(
        linear_logic.both([linear_logic.compare(name, a, b) for a, b in pairwise(terms)])
    )


def _arithmetic(name: str, terms: Sequence[AffineForm], variables: Variables) -> AffineForm:
    if not terms or (name == "/" and len(terms) != 2):
        raise InputError(f"{name!r} does not take {len(terms)} terms.")
    if name == "+":
        return AffineForm.total(terms)
    if name == "-":
        return terms[0] - AffineForm.total(terms[1:]) if len(terms) > 1 else -terms[0]
    if name == "/":
        if terms[1].terms:
            raise UnsupportedError("A constraint divides by a variable; polynomials are read.")
        if terms[1].constant == 0:
            raise InputError("Division by 0.")
        return terms[0] * (1 / terms[1].constant)
    return reduce(variables.product, terms)


def _short(form: AffineForm) -> AffineForm:
    for value in (form.constant, *form.terms.values()):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise InputError("A coefficient has too many digits.")
    return form


def _connective(name: str, parts: Sequence[linear_logic.Dnf]) -> Condition:
    if name == "and":
        return Condition(linear_logic.both(parts))
    if name == "or":
        return Condition(linear_logic.either(parts))
    if name == "not" and len(parts) == 1:
        return Condition(linear_logic.opposite(parts[0]))
    if name == "=>" and len(parts) == 2:
        return Condition(linear_logic.either([linear_logic.opposite(parts[0]), parts[1]]))
    raise InputError(f"{name!r} does not take {len(parts)} conditions.")


def _declare_flat(name: str, args: Sequence[Atom | Item], variables: Variables) -> None:
    words = [arg for arg in args if isinstance(arg, Atom) and not arg.string]
    # declare-fun has an empty argument list between name and type
    if len(words) != 2 or len(args) != (2 if name == "declare-const" else 3):
        raise InputError(f"{name!r} needs a name and a type.")
    if variables.version != 1:
        raise InputError(f"{name!r} belongs to VNN-LIB 1.0.")
    flat = FLAT.fullmatch(words[0].text)
    if flat is None:
        raise InputError(
            f"{atom_text(words[0])} is neither an input X_i nor an output Y_j.",
            hint="VNN-LIB 1.0 names variables so.",
        )
    if _REALS.fullmatch(words[1].text) is None:
        what = f"{words[0].text} has type {words[1].text[:40]}, not Real."
        hint = "VNN-LIB 2.0 declares tensors of integers, as in (declare-input X int8 [1,2])."
        raise UnsupportedError(what, hint=hint)
    index = int(flat["index"])
    if index >= MAX_VARIABLES:
        raise InputError(f"More than {MAX_VARIABLES} variables are declared.")
    variables.declare(flat["kind"].upper(), index)


_KINDS: Mapping[str, Kind] = {
    "declare-input": "input",
    "declare-hidden": "hidden",
    "declare-output": "output",
}


def _declare_tensor(name: str, args: Sequence[Atom | Item]) -> Item:
    match args:
        case [Atom(text=tensor, indices=None), Atom(text=kind, indices=shape), *rest] if (
            shape is not None and len(rest) < 2
        ):
            if not any(types.fullmatch(kind) for types in (_REALS, _INTEGERS)):
                raise UnsupportedError(f"{tensor} has elements of type {kind[:40]}, not Real.")
            if size_of(shape) > MAX_VARIABLES or len(shape) > 32:
                raise InputError(f"{tensor} has more than {MAX_VARIABLES} elements.")
            label = rest[0] if rest and isinstance(rest[0], Atom) else Atom("")
            if label.text == "initialized" and not label.string:
                raise UnsupportedError(f"Input {tensor!r} is 'initialized'; give it a value.")
            if name == "declare-hidden" and not label.string:
                what = f"Hidden tensor {tensor!r} needs the name of a node's output, in quotes."
                raise InputError(what)
            return Tensor(_KINDS[name], TensorName(tensor, shape, label.text, kind))
        case _:
            raise InputError(f"{name!r} needs a name, a type and a shape, as in X Real [1,5].")


def _relate(name: str, args: Sequence[Atom | Item]) -> Equivalence:
    match args:
        case [Atom(text=network, indices=None, string=False)]:
            return Equivalence(name == "equal-to", network)
        case _:
            raise InputError(f"{name!r} needs the name of a network.")


def _declare_network(args: Sequence[Atom | Item], variables: Variables) -> None:
    head, *rest = args or (None,)
    parts = [item for item in rest if isinstance(item, Tensor | Equivalence)]
    if not isinstance(head, Atom) or len(parts) != len(rest):
        what = "'declare-network' needs a name, then declare-input and declare-output."
        raise InputError(what)
    variables.declare_network(head.text, parts)


def _set_version(args: Sequence[Atom | Item], variables: Variables) -> None:
    match args:
        case [Atom(text=text)] if re.fullmatch(r"<?[12]\.[0-9]+>?", text):
            variables.version = int(text.strip("<>")[0])
        case _:
            raise UnsupportedError("This version of VNN-LIB is not read; 1.0 and 2.0 are.")


MAX_LENGTH = 2**28

# the two commands that make up nearly all of a file, in one match each
_USUAL = re.compile(
    r"\s*\((?:declare-const\s+(?P<kind>[XY])_(?P<declared>[0-9]{1,9})\s+Real"
    r"|assert\s*\(\s*(?P<relation>[<>]=)\s+X_(?P<index>[0-9]{1,9})"
    r"\s+(?P<bound>-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)\s*\))\s*\)"
)


def read_vnnlib(path: str | os.PathLike[str]) -> Specification:
    """The property in a ``.vnnlib`` or ``.vnnlib.gz`` file.

    Raises
    ------
    InputError
        Naming the line that cannot be read.
    UnsupportedError
        If a constraint is no polynomial, or there are too many cases.
    """
    return parse_vnnlib(read_text(path, limit=MAX_LENGTH), where=str(path))


def parse_vnnlib(text: str, *, where: str = "vnnlib") -> Specification:
    """The property that a text in VNN-LIB 1.0 or 2.0 states.

    In 1.0, ``X_i`` and ``Y_j`` are the flat inputs and outputs; in 2.0 they are declared tensors of
    one or more networks, hidden ones too.  Literals are exact: ``0.1`` is 1/10.

    Raises
    ------
    InputError, UnsupportedError
        As `read_vnnlib`.
    """
    reader = _Reader(text, where)
    with name_place(lambda: reader.place):
        reader.run()
        return reader.specification()


@dataclass(slots=True)
class _Reader:
    text: str
    where: str
    position: int = 0
    variables: Variables = field(default_factory=Variables)
    lower: dict[int, Fraction] = field(default_factory=dict[int, Fraction])
    upper: dict[int, Fraction] = field(default_factory=dict[int, Fraction])
    asserted: list[linear_logic.Dnf] = field(default_factory=list[linear_logic.Dnf])
    literals: dict[str, Fraction] = field(default_factory=dict[str, Fraction])

    @property
    def place(self) -> str:
        """The file and the line up to which it has been read."""
        return f"{self.where}, line {line_of(self.text, self.position)}"

    def run(self) -> None:
        """Read every command."""
        fold = partial(fold_form, variables=self.variables)
        while True:
            usual = _USUAL.match(self.text, self.position)
            if usual is not None and self.variables.version == 1:
                # moved first, so that an error names the line of the command
                self.position = usual.end()
                self._usual(usual)
                continue
            gap = GAP.match(self.text, self.position)
            self.position = gap.end() if gap else self.position
            if self.position == len(self.text):
                return
            value, end = read_form(self.text, self.position, self.where, fold)
            if isinstance(value, Assertion):
                self.asserted.append(value.dnf)
            elif value is not None:
                raise InputError("A term or condition stands outside of 'assert'.")
            self.position = end

    def specification(self) -> Specification:
        """The property that has been read."""
        inputs = self.variables.names(output=False)
        outputs = self.variables.names(output=True)
        if not inputs:
            raise InputError("No input is declared.", hint="Is this a VNN-LIB file?")
        size = sum(size_of(tensor.shape) for tensor in inputs)
        known = linear_logic.both([dnf for dnf in self.asserted if len(dnf) == 1])
        lower = tuple(self.lower.get(i) for i in range(size))
        upper = tuple(self.upper.get(i) for i in range(size))
        shared = linear_logic.case_of(
            tuple(one for clause in known for one in clause), lower, upper
        )
        cases: list[Case] = []
        if shared is not None and not any(map(is_crossed, shared.lower, shared.upper)):
            clauses = linear_logic.both([dnf for dnf in self.asserted if len(dnf) != 1])
            found = (linear_logic.case_of(clause, shared.lower, shared.upper) for clause in clauses)
            cases.extend(
                Case(c.lower, c.upper, shared.region + c.region, shared.outputs + c.outputs)
                for c in found
                if c is not None
            )
        networks, products = tuple(self.variables.networks), tuple(self.variables.products)
        found = Specification(inputs, outputs, tuple(cases), self.where, networks, products)
        return found.whole()

    def _usual(self, usual: re.Match[str]) -> None:
        if usual["kind"] is not None:
            self.variables.declare(usual["kind"], int(usual["declared"]))
            return
        index, literal = int(usual["index"]), usual["bound"]
        if index not in self.variables.flat["X"]:
            raise InputError(f"X_{index} is not declared.")
        bound = self.literals.get(literal)
        if bound is None:
            bound = self.literals[literal] = parse_rational(literal)
        if usual["relation"] == "<=":
            self.upper[index] = min(self.upper.get(index, bound), bound)
        else:
            self.lower[index] = max(self.lower.get(index, bound), bound)
