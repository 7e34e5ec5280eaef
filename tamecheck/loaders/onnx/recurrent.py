"""Recurrent layers, unrolled over the steps of a sequence of fixed length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.exact import ONE
from tamecheck.ir.op import Op
from tamecheck.loaders.kinds import BOOL
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.onnx.pointwise import elu, hard_sigmoid, softsign, threshold
from tamecheck.loaders.values import Value, stack

MAX_STEPS = 1_024
"""A layer with more steps than this, over all directions, is not unrolled."""

_Activation = Callable[[Value], Value]
_State = tuple[Value, ...]
"""The hidden state, and for an LSTM the cell state."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """One direction of a layer: its weights by gate, and its activation functions."""

    inputs: Value
    recurrent: tuple[Value, ...]
    input_bias: tuple[Value, ...]
    recurrent_bias: tuple[Value, ...]
    peepholes: tuple[Value, ...]
    activations: Sequence[_Activation]

    def from_input(self, now: Value, gate: int) -> Value:
        hidden = now.shape[1] // len(self.recurrent)
        part = now.cut(1, gate * hidden, hidden)
        return part + self.input_bias[gate] if self.input_bias else part

    def from_state(self, state: Value, gate: int) -> Value:
        part = state @ self.recurrent[gate]
        return part + self.recurrent_bias[gate] if self.recurrent_bias else part

    def gate(self, now: Value, state: Value, gate: int) -> Value:
        return self.from_input(now, gate) + self.from_state(state, gate)


_Step = Callable[[_Cell, Value, _State], _State]
_Form = tuple[Callable[[Value, Fraction, Fraction], Value], Fraction | None, Fraction | None]
"""An activation function of x, alpha and beta, with the defaults of those that it has."""


def _plain(op: Op) -> _Form:
    return lambda x, _alpha, _beta: x.apply(op), None, None


def _single(value: float) -> Fraction:
    return Fraction(float(np.float32(value)))


_FORMS: Mapping[str, _Form] = {
    "affine": (lambda x, a, b: x.scale(a) + b, ONE, Fraction(0)),
    "elu": (lambda x, a, _: elu(x, a), ONE, None),
    "hardsigmoid": (hard_sigmoid, _single(0.2), Fraction(1, 2)),
    "leakyrelu": (lambda x, a, _: x.apply(ops.LEAKY_RELU, alpha=a), _single(0.01), None),
    "relu": _plain(ops.RELU),
    "scaledtanh": (lambda x, a, b: x.scale(b).apply(ops.TANH).scale(a), ONE, ONE),
    "sigmoid": _plain(ops.SIGMOID),
    "softplus": _plain(ops.SOFTPLUS),
    "softsign": (lambda x, _alpha, _beta: softsign(x), None, None),
    "tanh": _plain(ops.TANH),
    "thresholdedrelu": (lambda x, a, _: threshold(x, a), ONE, None),
}


def _functions(ctx: Context, default: Sequence[str], directions: int) -> list[list[_Activation]]:
    size = len(default)
    names = ctx.attributes.texts("activations") or tuple(default) * directions
    if len(names) != size * directions:
        raise InputError(f"The layer needs {size * directions} activation functions.")
    alphas = iter(ctx.attributes.reals("activation_alpha") or ())
    betas = iter(ctx.attributes.reals("activation_beta") or ())
    limit = ctx.attributes.real("clip") if ctx.attributes.has("clip") else None
    found = [_function(name, alphas, betas, limit) for name in names]
    return [found[i * size : (i + 1) * size] for i in range(directions)]


def _function(
    name: str, alphas: Iterator[Fraction], betas: Iterator[Fraction], limit: Fraction | None
) -> _Activation:
    if name.lower() not in _FORMS:
        raise UnsupportedError(f"the activation function {name!r} is not read.")
    act, alpha, beta = _FORMS[name.lower()]
    # parameters are consumed only by the functions that have them
    a = Fraction(0) if alpha is None else next(alphas, alpha)
    b = Fraction(0) if beta is None else next(betas, beta)
    return lambda x: act(x if limit is None else x.clip(-limit, limit), a, b)


def _layer(ctx: Context, gates: int, states: int, default: Sequence[str], step: _Step) -> Outputs:
    batch_first = ctx.attributes.flag("layout")
    direction = ctx.attributes.text("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise InputError(f"direction cannot be {direction!r}.")
    backward = [direction == "reverse"] if direction != "bidirectional" else [False, True]
    sequence, weights, recurrent = ctx.input(0), ctx.input(1), ctx.input(2)
    if sequence.rank != 3 or weights.rank != 3 or recurrent.rank != 3:
        raise InputError("The sequence, the weights or the recurrent weights have not 3 axes.")
    if batch_first:
        sequence = sequence.transpose((1, 0, 2))
    steps, batch, width = sequence.shape
    hidden = ctx.attributes.integer("hidden_size", recurrent.shape[2])
    shapes = (len(backward), gates * hidden, width), (len(backward), gates * hidden, hidden)
    if (weights.shape, recurrent.shape) != shapes:
        raise InputError(f"Weights {weights.shape} and {recurrent.shape} should be {shapes}.")
    if steps * len(backward) > MAX_STEPS:
        raise UnsupportedError(f"a sequence of {steps} steps is too long to be unrolled.")
    functions = _functions(ctx, default, len(backward))
    masks = _masks(ctx, steps, batch)
    histories: list[list[Value]] = []
    finals: list[_State] = []
    for index, reverse in enumerate(backward):
        cell = _cell(ctx, index, gates, sequence, functions[index])
        initial = tuple(
            _initial(ctx, 5 + i, index, (batch, hidden), batch_first=batch_first)
            for i in range(states)
        )
        history, final = _unroll(cell, step, masks, initial, reverse=reverse)
        histories.append(history)
        finals.append(final)
    if not steps:
        raise InputError("The sequence has no step.")
    every = stack([stack(history, 0) for history in histories], 1)
    lasts = [stack([final[i] for final in finals], 0) for i in range(states)]
    if batch_first:
        every = every.transpose((2, 0, 1, 3))
        lasts = [last.transpose((1, 0, 2)) for last in lasts]
    return (every, *lasts)


def _masks(ctx: Context, steps: int, batch: int) -> list[Value | None]:
    """For each step, which sequences of the batch still run; None where all do."""
    lengths = ctx.optional(4)
    if lengths is None:
        return [None] * steps
    if lengths.shape != (batch,):
        raise InputError(f"Lengths of shape {lengths.shape} do not fit a batch of {batch}.")
    column = lengths.reshape((batch, 1))
    masks = [ctx.emitter.apply(ops.LESS, t, column, kind=BOOL) for t in range(steps)]
    return [None if m.array is not None and bool(m.array.all()) else m for m in masks]


def _cell(
    ctx: Context, direction: int, gates: int, sequence: Value, functions: Sequence[_Activation]
) -> _Cell:
    hidden = ctx.input(2).shape[2]

    def split(value: Value, count: int) -> tuple[Value, ...]:
        return tuple(value.cut(0, i * hidden, hidden) for i in range(count))

    inputs = sequence @ ctx.input(1).part(0, direction).transpose((1, 0))
    recurrent = split(ctx.input(2).part(0, direction), gates)
    bias, peephole = ctx.optional(3), ctx.optional(7)
    if bias is not None and bias.shape[1:] != (2 * gates * hidden,):
        raise InputError(f"A bias of shape {bias.shape} does not fit {gates} gates of {hidden}.")
    if peephole is not None and peephole.shape[1:] != (3 * hidden,):
        raise InputError(f"Peepholes of shape {peephole.shape} do not fit a state of {hidden}.")
    biases = () if bias is None else split(bias.part(0, direction), 2 * gates)
    return _Cell(
        inputs,
        tuple(matrix.transpose((1, 0)) for matrix in recurrent),
        biases[:gates],
        biases[gates:],
        () if peephole is None else split(peephole.part(0, direction), 3),
        functions,
    )


def _initial(
    ctx: Context, index: int, direction: int, shape: tuple[int, int], *, batch_first: bool
) -> Value:
    value = ctx.optional(index)
    if value is None:
        return ctx.constant(np.int64(0)).broadcast(shape)
    if value.rank != 3:
        raise InputError(f"An initial state has 3 axes, not shape {value.shape}.")
    if batch_first:
        value = value.transpose((1, 0, 2))
    return value.cut(0, direction, 1).reshape(shape)


def _unroll(
    cell: _Cell, step: _Step, masks: Sequence[Value | None], state: _State, *, reverse: bool
) -> tuple[list[Value], _State]:
    """The hidden state after each step, and the final state."""
    history: dict[int, Value] = {}
    for t in reversed(range(len(masks))) if reverse else range(len(masks)):
        new = step(cell, cell.inputs.part(0, t), state)
        mask = masks[t]
        if mask is None:
            history[t], state = new[0], new
        else:
            history[t] = mask.select(new[0], 0, new[0].kind)
            state = tuple(
                mask.select(after, before, after.kind)
                for after, before in zip(new, state, strict=True)
            )
    return [history[t] for t in range(len(masks))], state


def _gru(ctx: Context) -> Outputs:
    after = ctx.attributes.flag("linear_before_reset")

    def step(cell: _Cell, now: Value, state: _State) -> _State:
        (hidden,) = state
        f, g = cell.activations
        update, reset = (f(cell.gate(now, hidden, i)) for i in (0, 1))
        old = reset * cell.from_state(hidden, 2) if after else cell.from_state(reset * hidden, 2)
        new = g(cell.from_input(now, 2) + old)
        return ((1 - update) * new + update * hidden,)

    return _layer(ctx, 3, 1, ("Sigmoid", "Tanh"), step)


def long_short_term_memory(
    ctx: Context, on_state: Callable[[Value], Value] = lambda state: state
) -> Outputs:
    """An LSTM whose gates see a function of the hidden state."""
    coupled = ctx.attributes.flag("input_forget")

    def step(cell: _Cell, now: Value, state: _State) -> _State:
        hidden, memory = on_state(state[0]), state[1]
        f, g, h = cell.activations

        def gate(index: int, peephole: int, seen: Value) -> Value:
            total = cell.gate(now, hidden, index)
            return f(total + cell.peepholes[peephole] * seen if cell.peepholes else total)

        enter = gate(0, 0, memory)
        forget = 1 - enter if coupled else gate(2, 2, memory)
        candidate = g(cell.gate(now, hidden, 3))
        cell_state = forget * memory + enter * candidate
        leave = gate(1, 1, cell_state)
        return leave * h(cell_state), cell_state

    return _layer(ctx, 4, 2, ("Sigmoid", "Tanh", "Tanh"), step)


def _act(cell: _Cell, now: Value, state: _State) -> _State:
    return (cell.activations[0](cell.gate(now, state[0], 0)),)


RECURRENT: Mapping[str, Lowering] = {
    "GRU": _gru,
    "LSTM": long_short_term_memory,
    "RNN": lambda ctx: _layer(ctx, 1, 1, ("Tanh",), _act),
}
