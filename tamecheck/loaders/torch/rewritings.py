"""Operators of PyTorch in terms of others that its exporter to ONNX knows.

Each is the same function of real numbers; where the exporter would round a constant such as pi or
the root of two, it is computed by an operator instead, which keeps it exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from tamecheck.errors import UnsupportedError
from tamecheck.loaders.torch import moves as matrices
from tamecheck.loaders.torch.moves import Call

NEGLIGIBLE = 1e-9
"""A threshold of softplus beyond which the function jumps by less than this is left out."""

_SYMBOLS: Mapping[str, str] = {
    name: name.capitalize() for name in ("sinh", "cosh", "asinh", "acosh", "atanh")
}
"""Operators of ONNX that the exporter does not use."""


def rewritings(torch: Any, call: Call) -> dict[str, Callable[..., Any]]:
    """How operators are written; some need to know the node that calls them."""
    return {
        **{name: partial(act, torch) for name, act in _PLAIN.items()},
        **{name: partial(act, torch, call) for name, act in _BY_NODE.items()},
        **{name: partial(_written_as, torch, symbol, name) for name, symbol in _SYMBOLS.items()},
    }


def _written_as(torch: Any, symbol: str, name: str, x: Any) -> Any:
    return _symbol(torch, symbol, name).apply(x)


@cache
def _symbol(torch: Any, symbol: str, name: str) -> Any:
    """A function that is written as one operator of ONNX."""

    def forward(_: Any, x: Any) -> Any:
        return getattr(torch, name)(x)

    def write(graph: Any, x: Any) -> Any:
        return graph.op(symbol, x).setType(x.type())

    members = {"forward": staticmethod(forward), "symbolic": staticmethod(write)}
    return type(symbol, (torch.autograd.Function,), members)


def _extent(x: Any, axis: int) -> int:
    """An extent as it is; the exporter would trace what is computed from ``x.shape``."""
    return int(x.shape[axis])


def _number(torch: Any, x: Any, number: float) -> Any:
    """A number as a tensor of its own, which the exporter does not fold into others."""
    return torch.full((), number, dtype=x.dtype)


def _pi(torch: Any, x: Any) -> Any:
    return torch.atan(_number(torch, x, 1.0)) * 4


def _batch_norm(torch: Any, x: Any, weight: Any, bias: Any, *statistics: Any) -> Any:
    mean, var, momentum, eps = statistics
    if x.dtype != torch.float64:
        found = torch.nn.functional.batch_norm(
            x, mean, var, weight, bias, training=False, momentum=momentum, eps=eps
        )
    else:
        # the exporter would round eps to float32
        wide = (-1, *[1] * (x.dim() - 2))
        found = (x - mean.reshape(wide)) / torch.sqrt(var.reshape(wide) + eps)
        found = found if weight is None else found * weight.reshape(wide)
        found = found if bias is None else found + bias.reshape(wide)
    # the second and third result are empty in evaluation mode
    return found, None, None


def _reshape(_: Any, call: Call, x: Any, *__: Any) -> Any:
    return x.reshape(tuple(call.node.meta["val"].shape))


def _to_copy(_: Any, x: Any, *, dtype: Any = None, **__: Any) -> Any:
    return x if dtype is None else x.to(dtype)


def _softplus(torch: Any, x: Any, beta: float = 1, threshold: float = 20) -> Any:
    smooth = torch.nn.functional.softplus(x, beta, threshold)
    if threshold > 0 and math.exp(-min(threshold, 700)) < NEGLIGIBLE * threshold:
        return smooth
    return torch.where(x * beta > threshold, x, smooth)


def _atan2(torch: Any, y: Any, x: Any) -> Any:
    pi, zero = _pi(torch, x), torch.zeros_like(x)
    base = torch.atan(y / torch.where(x == 0, torch.ones_like(x), x))
    left = torch.where(y >= 0, base + pi, base - pi)
    return torch.where(x > 0, base, torch.where(x < 0, left, torch.sign(y) * pi / 2 + zero))


def _sinc(torch: Any, x: Any) -> Any:
    scaled = x * _pi(torch, x)
    safe = torch.where(x == 0, torch.ones_like(x), scaled)
    return torch.where(x == 0, torch.ones_like(x), torch.sin(scaled) / safe)


def _xlogy(torch: Any, x: Any, y: Any) -> Any:
    # only where the logarithm has no value: elsewhere its slope by x is that of the product
    gone = (x == 0) & (y <= 0)
    product = x * torch.log(torch.where(gone, torch.ones_like(y), y))
    return torch.where(gone, torch.zeros_like(product), product)


def _ndtr(torch: Any, x: Any) -> Any:
    return (1 + torch.erf(x / torch.sqrt(_number(torch, x, 2.0)))) / 2


def _kth(torch: Any, x: Any, rank: int, dim: int = -1, keepdim: Any = None) -> Any:
    """The element of a rank along an axis, counted from the least, and its place."""
    if x.dim() == 0:
        return x, torch.zeros_like(x, dtype=torch.int64)
    values, places = torch.topk(x, rank, dim, largest=False, sorted=True)
    return tuple(
        part.narrow(dim, rank - 1, 1) if keepdim else part.select(dim, rank - 1)
        for part in (values, places)
    )


def _median(torch: Any, x: Any, dim: int | None = None, keepdim: Any = None) -> Any:
    """The lower of the two middle elements, where there are two."""
    if dim is None:
        flat = x.reshape(-1)
        return _kth(torch, flat, (_extent(flat, 0) + 1) // 2, 0)[0]
    return _kth(torch, x, (_extent(x, dim) + 1) // 2 if x.dim() else 1, dim, keepdim)


def _sort(torch: Any, call: Call, x: Any, *_: Any, **__: Any) -> Any:
    named = call.arguments
    return torch.sort(x, dim=named["dim"], descending=named["descending"])


def _argsort(torch: Any, call: Call, x: Any, *_: Any, **__: Any) -> Any:
    return _sort(torch, call, x)[1]


def _scan(torch: Any, join: Callable[[Any, Any], Any], x: Any, dim: int) -> Any:
    """The joins of the first elements along an axis, one after the other."""
    if x.dim() == 0:
        return x
    parts = list(x.unbind(dim))
    for i in range(1, len(parts)):
        parts[i] = join(parts[i - 1], parts[i])
    return torch.stack(parts, dim)


def _cumprod(torch: Any, x: Any, dim: int, **_: Any) -> Any:
    return _scan(torch, torch.mul, x, dim)


def _logcumsumexp(torch: Any, x: Any, dim: int) -> Any:
    if x.dim() == 0:
        return x
    sums = [torch.logsumexp(x.narrow(dim, 0, i + 1), dim) for i in range(_extent(x, dim))]
    return torch.stack(sums, dim)


def _searchsorted(torch: Any, call: Call, places: Any, x: Any, *_: Any, **__: Any) -> Any:
    named = call.arguments
    if named.get("sorter") is not None:
        raise UnsupportedError("a sorter of searchsorted is not read.")
    right = named.get("right") or named.get("side") == "right"
    spread = places if places.dim() == 1 else places.unsqueeze(-2)
    number = x.unsqueeze(-1) if torch.is_tensor(x) else x
    before = spread <= number if right else spread < number
    return before.to(torch.int64).sum(-1)


def _distances(torch: Any, difference: Any, p: float) -> Any:
    size = torch.abs(difference)
    if p == 2:
        return torch.sqrt((difference * difference).sum(-1))
    if p == 1:
        return size.sum(-1)
    if p == math.inf:
        return size.amax(-1)
    if p == 0:
        return (difference != 0).to(difference.dtype).sum(-1)
    return (size**p).sum(-1) ** (1 / p)


def _cdist(torch: Any, x: Any, y: Any, p: float, _mode: Any = None) -> Any:
    return _distances(torch, x.unsqueeze(-2) - y.unsqueeze(-3), p)


def _pdist(torch: Any, x: Any, p: float = 2) -> Any:
    first, second = torch.triu_indices(_extent(x, 0), _extent(x, 0), 1)
    return _distances(torch, x[first.tolist()] - x[second.tolist()], p)


def _index_add(_: Any, x: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    if x.dim() == 0:
        return x + source.reshape(()) * alpha
    wide = [-1 if i == dim % x.dim() else 1 for i in range(x.dim())]
    news = source if alpha == 1 else source * alpha
    return x.scatter_add(dim, index.reshape(wide).expand(source.shape), news)


def _index_put(torch: Any, *arguments: Any) -> Any:
    return torch.index_put(*arguments)


def _index(torch: Any, *arguments: Any) -> Any:
    return torch.ops.aten.index(*arguments)


def _bilinear(torch: Any, x: Any, y: Any, weight: Any, bias: Any = None) -> Any:
    found = torch.einsum("...i,oij,...j->...o", x, weight, y)
    return found if bias is None else found + bias


def _quantised(torch: Any, x: Any, scale: Any, zero: Any, *rest: Any) -> Any:
    low, high, *_ = rest
    return torch.clamp(torch.round(x / scale) + zero, low, high)


def _dequantised(_: Any, x: Any, scale: Any, zero: Any, *__: Any, **___: Any) -> Any:
    return (x - zero) * scale


def _by_channel(act: Callable[..., Any]) -> Callable[..., Any]:
    """The same with a scale and a zero point for each index of an axis."""

    def lower(torch: Any, x: Any, scale: Any, zero: Any, axis: int, *rest: Any, **_: Any) -> Any:
        wide = [-1 if i == axis % x.dim() else 1 for i in range(x.dim())]
        zeros = 0 if zero is None else zero.reshape(wide)
        return act(torch, x, scale.reshape(wide), zeros, *rest)

    return lower


def _bitwise(torch: Any, call: Call, *arguments: Any) -> Any:
    """Of truth values the operator of logic."""
    logic = call.node.meta["val"].dtype == torch.bool
    name = call.name.replace("bitwise_", "logical_")
    return getattr(torch, name)(*arguments) if logic else call.node.target(*arguments)


def _adaptive_average(torch: Any, call: Call, x: Any, size: Any) -> Any:
    """Means over windows that need not have the same width."""
    sizes = [size] if isinstance(size, int) else [*size]
    axes = range(x.dim() - len(sizes), x.dim())
    extents = [_extent(x, axis) for axis in axes]
    if all(n % (m or n) == 0 for n, m in zip(extents, sizes, strict=True)):
        return call.node.target(x, size)
    for axis, extent, count in zip(axes, extents, sizes, strict=True):
        starts = [(i * extent // count, -(-(i + 1) * extent // count)) for i in range(count or 0)]
        parts = [x.narrow(axis, a, b - a).mean(axis, keepdim=True) for a, b in starts]
        x = torch.cat(parts, axis) if parts else x
    return x


def _embedding_bag(torch: Any, call: Call, weight: Any, indices: Any, *_: Any, **__: Any) -> Any:
    """Sums, means or maxima of rows, in bags that begin at known places."""
    named = call.arguments
    offsets = named["offsets"].meta.get("known")
    if offsets is None or named.get("padding_idx", -1) >= 0:
        raise UnsupportedError("an embedding bag with computed offsets or padding is not read.")
    starts = [*map(int, offsets.tolist())]
    ends = [*starts[1:], _extent(indices, 0)]
    if named.get("include_last_offset"):
        starts, ends = starts[:-1], starts[1:]
    rows = weight[indices]
    own = named.get("per_sample_weights")
    if own is not None:
        raise UnsupportedError("the weights of an embedding bag's samples are not read.")
    folds = {0: torch.sum, 1: torch.mean, 2: torch.amax}
    bags = [
        folds[named.get("mode", 0)](rows.narrow(0, start, end - start), 0)
        if end > start
        else torch.zeros_like(weight[0])
        for start, end in zip(starts, ends, strict=True)
    ]
    return torch.stack(bags), None, None, None


_ONE: Mapping[str, Callable[[Any, Any], Any]] = {
    "trunc": lambda t, x: t.where(x > 0, t.floor(x), t.ceil(x)),
    "expm1": lambda t, x: t.exp(x) - 1,
    "exp2": lambda t, x: t.pow(2.0, x),
    "erfc": lambda t, x: 1 - t.erf(x),
    "log_sigmoid": lambda t, x: -t.nn.functional.softplus(-x),
    "log_sigmoid_forward": lambda t, x: (-t.nn.functional.softplus(-x), None),
    "sinc": _sinc,
    "special_entr": lambda t, x: -_xlogy(t, x, x),
    "special_ndtr": _ndtr,
    "special_log_ndtr": lambda t, x: t.log(_ndtr(t, x)),
    "_linalg_slogdet": matrices.slogdet,
}
"""Operators of one tensor."""

_TWO: Mapping[str, Callable[[Any, Any, Any], Any]] = {
    "hypot": lambda t, x, y: t.sqrt(x * x + y * y),
    "atan2": _atan2,
    "xlogy": _xlogy,
    "heaviside": lambda t, x, y: t.where(x == 0, y, (x > 0).to(x.dtype)),
    "logaddexp": lambda t, x, y: t.logsumexp(t.stack(t.broadcast_tensors(x, y)), 0),
    "cummax": lambda t, x, dim: (_scan(t, t.maximum, x, dim), None),
    "cummin": lambda t, x, dim: (_scan(t, t.minimum, x, dim), None),
    "logcumsumexp": _logcumsumexp,
}
"""Operators of two tensors, or of one along an axis."""

_MORE: Mapping[str, Callable[..., Any]] = {
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_to_copy": _to_copy,
    "softplus": _softplus,
    # of PyTorch 2's quantiser; integers stay numbers
    "quantize_per_tensor": _quantised,
    "dequantize_per_tensor": _dequantised,
    "quantize_per_channel": _by_channel(_quantised),
    "dequantize_per_channel": _by_channel(_dequantised),
    "kthvalue": _kth,
    **dict.fromkeys(("median", "nanmedian"), _median),
    "cumprod": _cumprod,
    "index_add": _index_add,
    "bilinear": _bilinear,
    "_unsafe_index_put": _index_put,
    "_unsafe_index": _index,
    "_cdist_forward": _cdist,
    "_pdist_forward": _pdist,
    "linalg_inv_ex": matrices.inverse_ex,
    "_linalg_solve_ex": matrices.solve_ex,
    "linalg_cholesky_ex": matrices.cholesky,
    "linalg_solve_triangular": matrices.solve_triangular,
}

_BY_NODE: Mapping[str, Callable[..., Any]] = {
    # the exporter asks for extents that are known here; strides may be others after a rewrite
    **dict.fromkeys(("squeeze", "view", "_unsafe_view"), _reshape),
    "sort": _sort,
    "argsort": _argsort,
    "searchsorted": _searchsorted,
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"), _bitwise),
    **dict.fromkeys(("_embedding_bag", "_embedding_bag_forward_only"), _embedding_bag),
    **dict.fromkeys(
        ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d"), _adaptive_average
    ),
}
"""Operators that are written with the arguments of their node."""

_PLAIN: Mapping[str, Callable[..., Any]] = {**_ONE, **_TWO, **_MORE}

REWRITTEN = frozenset({*_PLAIN, *_BY_NODE, *_SYMBOLS})
"""The operators that are written by others."""
