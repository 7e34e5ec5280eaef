"""What a VNN-LIB file declares: flat variables in version 1; tensors of networks in version 2."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from itertools import chain, count
from typing import Literal, TypeAlias

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.affine import AffineForm
from tamecheck.ir.spec import NetworkName, TensorName
from tamecheck.ir.tensor import Shape, size_of
from tamecheck.loaders.text.sexpr import Atom

MAX_VARIABLES = 10_000_000
MAX_PRODUCTS = 1_000
MAX_FACTORS = 32
FLAT = re.compile(r"(?P<kind>[XYxy])_(?P<index>[0-9]{1,9})")

Kind: TypeAlias = Literal["input", "hidden", "output"]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor declared inside a network."""

    kind: Kind
    tensor: TensorName


@dataclass(frozen=True, slots=True)
class Equivalence:
    """``(equal-to name)`` or ``(isomorphic-to name)`` inside a network."""

    equal: bool
    name: str


Part: TypeAlias = Tensor | Equivalence


@dataclass(slots=True)
class Variables:
    """What the file has declared so far.

    In version 1 these are flat indices, in version 2 networks, whose tensors have the offset of
    their elements among all inputs, or among all hidden tensors and outputs.
    """

    version: int = 1
    flat: dict[str, set[int]] = field(default_factory=lambda: {"X": set[int](), "Y": set[int]()})
    networks: list[NetworkName] = field(default_factory=list[NetworkName])
    dependent: set[str] = field(default_factory=set[str])
    tensors: dict[str, tuple[TensorName, int, bool]] = field(
        default_factory=dict[str, tuple[TensorName, int, bool]]
    )
    products: dict[tuple[int, ...], int] = field(default_factory=dict[tuple[int, ...], int])

    def declare(self, kind: str, index: int) -> None:
        """Declare ``X_index`` or ``Y_index`` (version 1)."""
        known = self.flat[kind]
        if index in known:
            raise InputError(f"{kind}_{index} is declared twice.")
        if self.products:
            raise InputError(f"{kind}_{index} is declared after a product of variables.")
        known.add(index)

    def declare_network(self, name: str, parts: Sequence[Part]) -> None:
        """Declare a network and its tensors (version 2)."""
        if self.version != 2:
            raise InputError("'declare-network' needs (vnnlib-version <2.0>) before it.")
        if self.products:
            raise InputError("'declare-network' stands after an assertion.")
        if name in self.tensors or any(name == known.name for known in self.networks):
            raise InputError(f"{name!r} is declared twice.")
        if any(isinstance(part, Tensor) and part.tensor.name == name for part in parts):
            raise InputError(f"{name!r} is declared twice.")
        inputs, hidden, outputs = (
            tuple(p.tensor for p in parts if isinstance(p, Tensor) and p.kind == kind)
            for kind in ("input", "hidden", "output")
        )
        if not inputs or not outputs:
            what = "'declare-network' needs a name, then declare-input and declare-output."
            raise InputError(what)
        network = NetworkName(name, inputs, hidden, outputs)
        relations = [part for part in parts if isinstance(part, Equivalence)]
        if relations:
            self.dependent.add(name)
            network = self._related(network, relations)
        sizes = [size_of(tensor.shape) for tensor in self.names(output=False)]
        start = sum(sizes)
        after = sum(size_of(tensor.shape) for tensor in self.names(output=True))
        for tensor in inputs:
            self._declare_tensor(tensor, start, output=False)
            start += size_of(tensor.shape)
        for tensor in (*hidden, *outputs):
            self._declare_tensor(tensor, after, output=True)
            after += size_of(tensor.shape)
        if max(start, after) > MAX_VARIABLES:
            raise InputError(f"More than {MAX_VARIABLES} variables are declared.")
        self.networks.append(network)

    def _declare_tensor(self, tensor: TensorName, start: int, *, output: bool) -> None:
        if tensor.name in self.tensors or any(tensor.name == n.name for n in self.networks):
            raise InputError(f"{tensor.name!r} is declared twice.")
        self.tensors[tensor.name] = (tensor, start, output)

    def _related(self, network: NetworkName, relations: Sequence[Equivalence]) -> NetworkName:
        """The network with the model of another one, if it is equal to that."""
        word = "equal-to" if relations[0].equal else "isomorphic-to"
        if len(relations) > 1:
            raise InputError(f"{network.name!r} has more than one equal-to or isomorphic-to.")
        target = next((n for n in self.networks if n.name == relations[0].name), None)
        if target is None or target.name in self.dependent:
            raise InputError(
                f"{network.name!r} is {word} {relations[0].name!r}, which must be an earlier "
                "network that is itself neither equal-to nor isomorphic-to another."
            )
        if _interface(network, types=relations[0].equal) != _interface(
            target, types=relations[0].equal
        ):
            what = f"{network.name!r} is {word} {target.name!r}, but declares other tensors."
            raise InputError(what)
        same = target.name if relations[0].equal else ""
        return replace(network, equal_to=same, isomorphic=not same)

    def names(self, *, output: bool) -> tuple[TensorName, ...]:
        """The declared input tensors, or the hidden ones and outputs."""
        if self.version == 2:
            return tuple(
                tensor
                for n in self.networks
                for tensor in ((*n.hidden, *n.outputs) if output else n.inputs)
            )
        kind = "Y" if output else "X"
        known = self.flat[kind]
        if known and max(known) != len(known) - 1:
            gap = next(i for i in count() if i not in known)
            raise InputError(f"{kind}_{max(known)} is declared, but not {kind}_{gap}.")
        return (TensorName(kind, (len(known),)),) if known else ()

    def element(self, atom: Atom) -> AffineForm:
        """The variable that a word names: input i is ``i``, output j is ``-1-j``."""
        if self.version == 2:
            found = self.tensors.get(atom.text)
            if found is None:
                raise InputError(f"{atom_text(atom)} is not declared.")
            tensor, start, output = found
            index = start + _position(atom, tensor.shape)
        else:
            flat = FLAT.fullmatch(atom.text)
            if flat is None or atom.indices is not None:
                hint = "Variables are X_i (input) and Y_j (output)."
                raise InputError(f"{atom_text(atom)} is no variable.", hint=hint)
            index, output = int(flat["index"]), flat["kind"].upper() == "Y"
            if index not in self.flat[flat["kind"].upper()]:
                raise InputError(f"{atom.text} is not declared.")
        return AffineForm.variable(-1 - index if output else index)

    def product(self, left: AffineForm, right: AffineForm) -> AffineForm:
        """The product of two forms, each product of variables as a further output."""
        parts: list[AffineForm] = []
        for (v, a), (w, b) in (
            (one, other) for one in _summands(left) for other in _summands(right)
        ):
            key = tuple(sorted(chain(self._factors(v), self._factors(w))))
            if len(key) < 2:
                parts.append(AffineForm(dict.fromkeys(key, a * b), Fraction(0) if key else a * b))
                continue
            if key not in self.products:
                first = sum(size_of(tensor.shape) for tensor in self.names(output=True))
                self.products[key] = -1 - first - len(self.products)
            parts.append(AffineForm({self.products[key]: a * b}))
            if len(self.products) > MAX_PRODUCTS or len(key) > MAX_FACTORS:
                raise UnsupportedError(
                    f"The constraints have more than {MAX_PRODUCTS} products of variables, or one "
                    f"of more than {MAX_FACTORS} factors."
                )
        return AffineForm.total(parts)

    def _factors(self, variable: int | None) -> tuple[int, ...]:
        if variable is None:
            return ()
        known = (key for key, code in self.products.items() if code == variable)
        return next(known, (variable,))


def _summands(form: AffineForm) -> list[tuple[int | None, Fraction]]:
    """The variables of a form and their coefficients; its constant belongs to None."""
    constant: list[tuple[int | None, Fraction]] = [(None, form.constant)] if form.constant else []
    return [*form.terms.items(), *constant]


def _interface(network: NetworkName, *, types: bool) -> list[list[tuple[Shape, str]]]:
    return [
        [(tensor.shape, tensor.element_type if types else "") for tensor in tensors]
        for tensors in (network.inputs, network.outputs)
    ]


def atom_text(atom: Atom) -> str:
    """A word as an error quotes it."""
    indices = "" if atom.indices is None else f"[{','.join(map(str, atom.indices))}]"
    return repr((atom.text + indices)[:60])


def _position(atom: Atom, shape: Shape) -> int:
    indices = atom.indices or ()
    if len(indices) != len(shape) or any(i >= n for i, n in zip(indices, shape, strict=True)):
        raise InputError(f"{atom_text(atom)} is no element of a tensor of shape {list(shape)}.")
    return reduce(lambda place, at: place * at[1] + at[0], zip(indices, shape, strict=True), 0)
