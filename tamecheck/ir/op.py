"""The record of a primitive op: its meaning, from which every analysis is derived."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.formula import TRUE, Condition, Piece, Term, TermLike, remembered
from tamecheck.ir.tensor import Array, Shape

Value: TypeAlias = "int | bool | str | Fraction | tuple[int, ...] | None"
Params: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Param:
    """A named static parameter of an op: its kind, for reading and checking files."""

    name: str
    kind: type[int | bool | str | Fraction | tuple[int, ...]]
    optional: bool = False


def _told_apart(params: Params) -> Hashable:
    return tuple(params.items())


@dataclass(frozen=True, slots=True)
class Pointwise:
    """A scalar function, applied elementwise with NumPy broadcasting.

    ``pieces(params)`` is its graph; ``domain(params)`` the condition under which it has a value.
    Where the pieces are forms of one smooth function, ``whole`` is one term for all arguments,
    for readers that do not compute with floats.
    """

    pieces: Callable[[Params], tuple[Piece, ...]]
    domain: Callable[[Params], Condition] = lambda _params: TRUE
    whole: Term | None = None

    def __post_init__(self) -> None:
        # the same terms are read at every point and by every analysis
        for name, make in (("pieces", self.pieces), ("domain", self.domain)):
            if not isinstance(make, remembered):
                object.__setattr__(self, name, remembered(make, _told_apart))


@dataclass(frozen=True, slots=True)
class Routing:
    """Every output element is a copy of an input element, or of a constant.

    ``route(arrays, params)`` does it to arrays of any element type.
    """

    route: Callable[[Sequence[Array], Params], Array]


@dataclass(frozen=True, slots=True)
class Contraction:
    """A map that is linear in each argument: sums of products, ``matmul``."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A commutative, associative scalar op folded over axes: sum, product, maximum, minimum.

    ``floats`` is the scalar op in NumPy.
    """

    op: Op
    floats: np.ufunc


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice that compares its arguments: argmax, argsort, indexing by computed indices.

    ``largest`` says of one that takes the largest element or the smallest which of both it takes.
    """

    largest: bool | None = None


@dataclass(frozen=True, slots=True)
class Expansion:
    """Defined by an expression in other ops; kept whole for a stable float value.

    ``expand(apply, argument, shape, params)`` builds it, where ``apply(name, args, **params)`` adds
    a node and returns its id; ``floats(array, params)`` is the value in float64.
    """

    expand: Callable[[Callable[..., int], int, Shape, Params], int]
    floats: Callable[[Array, Params], Array]
    values: tuple[float, float] = (-math.inf, math.inf)
    """Bounds of the values at all arguments."""
    keeps_order: bool = False
    """Whether the values along the axis are ordered as the arguments are."""
    total: Fraction | None = None
    """What the values along the axis add up to at all arguments, if that is known."""


Meaning: TypeAlias = Pointwise | Routing | Contraction | Fold | Selection | Expansion


@dataclass(frozen=True, slots=True)
class Regularity:
    """Facts on the whole domain, claimed here and tested by the laws.

    ``lipschitz`` means locally Lipschitz on the domain; where that fails only at the boundary of
    the domain (a square root at 0), ``lipschitz_inside`` is the condition under which it holds, and
    ``lipschitz_given`` another one for an argument that does not change.
    """

    continuous: bool = True
    lipschitz: bool = True
    lipschitz_inside: Callable[[Params], Condition] | None = None
    lipschitz_given: Mapping[int, Condition] = field(
        default_factory=dict[int, Condition], hash=False
    )


Framework: TypeAlias = Literal["PyTorch", "JAX"]
"""A framework whose automatic differentiation has conventions at kinks."""

Ties: TypeAlias = Literal["even", "first"]
"""Whether tied elements share the derivative of a fold evenly, or the first takes all of it."""

Partials: TypeAlias = Callable[[Params], tuple[TermLike, ...]]
"""From the parameters, a term in the arguments for the partial derivative by each."""


@dataclass(frozen=True, slots=True)
class Kinks:
    """The partial derivatives that automatic differentiation takes where pieces meet.

    PyTorch may have several functions that are this op; they are named, since they may differ.
    """

    pytorch: Mapping[str, Partials] = field(hash=False)
    jax: Partials
    named: Mapping[str, Partials] = field(default_factory=dict[str, Partials], hash=False)
    """Functions of PyTorch that are this op where a graph says so."""

    def by(self, framework: Framework, function: str = "") -> dict[str, Partials]:
        """Those of a framework, of one of its functions if it is known which."""
        if framework == "JAX":
            return {"": self.jax}
        for known in (self.pytorch, self.named):
            if function in known:
                return {function: known[function]}
        return dict(self.pytorch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One primitive operation.

    Parameters
    ----------
    name
        As it stands in graphs and certificates.
    summary
        The mathematical statement of what it computes.
    arity
        The number of arguments; None for one or more.
    params
        The static parameters.
    shape
        The output shape; raises `InputError` where the arguments do not fit.
    meaning
        The definition that all else must agree with.
    regularity
        Continuity facts.
    kinks
        What automatic differentiation takes where pieces meet; if None, the derivatives of the
        piece that holds there.
    ties
        For each function of PyTorch that is this fold, what it takes where elements are tied.
    source
        Where the op, or the value at its special points, is defined.
    """

    name: str
    summary: str
    arity: int | None = 1
    params: tuple[Param, ...] = ()
    shape: Callable[[Sequence[Shape], Params], Shape]
    meaning: Meaning
    regularity: Regularity = field(default_factory=Regularity)
    kinks: Kinks | None = None
    ties: Mapping[str, Ties] = field(default_factory=dict[str, Ties], hash=False)
    source: str = ""

    def checked(self, params: Mapping[str, Value]) -> Params:
        """The parameters, once all are there and of their kind.

        Raises
        ------
        InputError
            On a missing, unknown or ill-typed parameter.
        """
        known = {param.name: param for param in self.params}
        for name in params:
            if name not in known:
                raise InputError(f"op {self.name} has no parameter {name!r}.")
        for name, param in known.items():
            if name not in params:
                raise InputError(f"op {self.name} needs parameter {name!r}.")
            value = params[name]
            if value is None and param.optional:
                continue
            if param.kind in (int, bool, str, Fraction):
                # bool is a subclass of int, but no axis
                fits = type(value) is param.kind
            else:
                fits = isinstance(value, tuple)
            if not fits:
                raise InputError(f"op {self.name}: parameter {name!r} cannot be {value!r}.")
        return MappingProxyType(dict(sorted(params.items())))
