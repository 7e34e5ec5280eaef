"""Layers over flat vectors: values at points, and gradients by the chain rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tamecheck.bounds.linear import Combine, Dense, Linear, Route, Scale
from tamecheck.bounds.nonlinear import Largest, Nonlinear, Pointwise, Product
from tamecheck.ir.tensor import Array

__all__ = ["Entry", "Layer", "Layers"]


@dataclass(frozen=True, slots=True)
class Entry:
    """The whole input, all input tensors one after the other."""

    size: int
    args: tuple[()] = ()


Layer: TypeAlias = Entry | Linear | Nonlinear


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """Layers in order, the first the input and the last the output, both flat.

    A constant is known to a relative 2**-44, which the bounds allow for.
    """

    layers: tuple[Layer, ...]

    @property
    def inputs(self) -> int:
        """The number of input elements."""
        return self.layers[0].size

    @property
    def output(self) -> int:
        """The number of the output layer."""
        return len(self.layers) - 1

    def values(self, x: Array) -> list[Array]:
        """The values of every layer at points ``(..., inputs)``, in float64."""
        found: list[Array] = []
        for layer in self.layers:
            args = [found[arg] for arg in layer.args]
            match layer:
                case Entry():
                    found.append(x)
                case Route() | Scale() | Combine() | Dense():
                    value = layer.apply(args)
                    found.append(value if layer.offset is None else value + layer.offset)
                case Pointwise() | Product() | Largest():
                    found.append(layer.apply(args))
        return found

    def gradient(self, values: Sequence[Array], a: Array) -> Array:
        """The gradient in the input of ``a · output`` by the chain rule, for one a point."""
        grads: dict[int, Array] = {self.output: a}
        for index in range(self.output, 0, -1):
            layer = self.layers[index]
            if index not in grads:
                continue
            g = grads.pop(index)
            match layer:
                case Entry():
                    continue
                case Route() | Scale() | Combine() | Dense():
                    parts = layer.adjoint(g)
                case Pointwise() | Product() | Largest():
                    parts = layer.gradient([values[arg] for arg in layer.args], g)
            for arg, part in zip(layer.args, parts, strict=True):
                grads[arg] = grads[arg] + part if arg in grads else part
        return grads.get(0, np.zeros_like(values[0]))
