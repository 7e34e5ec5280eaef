"""Complex numbers of a captured graph as pairs of real ones, in a last axis of their own.

ONNX has none; rotary encodings multiply by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from tamecheck.errors import UnsupportedError
from tamecheck.loaders.torch.moves import Call


@dataclass(frozen=True, slots=True)
class _Pair:
    """Real and imaginary parts."""

    re: Any
    im: Any


_Rule: TypeAlias = Callable[..., Any]
"""What an operator makes of its arguments, given ``torch`` and the node that calls it."""


def split_complex(torch: Any, module: Any) -> None:
    """Replace each node of complex numbers by one of pairs; refuse what has no rule."""
    pairs: dict[Any, Any] = {}
    for node in list(module.graph.nodes):
        made = node.meta.get("val")
        complex_value = isinstance(made, torch.Tensor) and bool(made.is_complex())
        if not complex_value and not any(arg in pairs for arg in node.all_input_nodes):
            continue
        if node.op == "get_attr":
            pairs[node] = _stored(torch, module, node)
        elif node.op == "call_function" and (rule := _RULES.get(Call.of(node).name)):
            _replace(torch, module, node, rule, pairs)
        else:
            name = (
                Call.of(node).name if node.op == "call_function" else f"{node.target} ({node.op})"
            )
            raise UnsupportedError("", nodes=[(name, "complex numbers are not read here.")])
    for node in reversed(list(pairs)):
        module.graph.erase_node(node)


def _stored(torch: Any, module: Any, node: Any) -> Any:
    value = module
    for part in node.target.split("."):
        value = getattr(value, part)
    name = f"pairs_{node.name}"
    module.register_buffer(name, torch.view_as_real(value.detach().resolve_conj()).clone())
    with module.graph.inserting_after(node):
        return module.graph.get_attr(name)


def _replace(torch: Any, module: Any, node: Any, rule: _Rule, pairs: dict[Any, Any]) -> None:
    graph, old = module.graph, torch.fx.node.map_arg

    def flag(arg: Any) -> _Flag:
        return _Flag(arg in pairs)

    flags = old((node.args, node.kwargs), flag)
    made = node.meta["val"]

    def pair(arg: Any) -> Any:
        return pairs.get(arg, arg)

    def written(*args: Any, **kwargs: Any) -> Any:
        places, names = _parts(flags[0], args), _parts(flags[1], kwargs)
        found = rule(torch, node, *places, **names)
        return torch.stack([found.re, found.im], -1) if isinstance(found, _Pair) else found

    written.__name__ = f"complex_{Call.of(node).name}"
    with graph.inserting_before(node):
        args, kwargs = old((node.args, node.kwargs), pair)
        new = graph.call_function(written, args, kwargs)
    new.meta = dict(node.meta)
    if made.is_complex():
        shape = (*made.shape, 2)
        new.meta["val"] = torch.empty(shape, dtype=made.real.dtype, device="meta")
        pairs[node] = new
    else:
        node.replace_all_uses_with(new)
        graph.erase_node(node)


@dataclass(frozen=True, slots=True)
class _Flag:
    """Whether a tensor among the arguments of a node is complex."""

    pair: bool


def _parts(flag: Any, value: Any) -> Any:
    """Arguments with complex tensors and numbers as pairs."""
    if isinstance(flag, _Flag):
        return _Pair(value[..., 0], value[..., 1]) if flag.pair else value
    if isinstance(value, Mapping):
        named = cast("Mapping[str, Any]", value)
        return {key: _parts(flag[key], part) for key, part in named.items()}
    if isinstance(value, (tuple, list)):
        listed = cast("list[Any]", value)
        return [_parts(one, part) for one, part in zip(flag, listed, strict=True)]
    return _Pair(value.real, value.imag) if isinstance(value, complex) else value


def _pair(value: Any) -> _Pair:
    return value if isinstance(value, _Pair) else _Pair(value, 0 * value)


def _by_parts(_: Any, node: Any, *args: Any, **kwargs: Any) -> Any:
    """An operator that acts on real and imaginary parts alike."""

    def part(value: Any, pick: Callable[[_Pair], Any]) -> Any:
        if isinstance(value, list):
            return [part(one, pick) for one in cast("list[Any]", value)]
        return pick(value) if isinstance(value, _Pair) else value

    def run(pick: Callable[[_Pair], Any]) -> Any:
        chosen = [part(arg, pick) for arg in args]
        return node.target(*chosen, **{k: part(v, pick) for k, v in kwargs.items()})

    return _Pair(run(lambda pair: pair.re), run(lambda pair: pair.im))


def _sum(_: Any, node: Any, left: Any, right: Any, *, alpha: float = 1) -> Any:
    one, two = _pair(left), _pair(right)
    sign = -alpha if Call.of(node).name == "sub" else alpha
    return _Pair(one.re + sign * two.re, one.im + sign * two.im)


def _product(torch: Any, node: Any, left: Any, right: Any) -> Any:
    act = torch.mul if Call.of(node).name == "mul" else torch.matmul
    if not isinstance(left, _Pair):
        return _Pair(act(left, right.re), act(left, right.im))
    if not isinstance(right, _Pair):
        return _Pair(act(left.re, right), act(left.im, right))
    return _Pair(
        act(left.re, right.re) - act(left.im, right.im),
        act(left.re, right.im) + act(left.im, right.re),
    )


def _quotient(_: Any, __: Any, left: Any, right: Any) -> Any:
    if not isinstance(right, _Pair):
        return _Pair(left.re / right, left.im / right)
    one, size = _pair(left), right.re * right.re + right.im * right.im
    return _Pair(
        (one.re * right.re + one.im * right.im) / size,
        (one.im * right.re - one.re * right.im) / size,
    )


def _polar(torch: Any, _: Any, size: Any, angle: Any) -> Any:
    return _Pair(size * torch.cos(angle), size * torch.sin(angle))


def _reshape(_: Any, node: Any, x: _Pair, *__: Any, **___: Any) -> Any:
    shape = tuple(node.meta["val"].shape)
    return _Pair(x.re.reshape(shape), x.im.reshape(shape))


def _same(_: Any, __: Any, x: Any, *___: Any, **____: Any) -> Any:
    return _pair(x)


def _of_parts(_: Any, __: Any, re: Any, im: Any) -> Any:
    return _Pair(re, im)


_OF_ONE: Mapping[str, Callable[[Any, Any, Any], Any]] = {
    "view_as_complex": lambda _, __, x: _Pair(x[..., 0], x[..., 1]),
    "view_as_real": lambda torch, _, x: torch.stack([x.re, x.im], -1),
    "real": lambda _, __, x: x.re,
    "imag": lambda _, __, x: x.im,
    **dict.fromkeys(("conj", "_conj", "conj_physical"), lambda _, __, x: _Pair(x.re, -x.im)),
    "exp": lambda torch, node, x: _polar(torch, node, torch.exp(x.re), x.im),
    "abs": lambda torch, _, x: torch.sqrt(x.re * x.re + x.im * x.im),
}

_RULES: Mapping[str, _Rule] = {
    **_OF_ONE,
    "polar": _polar,
    "complex": _of_parts,
    **dict.fromkeys(("add", "sub"), _sum),
    **dict.fromkeys(("mul", "matmul", "mm", "bmm"), _product),
    "div": _quotient,
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "squeeze"), _reshape),
    **dict.fromkeys(("_to_copy", "clone", "alias", "resolve_conj", "detach"), _same),
    **dict.fromkeys(
        (
            *("unsqueeze", "expand", "slice", "select", "permute", "transpose", "t", "cat"),
            *("stack", "flip", "roll", "neg", "sum", "mean", "index_select"),
        ),
        _by_parts,
    ),
}

COMPLEX = frozenset(_RULES)
"""Operators that are read of complex numbers."""
