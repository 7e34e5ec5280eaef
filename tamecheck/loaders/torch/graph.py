"""The graph that a PyTorch module captures, without writes in place.

``torch.export`` gives a graph of ATen operators; its decomposition writes every in-place operator
as a functional one, and a write into a view as a scatter into what is viewed.  Here the graph gets
the form that the exporter to ONNX can write, or is refused by the lines of the source.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.torch.complex import COMPLEX, split_complex
from tamecheck.loaders.torch.moves import MOVES, Call, Moves
from tamecheck.loaders.torch.rewritings import REWRITTEN, rewritings

_DECOMPOSED = (
    *("rms_norm", "_fused_rms_norm", "threshold", "sgn", "trace", "frac", "floor_divide"),
    *("kron", "cdist", "quantile", "nanquantile", "block_diag", "scatter_reduce"),
    *("hstack", "vstack", "dstack", "column_stack", "atleast_1d", "atleast_2d", "atleast_3d"),
)
"""Operators that the exporter does not write, or writes with other constants."""

_DECOMPOSED_DOUBLE = (
    *("leaky_relu", "elu", "celu", "selu", "native_layer_norm", "layer_norm", "group_norm"),
    *("native_group_norm", "addcmul", "addcdiv", "hardsigmoid"),
)
"""Operators whose parameters ONNX stores as float32, which rounds those of a float64 module."""

MAX_ROUNDS = 4
"""How often operators that came out of a decomposition are decomposed themselves."""

OPSET = 17

_CHECKS = (
    *("_assert_scalar", "_assert_async", "_assert_tensor_metadata"),
    *("sym_constrain_range", "sym_constrain_range_for_size", "_linalg_check_errors"),
)
"""Operators that only raise errors."""

_NUMBERS = ("item", "_local_scalar_dense", "sym_size", "nonzero", "nonzero_static")
"""Operators that make numbers for Python, or shapes, out of the values of tensors."""

_UNWRITTEN = ("empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided")
"""Operators whose result holds whatever was in memory."""

_SHAPED = ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
"""Operators whose result has the shape of a tensor, but none of its values."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A ``torch.fx.GraphModule`` of the tensors ``inputs``, which returns a tuple of tensors.

    ``places`` has for each node its operator and the line of the source; ``single`` says whether
    some tensor has fewer digits than float64.
    """

    module: Any
    inputs: tuple[str, ...]
    outputs: int
    places: Mapping[str, str]
    single: bool
    notes: tuple[str, ...]


def capture(torch: Any, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Captured:
    """The functional graph of a module for tensors like these."""
    program = torch.export.export(module, args, dict(kwargs), strict=False)
    tensors = [*args, *kwargs.values(), *program.state_dict.values(), *program.constants.values()]
    double = any(getattr(tensor, "dtype", None) == torch.float64 for tensor in tensors)
    names = frozenset({*_DECOMPOSED, *(_DECOMPOSED_DOUBLE if double else ())})
    program = program.run_decompositions(_decompositions(torch, names))
    for _ in range(MAX_ROUNDS):
        more = _unwritten(program.graph) - names
        rules = _decompositions(torch, names | more)
        if not more or len(rules) == len(_decompositions(torch, names)):
            break
        names |= more
        program = program.run_decompositions(rules)
    signature = program.graph_signature
    inputs = getattr(signature, "user_inputs_to_mutate", dict[str, str]())
    changed = [f"buffer {name!r}" for name in signature.buffers_to_mutate.values()]
    changed += [f"input {name!r}" for name in inputs.values()]
    notes = tuple(f"forward writes into its {name}: read as of its first call." for name in changed)
    # the guards would be taken out below: shapes and types are fixed here
    unguarded = "check_guards" in inspect.signature(program.module).parameters
    functional = program.module(**({"check_guards": False} if unguarded else {}))
    split_complex(torch, functional)
    _rewrite(torch, functional)
    found = _finish(torch, functional, notes)
    if found.inputs[len(args) :] != tuple(kwargs):
        raise InputError(
            f"The inputs of the graph are {', '.join(found.inputs)}.",
            hint="Give the arguments of forward by place, or by name in their order.",
        )
    return found


def leaves(value: Any) -> list[Any]:
    """The parts of nested tuples, lists and dictionaries, in order, without None."""
    if isinstance(value, Mapping):
        value = [*cast("Mapping[Any, Any]", value).values()]
    if isinstance(value, (tuple, list)):
        return [leaf for part in cast("tuple[Any, ...]", value) for leaf in leaves(part)]
    return [] if value is None else [value]


@cache
def _decompositions(torch: Any, names: frozenset[str]) -> dict[Any, Any]:
    """What PyTorch knows of operators in terms of others."""
    known = importlib.import_module("torch._decomp").decomposition_table
    # before PyTorch 2.6 composite operators are always decomposed
    composite = getattr(torch.export, "default_decompositions", dict[Any, Any])()
    found: dict[Any, Any] = {}
    for operator, rule in (*known.items(), *composite.items()):
        schema = getattr(operator, "_schema", None)
        if schema is not None and schema.name.removeprefix("aten::") in names:
            found[operator] = rule
    return found


def _unwritten(graph: Any) -> frozenset[str]:
    """Operators that the exporter does not know, and that are not written in another way."""
    registry = _registry()
    if registry is None:
        return frozenset()
    calls = [Call.of(node) for node in graph.nodes if node.op == "call_function"]
    names = {call.name for call in calls if call.names}
    known = {name for name in names if registry.is_registered_op(f"aten::{name}", OPSET)}
    logic = {name for name in names if name.startswith(("bitwise_", "logical_", "__"))}
    return frozenset(names - known - logic - REWRITTEN - MOVES - COMPLEX)


@cache
def _registry() -> Any:
    """The operators that the exporter knows; None where this PyTorch keeps it elsewhere."""
    for package in ("torch.onnx._internal.torchscript_exporter", "torch.onnx"):
        for version in range(7, OPSET + 1):
            # the operators of a version are registered where they are imported
            with contextlib.suppress(ImportError):
                importlib.import_module(f"{package}.symbolic_opset{version}")
    for package in ("torchscript_exporter.", ""):
        with contextlib.suppress(ImportError, AttributeError):
            return importlib.import_module(f"torch.onnx._internal.{package}registration").registry
    return None


def _rewrite(torch: Any, module: Any) -> None:
    """Take out checks and moves of elements, and what is left of writes in place."""
    moves = Moves(torch, module)
    for node in list(module.graph.nodes):
        if node.op == "get_attr":
            value = _attribute(module, node.target)
            if isinstance(value, torch.Tensor) and not value.is_floating_point():
                moves.known[node] = value.detach()
        elif node.op == "call_module" and not node.users:
            # the guards of the exported program: shapes and types are fixed here
            module.graph.erase_node(node)
        elif node.op == "call_function":
            call = Call.of(node)
            if call.name in _CHECKS and not node.users:
                module.graph.erase_node(node)
            elif call.name == "copy_":
                # an exported program ends by handing changed tensors back to their owners
                node.replace_all_uses_with(node.args[1])
                module.graph.erase_node(node)
            elif not _evaluate(torch, call, moves.known):
                moves.replace(call)


def _evaluate(torch: Any, call: Call, known: dict[Any, Any]) -> bool:
    """Compute integers and truth values that depend on no input, such as indices."""
    made = call.node.meta.get("val")
    if not isinstance(made, torch.Tensor) or call.name in _UNWRITTEN or _random(call):
        return False
    kind: Any = made.dtype
    if kind.is_floating_point or kind.is_complex:
        return False
    if any(arg not in known for arg in call.node.all_input_nodes) and call.name not in _SHAPED:
        return False

    def value(arg: Any) -> Any:
        return known[arg] if arg in known else torch.zeros(tuple(arg.meta["val"].shape))

    args, kwargs = torch.fx.node.map_arg((call.node.args, call.node.kwargs), value)
    known[call.node] = call.node.meta["known"] = call.node.target(*args, **kwargs)
    return True


def _finish(torch: Any, module: Any, notes: tuple[str, ...]) -> Captured:
    """The graph with tensors only as inputs and outputs, and a module for each node."""
    graph = module.graph
    end = next(node for node in reversed(graph.nodes) if node.op == "output")
    kept = tuple(leaves(end.args[0]))
    for leaf in kept:
        if not isinstance(leaf, torch.fx.Node):
            raise InputError(
                f"An output of forward is {str(leaf)[:50]!r}, which is no tensor.",
                hint="Return tensors.",
            )
    if not kept:
        raise InputError("forward returns no tensor.")
    end.args = (kept,)
    graph.eliminate_dead_code()
    calls = [Call.of(node) for node in graph.nodes if node.op == "call_function"]
    gaps = [(_place(call.node), why) for call in calls if (why := _why_not(call))]
    if gaps:
        raise UnsupportedError("", nodes=gaps)
    made = [node.meta.get("val") for node in graph.nodes]
    tensors = [tensor for tensor in made if isinstance(tensor, torch.Tensor)]
    single = any(t.is_floating_point() and t.dtype != torch.float64 for t in tensors)
    places = {node.name: _place(node) for node in graph.nodes}
    for call in calls:
        # the exporter names what it writes after the module that it runs
        name = f"{call.node.name}_call"
        module.add_submodule(name, _scope(torch, call))
        with graph.inserting_before(call.node):
            new = graph.call_module(name, call.node.args, call.node.kwargs)
        call.node.replace_all_uses_with(new)
        graph.erase_node(call.node)
    # the exported module packs its inputs and outputs as the source does, and checks them first
    graph.set_codegen(torch.fx.graph.CodeGen())
    others = {"call_function", "call_method", "call_module", "get_attr", "output"}
    inputs = tuple(str(node.target) for node in graph.nodes if node.op not in others)
    return Captured(torch.fx.GraphModule(module, graph), inputs, len(kept), places, single, notes)


def _why_not(call: Call) -> str:
    """Why a node is not read; empty if it is."""
    if _random(call):
        return "it draws random numbers."
    if call.name in _NUMBERS:
        return "what follows depends on the values of tensors."
    if call.name in _UNWRITTEN:
        return "its elements are used before anything is written there."
    return ""


def _random(call: Call) -> bool:
    """Whether an operator draws random numbers; dropout that is off does not."""
    tags = {str(tag) for tag in getattr(call.node.target, "tags", ())}
    if not any("nondeterministic_seeded" in tag for tag in tags):
        return False
    arguments = call.arguments
    off = any(arguments.get(key, True) is False for key in ("train", "training"))
    return not off and not any(arguments.get(key, 1) == 0 for key in ("p", "dropout_p", "dropout"))


def _place(node: Any) -> str:
    """The operator of a node and the line of the source that called it."""
    name = Call.of(node).name if node.op == "call_function" else str(node.target)
    lines = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    own = [pair for pair in lines if "/torch/" not in pair[0]] or lines
    return f"{name} ({Path(own[-1][0]).name}:{own[-1][1]})" if own else name


def _attribute(module: Any, path: str) -> Any:
    for part in path.split("."):
        module = getattr(module, part)
    return module


def _scope(torch: Any, call: Call) -> Any:
    """A module of its own for one node; what the exporter does not know is written as it does."""
    target: Any = rewritings(torch, call).get(call.name, call.node.target)

    class Scope(torch.nn.Module):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return target(*args, **kwargs)
            except UnsupportedError as error:
                raise UnsupportedError("", nodes=[(_place(call.node), error.what)]) from None

    return Scope()
