"""For every op: parameters to try, the shapes of its arguments, and a reference in plain NumPy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ops import ALL, BY_NAME
from tamecheck.ops.piecewise import ROUND_MODES

F = Fraction
GRID = tuple(
    F(value)
    for value in ("0", "1/2", "-1/2", "1", "-1", "3/2", "-3/2", "2", "-2", "5/2", "-5/2", "3", "-3")
)
"""Zero, halves, integers: where pieces meet, and where rounding ties."""
FINE = (*GRID, F(1, 4), F(-1, 4), F(3, 4), F(-3, 4), F(1, 3), F(-2, 3), F(7, 5), F(-13, 7))


@dataclass(frozen=True)
class Sample:
    """An op with parameters, and the shapes of its arguments where they matter."""

    op: Op
    params: Params
    shapes: tuple[tuple[int, ...], ...] = ()
    values: tuple[Fraction, ...] = GRID
    indices: tuple[tuple[int, ...], ...] = ()

    @property
    def pointwise(self) -> bool:
        return isinstance(self.op.meaning, Pointwise)

    def __str__(self) -> str:
        return f"{self.op.name}-{'-'.join(str(v) for v in self.params.values())}"

    def points(self) -> list[np.ndarray[Any, Any]]:
        """The whole grid, one flat array an argument, for a pointwise op."""
        arity = self.op.arity or 1
        values = FINE if arity == 1 else GRID if arity == 2 else GRID[:7]
        rows = list(itertools.product(values, repeat=arity))
        return [objects([row[i] for row in rows]) for i in range(arity)]


def objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def _sample(name: str, shapes: tuple[tuple[int, ...], ...] = (), **params: Any) -> Sample:
    return Sample(BY_NAME[name], BY_NAME[name].checked(params), shapes)


def _scalars() -> Iterator[Sample]:
    for op in ALL:
        if isinstance(op.meaning, Pointwise) and not op.params:
            yield _sample(op.name)
    for alpha in (F(1, 100), F(-2)):
        yield _sample("leaky_relu", alpha=alpha)
    yield _sample("elu", alpha=F(1), beta=F(1))
    yield _sample("elu", alpha=F(3, 2), beta=F(1, 2))
    for low, high in ((F(-1), F(1)), (None, F(6)), (F(0), None), (None, None), (F(1), F(1))):
        yield _sample("clip", lo=low, hi=high)
    for at_zero in (F(0), F(1), F(-1), F(1, 2)):
        yield _sample("sign", at_zero=at_zero)
        yield _sample("step", at_zero=at_zero)
    for mode in ROUND_MODES:
        yield _sample("round", mode=mode)
    for exponent in map(F, ("0", "1", "2", "3", "-1", "-2", "1/2", "1/3", "3/2", "-1/2", "7")):
        yield _sample("pow", exponent=exponent)


def _tensors() -> Iterator[Sample]:
    yield _sample("reshape", ((2, 3),), shape=(3, 2))
    yield _sample("reshape", ((1, 1),), shape=())
    yield _sample("transpose", ((2, 3, 1),), perm=(2, 0, 1))
    yield _sample("slice", ((3, 4),), starts=(2, 0), steps=(-1, 2), sizes=(3, 2))
    yield _sample("concat", ((2, 1), (2, 2), (2, 1)), axis=1)
    yield _sample("pad", ((2, 2),), before=(1, 0), after=(0, 2), value=F(1, 3))
    yield _sample("broadcast", ((2, 1),), shape=(3, 2, 2))
    yield _sample("matmul", ((2, 3), (3, 2)))
    yield _sample("matmul", ((3,), (3,)))
    yield _sample("matmul", ((2, 2, 2), (2, 1)))
    yield _sample("matmul", ((2,), (3, 2, 2)))
    for name in ("sum", "prod", "reduce_max", "reduce_min"):
        yield _sample(name, ((2, 3),), axes=(0, 1), keepdims=False)
        yield _sample(name, ((2, 3, 2),), axes=(1,), keepdims=True)
    for name, last in itertools.product(("argmax", "argmin"), (False, True)):
        yield _sample(name, ((2, 4),), axis=1, keepdims=False, last=last)
        yield _sample(name, ((3, 2),), axis=0, keepdims=True, last=last)
    for descending in (False, True):
        yield _sample("argsort", ((2, 4),), axis=1, descending=descending)
        yield _sample("argsort", ((3, 2),), axis=0, descending=descending)
    yield _sample("softmax", ((2, 3),), axis=1)
    yield _sample("log_softmax", ((2, 3),), axis=0)
    yield _sample("logsumexp", ((2, 3),), axes=(0, 1), keepdims=True)
    gather, elements = BY_NAME["gather"], BY_NAME["gather_elements"]
    yield Sample(gather, {"axis": 1}, ((2, 3), (2, 2)), indices=((0, 2), (-1, 1)))
    yield Sample(elements, {"axis": 0}, ((3, 2), (2, 2)), indices=((0, 2), (1, 1)))


SAMPLES = [*_scalars(), *_tensors()]


def _round_half(x: Any, tie: Callable[[float], float]) -> Any:
    def one(v: float) -> float:
        low = math.floor(v)
        return tie(v) if v - low == 0.5 else float(math.floor(v + 0.5))

    return np.vectorize(one, otypes=[float])(x)


ROUNDINGS: dict[str, Callable[[Any], Any]] = {
    "half_even": np.rint,
    "half_up": lambda x: _round_half(x, math.ceil),
    "half_down": lambda x: _round_half(x, math.floor),
    "half_away": lambda x: _round_half(x, lambda v: math.copysign(math.ceil(abs(v)), v)),
    "half_toward_zero": lambda x: _round_half(x, lambda v: math.copysign(math.floor(abs(v)), v)),
    "toward_zero": np.trunc,
    "away_from_zero": lambda x: np.copysign(np.ceil(np.abs(x)), x),
}


def _fl(value: Any) -> float:
    return float(value)


def _softmax(x: Any, axis: Any) -> Any:
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


def _last(choose: Callable[..., Any], x: Any, p: Params) -> Any:
    axis, keep = p["axis"], p["keepdims"]
    if not p["last"]:
        return choose(x, axis=axis, keepdims=keep)
    return x.shape[int(str(axis))] - 1 - choose(np.flip(x, axis=axis), axis=axis, keepdims=keep)


def _stable(x: Any, p: Params) -> Any:
    return np.argsort(-x if p["descending"] else x, axis=p["axis"], kind="stable")


_OF_NUMPY = (
    *("abs", "floor", "ceil", "sqrt", "exp", "log"),
    *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("sin", "cos", "tan", "asin", "acos", "atan"),
)


def _of_numpy(name):
    function = getattr(np, name)
    return lambda x, _p: function(x)


REFERENCES: dict[str, Callable[..., Any]] = {
    "add": lambda x, y, _p: x + y,
    "sub": lambda x, y, _p: x - y,
    "mul": lambda x, y, _p: x * y,
    "div": lambda x, y, _p: x / y,
    "neg": lambda x, _p: -x,
    **{name: _of_numpy(name) for name in _OF_NUMPY},
    "relu": lambda x, _p: np.maximum(x, 0),
    "leaky_relu": lambda x, p: np.where(x > 0, x, _fl(p["alpha"]) * x),
    "prelu": lambda x, y, _p: np.where(x > 0, x, y * x),
    "elu": lambda x, p: np.where(x > 0, x, _fl(p["alpha"]) * np.expm1(x / _fl(p["beta"]))),
    "clip": lambda x, p: np.clip(
        x,
        -np.inf if p["lo"] is None else _fl(p["lo"]),
        np.inf if p["hi"] is None else _fl(p["hi"]),
    ),
    "maximum": lambda x, y, _p: np.maximum(x, y),
    "minimum": lambda x, y, _p: np.minimum(x, y),
    "sign": lambda x, p: np.where(x == 0, _fl(p["at_zero"]), np.sign(x)),
    "step": lambda x, p: np.heaviside(x, _fl(p["at_zero"])),
    "equal": lambda x, y, _p: x == y,
    "less": lambda x, y, _p: x < y,
    "less_equal": lambda x, y, _p: x <= y,
    "select": lambda c, x, y, _p: np.where(c != 0, x, y),
    "round": lambda x, p: ROUNDINGS[str(p["mode"])](x),
    "pow": lambda x, p: np.power(x, _fl(p["exponent"])),
    "power": lambda x, y, _p: np.power(x, y),
    "sigmoid": lambda x, _p: 1 / (1 + np.exp(-x)),
    "softplus": lambda x, _p: np.logaddexp(x, 0),
    "erf": lambda x, _p: np.vectorize(math.erf, otypes=[float])(x),
    "reshape": lambda x, p: np.reshape(x, p["shape"]),
    "transpose": lambda x, p: np.transpose(x, p["perm"]),
    "slice": lambda x, _p: x[::-1, :3:2],
    "concat": lambda x, y, z, p: np.concatenate([x, y, z], axis=p["axis"]),
    "pad": lambda x, p: np.pad(
        x, list(zip(p["before"], p["after"], strict=True)), constant_values=_fl(p["value"])
    ),
    "broadcast": lambda x, p: np.broadcast_to(x, p["shape"]),
    "matmul": lambda x, y, _p: x @ y,
    "sum": lambda x, p: x.sum(axis=p["axes"], keepdims=p["keepdims"]),
    "prod": lambda x, p: x.prod(axis=p["axes"], keepdims=p["keepdims"]),
    "reduce_max": lambda x, p: x.max(axis=p["axes"], keepdims=p["keepdims"]),
    "reduce_min": lambda x, p: x.min(axis=p["axes"], keepdims=p["keepdims"]),
    "argmax": lambda x, p: _last(np.argmax, x, p),
    "argmin": lambda x, p: _last(np.argmin, x, p),
    "argsort": _stable,
    "gather": lambda x, i, p: np.take(x, i.astype(int), axis=p["axis"]),
    "gather_elements": lambda x, i, p: np.take_along_axis(x, i.astype(int), axis=p["axis"]),
    "softmax": lambda x, p: _softmax(x, p["axis"]),
    "log_softmax": lambda x, p: np.log(_softmax(x, p["axis"])),
    "logsumexp": lambda x, p: np.log(np.exp(x).sum(axis=p["axes"], keepdims=p["keepdims"])),
}
