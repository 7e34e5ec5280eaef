"""Properties in the meaning of VNN-LIB: a union of cases, each an input region with output bounds.

The property describes what is *unsafe*: it holds for a model if no input of a case's region has
outputs that satisfy the case's inequalities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import TypeAlias

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound, Box, Side
from tamecheck.ir.tensor import Shape, size_of

Terms: TypeAlias = tuple[tuple[int, Fraction], ...]
"""A linear form: pairs of a flat index and its coefficient, none of them 0, by index."""


@dataclass(frozen=True, slots=True)
class Inequality:
    """``Σ a_i x_i + Σ c_j y_j ≤ bound``, or ``<`` if strict, over flat inputs x and outputs y."""

    inputs: Terms
    outputs: Terms
    bound: Fraction
    strict: bool = False

    def holds(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
        """Whether the inequality holds at a point."""
        left = sum((c * x[i] for i, c in self.inputs), Fraction(0))
        left += sum((c * y[j] for j, c in self.outputs), Fraction(0))
        return left < self.bound if self.strict else left <= self.bound


@dataclass(frozen=True, slots=True)
class Case:
    """One way to be unsafe: an input in the box with all the inequalities.

    ``region`` holds the inequalities over inputs that the box does not express; ``outputs`` those
    in which an output occurs.
    """

    lower: tuple[Bound, ...]
    upper: tuple[Bound, ...]
    region: tuple[Inequality, ...]
    outputs: tuple[Inequality, ...]

    def contains(self, x: Sequence[Fraction]) -> bool:
        """Whether an input is in the region of the case."""
        inside = all(
            (low is None or low <= value) and (high is None or value <= high)
            for low, value, high in zip(self.lower, x, self.upper, strict=True)
        )
        return inside and all(one.holds(x, ()) for one in self.region)

    def unsafe(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
        """Whether the input ``x`` with outputs ``y`` satisfies the case."""
        return self.contains(x) and all(one.holds(x, y) for one in self.outputs)

    def whole(self, ends: Mapping[int, tuple[int, int]]) -> Case | None:
        """The case where some inputs are integers between given ends; None where it is empty.

        Strict bounds of such an input become bounds of the box.
        """
        low = {index: Fraction(first) for index, (first, _) in ends.items()}
        high = {index: Fraction(last) for index, (_, last) in ends.items()}
        region: list[Inequality] = []
        for one in self.region:
            if len(one.inputs) != 1 or one.inputs[0][0] not in ends:
                region.append(one)
                continue
            index, coefficient = one.inputs[0]
            bound = one.bound / coefficient
            if coefficient > 0:
                last = ceil(bound) - 1 if one.strict else floor(bound)
                high[index] = min(high[index], Fraction(last))
            else:
                first = floor(bound) + 1 if one.strict else ceil(bound)
                low[index] = max(low[index], Fraction(first))
        lower, upper = list(self.lower), list(self.upper)
        for index in ends:
            least, most = lower[index], upper[index]
            least = low[index] if least is None else max(low[index], Fraction(ceil(least)))
            most = high[index] if most is None else min(high[index], Fraction(floor(most)))
            if least > most:
                return None
            lower[index], upper[index] = least, most
        return Case(tuple(lower), tuple(upper), tuple(region), self.outputs)


@dataclass(frozen=True, slots=True)
class TensorName:
    """A tensor as the property declares it; ``model_name`` is its name in the model, if given.

    ``element_type`` is as the file writes it, ``float32`` or ``real``.
    """

    name: str
    shape: Shape
    model_name: str = ""
    element_type: str = "real"

    @property
    def integral(self) -> bool:
        """Whether the declared type is one of integers."""
        return "int" in self.element_type.lower()

    @property
    def ends(self) -> tuple[int, int] | None:
        """The least and the greatest number of a declared type of integers, of 64 bits if open."""
        kind = self.element_type.lower()
        if not self.integral:
            return None
        bits = int("".join(filter(str.isdigit, kind)) or 64)
        return (
            (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )


@dataclass(frozen=True, slots=True)
class NetworkName:
    """A network as the property declares it; ``equal_to`` names the network whose model it has.

    One that is ``isomorphic`` to another has its shapes, perhaps with other element types.
    """

    name: str
    inputs: tuple[TensorName, ...]
    hidden: tuple[TensorName, ...]
    outputs: tuple[TensorName, ...]
    equal_to: str = ""
    isomorphic: bool = False


@dataclass(frozen=True, slots=True)
class Specification:
    """A property: violated by an input and its outputs that satisfy some case."""

    inputs: tuple[TensorName, ...]
    outputs: tuple[TensorName, ...]
    """The declared tensors; flat indices run through them in this order."""
    cases: tuple[Case, ...]
    """The cases; none if the region of every one is seen to be empty."""
    where: str = ""
    """The file."""
    networks: tuple[NetworkName, ...] = ()
    """The declared networks (version 2.0), whose inputs follow each other in ``inputs``, and whose
    hidden tensors and outputs follow each other in ``outputs``."""
    products: tuple[tuple[int, ...], ...] = ()
    """Products of elements, which come after all outputs; a factor is i for input i, -1-j for
    output j."""

    @property
    def is_joint(self) -> bool:
        """Whether it is about more than the inputs and outputs of one network."""
        several = len(self.networks) > 1 or any(network.hidden for network in self.networks)
        return several or bool(self.products)

    @property
    def input_size(self) -> int:
        """The number of input elements."""
        return sum(size_of(tensor.shape) for tensor in self.inputs)

    @property
    def integral(self) -> tuple[bool, ...]:
        """Of each input element whether its tensor is declared to have integers."""
        return tuple(one.integral for one in self.inputs for _ in range(size_of(one.shape)))

    @property
    def output_size(self) -> int:
        """The number of output elements, products included."""
        return sum(size_of(tensor.shape) for tensor in self.outputs) + len(self.products)

    def unsafe(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
        """Whether the input ``x`` with outputs ``y``, both flat, violates the property."""
        return self.admits(x) and any(case.unsafe(x, y) for case in self.cases)

    def whole(self) -> Specification:
        """The same property in boxes that end at integers of the type, where one is declared."""
        types = [tensor.ends for tensor in self.inputs for _ in range(size_of(tensor.shape))]
        ends = {index: known for index, known in enumerate(types) if known is not None}
        if not ends:
            return self
        cases = (case.whole(ends) for case in self.cases)
        return replace(self, cases=tuple(case for case in cases if case is not None))

    def admits(self, x: Sequence[Fraction]) -> bool:
        """Whether an input has integers where they are declared."""
        return all(
            value.denominator == 1
            for value, is_integer in zip(x, self.integral, strict=True)
            if is_integer
        )

    def hull(self) -> tuple[tuple[Bound, ...], tuple[Bound, ...]]:
        """The smallest bounds that hold in the box of every case.

        Raises `InputError` if there is no case.
        """
        if not self.cases:
            raise InputError("The input region is empty.", where=self.where)
        first, *rest = self.cases
        lower, upper = list(first.lower), list(first.upper)
        for case in rest:
            if case.lower is not first.lower:
                lower = [_least(a, b) for a, b in zip(lower, case.lower, strict=True)]
            if case.upper is not first.upper:
                upper = [_greatest(a, b) for a, b in zip(upper, case.upper, strict=True)]
        return tuple(lower), tuple(upper)

    def box(self, inputs: Mapping[str, Shape]) -> Box:
        """The hull of the input region, as a box for a model's inputs.

        A single declared tensor is spread over all inputs in C order; several are matched by the
        model's names where they are given, else by their order.

        Raises
        ------
        InputError
            If the sizes do not fit, or the region is empty.
        """
        lower, upper = self.hull()
        sides: dict[str, Side] = {}
        for name, start in self._starts(inputs).items():
            stop = start + size_of(inputs[name])
            sides[name] = Side(lower[start:stop], upper[start:stop])
        return Box(sides)

    def _starts(self, inputs: Mapping[str, Shape]) -> dict[str, int]:
        """The flat index at which each input of the model starts."""
        total = sum(size_of(shape) for shape in inputs.values())
        if total != self.input_size:
            raise InputError(
                f"The property is about {self.input_size} input elements, the model has {total}.",
                where=self.where,
            )
        if len(self.inputs) == 1:
            return dict(zip(inputs, _offsets(inputs.values()), strict=True))
        offsets = _offsets(tensor.shape for tensor in self.inputs)
        named = {tensor.model_name: i for i, tensor in enumerate(self.inputs)}
        order = (
            [named[name] for name in inputs]
            if all(name in named for name in inputs) and len(named) == len(inputs)
            else range(len(self.inputs))
        )
        if len(self.inputs) != len(inputs):
            raise InputError(
                f"The property declares {len(self.inputs)} inputs, the model has {len(inputs)}.",
                where=self.where,
            )
        starts: dict[str, int] = {}
        for (name, shape), i in zip(inputs.items(), order, strict=True):
            declared = self.inputs[i]
            if size_of(declared.shape) != size_of(shape):
                raise InputError(
                    f"Input {name!r} has shape {shape}, but {declared.name!r} in the property has "
                    f"shape {declared.shape}.",
                    where=self.where,
                )
            starts[name] = offsets[i]
        return starts


def _least(a: Bound, b: Bound) -> Bound:
    return None if a is None or b is None else min(a, b)


def _greatest(a: Bound, b: Bound) -> Bound:
    return None if a is None or b is None else max(a, b)


def _offsets(shapes: Iterable[Shape]) -> list[int]:
    offsets, total = list[int](), 0
    for shape in shapes:
        offsets.append(total)
        total += size_of(shape)
    return offsets
