"""VNN-LIB 1.0 and 2.0: input regions and properties, with exact numbers."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from fractions import Fraction

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.spec import Case, Specification
from tamecheck.ir.tensor import size_of
from tamecheck.loaders.files import read_text
from tamecheck.loaders.text.linear_logic import Dnf, both, case_of
from tamecheck.loaders.text.sexpr import GAP, Atom, line_of, read_form
from tamecheck.loaders.text.vnnlib_forms import Assertion, Item, Variables, Voided, fold_form

__all__ = ["parse_vnnlib", "read_vnnlib"]

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
        If a constraint is not linear, or there are several networks or too many cases.
    """
    return parse_vnnlib(read_text(path, limit=MAX_LENGTH), where=str(path))


def parse_vnnlib(text: str, *, where: str = "vnnlib") -> Specification:
    """The property that a text in VNN-LIB 1.0 or 2.0 states.

    In 1.0, ``X_i`` and ``Y_j`` are the flat inputs and outputs; in 2.0 they are declared tensors.
    Literals are exact: ``0.1`` is 1/10.

    Raises
    ------
    InputError, UnsupportedError
        As `read_vnnlib`.
    """
    reader = _Reader(text, where)
    try:
        reader.run()
        return reader.specification()
    except (InputError, UnsupportedError) as error:
        if error.where:
            raise
        raise type(error)(error.what, where=reader.place, hint=error.hint) from None


@dataclass(slots=True)
class _Reader:
    text: str
    where: str
    position: int = 0
    variables: Variables = field(default_factory=Variables)
    lower: dict[int, Fraction] = field(default_factory=dict[int, Fraction])
    upper: dict[int, Fraction] = field(default_factory=dict[int, Fraction])
    asserted: list[Dnf] = field(default_factory=list[Dnf])
    literals: dict[str, Fraction] = field(default_factory=dict[str, Fraction])

    @property
    def place(self) -> str:
        """The file and the line up to which it has been read."""
        return f"{self.where}, line {line_of(self.text, self.position)}"

    def run(self) -> None:
        """Read every command."""
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
            value, end = read_form(self.text, self.position, self.where, self._fold)
            if isinstance(value, Assertion):
                self.asserted.append(value.dnf)
            elif not isinstance(value, Voided):
                raise InputError("A term or condition stands outside of 'assert'.")
            self.position = end

    def specification(self) -> Specification:
        """The property that has been read."""
        inputs = self.variables.names(output=False)
        outputs = self.variables.names(output=True)
        if not inputs:
            raise InputError("No input is declared.", hint="Is this a VNN-LIB file?")
        size = sum(size_of(tensor.shape) for tensor in inputs)
        known = both([dnf for dnf in self.asserted if len(dnf) == 1])
        lower = tuple(self.lower.get(i) for i in range(size))
        upper = tuple(self.upper.get(i) for i in range(size))
        shared = case_of(tuple(one for clause in known for one in clause), lower, upper)
        cases: list[Case] = []
        if shared is not None and not any(map(_empty, shared.lower, shared.upper)):
            clauses = both([dnf for dnf in self.asserted if len(dnf) != 1])
            found = (case_of(clause, shared.lower, shared.upper) for clause in clauses)
            cases.extend(_joined(shared, case) for case in found if case is not None)
        return Specification(inputs, outputs, tuple(cases), self.where)

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

    def _fold(self, items: list[Atom | Item]) -> Item:
        return fold_form(items, self.variables)


def _joined(shared: Case, case: Case) -> Case:
    region, outputs = shared.region + case.region, shared.outputs + case.outputs
    return Case(case.lower, case.upper, region, outputs)


def _empty(low: Bound, high: Bound) -> bool:
    return low is not None and high is not None and low > high
