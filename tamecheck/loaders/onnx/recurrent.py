"""Recurrent layers, unrolled over the steps of a sequence of fixed length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.op import Op
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.kinds import BOOL, Value
from tamecheck.loaders.onnx.pointwise import elu, hard_sigmoid, softsign, thresholded

__all__ = ["RECURRENT"]

MAX_STEPS = 1_024
"""A layer with more steps than this, over all directions, is not unrolled."""

Activation = Callable[[Value], Value]
State = tuple[Value, ...]
"""The hidden state, and for an LSTM the cell state."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One direction of a layer: its weights by gate, and its activation functions."""

    inputs: Value
    recurrent: tuple[Value, ...]
    input_bias: tuple[Value, ...]
    recurrent_bias: tuple[Value, ...]
    peepholes: tuple[Value, ...]
    activations: tuple[Activation, ...]


Step = Callable[[Context, Cell, Value, State], State]


@dataclass(frozen=True, slots=True)
class Form:
    """An activation function of x, alpha and beta, with the defaults of those that it has."""

    act: Callable[[Context, Value, Fraction, Fraction], Value]
    alpha: Fraction | None = None
    beta: Fraction | None = None


def _plain(op: Op) -> Form:
    return Form(lambda ctx, x, _alpha, _beta: ctx.apply(op, x))


def _single(value: float) -> Fraction:
    return Fraction(float(np.float32(value)))


_FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "affine": Form(
            lambda ctx, x, a, b: ctx.apply(ops.ADD, ctx.scaled(x, a), b), Fraction(1), Fraction(0)
        ),
        "elu": Form(lambda ctx, x, a, _: elu(ctx, x, a), Fraction(1)),
        "hardsigmoid": Form(hard_sigmoid, _single(0.2), Fraction(1, 2)),
        "leakyrelu": Form(
            lambda ctx, x, a, _: ctx.apply(ops.LEAKY_RELU, x, alpha=a), _single(0.01)
        ),
        "relu": _plain(ops.RELU),
        "scaledtanh": Form(
            lambda ctx, x, a, b: ctx.scaled(ctx.apply(ops.TANH, ctx.scaled(x, b)), a),
            Fraction(1),
            Fraction(1),
        ),
        "sigmoid": _plain(ops.SIGMOID),
        "softplus": _plain(ops.SOFTPLUS),
        "softsign": Form(lambda ctx, x, _alpha, _beta: softsign(ctx, x)),
        "tanh": _plain(ops.TANH),
        "thresholdedrelu": Form(lambda ctx, x, a, _: thresholded(ctx, x, a), Fraction(1)),
    }
)


def _functions(ctx: Context, default: Sequence[str], directions: int) -> list[list[Activation]]:
    names = ctx.attributes.texts("activations") or tuple(default) * directions
    if len(names) != len(default) * directions:
        raise InputError(f"The layer needs {len(default) * directions} activation functions.")
    alphas = iter(ctx.attributes.reals("activation_alpha") or ())
    betas = iter(ctx.attributes.reals("activation_beta") or ())
    limit = ctx.attributes.real("clip") if ctx.attributes.has("clip") else None
    found = [_function(ctx, name, alphas, betas, limit) for name in names]
    size = len(default)
    return [found[i * size : (i + 1) * size] for i in range(directions)]


def _function(
    ctx: Context,
    name: str,
    alphas: Iterator[Fraction],
    betas: Iterator[Fraction],
    limit: Fraction | None,
) -> Activation:
    form = _FORMS.get(name.lower())
    if form is None:
        raise ctx.refuse(f"the activation function {name!r} is not read.")
    # parameters are consumed only by the functions that have them
    alpha = Fraction(0) if form.alpha is None else next(alphas, form.alpha)
    beta = Fraction(0) if form.beta is None else next(betas, form.beta)
    if limit is None:
        return lambda x: form.act(ctx, x, alpha, beta)
    return lambda x: form.act(ctx, ctx.apply(ops.CLIP, x, lo=-limit, hi=limit), alpha, beta)


def _layer(ctx: Context, gates: int, states: int, default: Sequence[str], step: Step) -> Outputs:
    batch_first = ctx.attributes.flag("layout")
    direction = ctx.attributes.text("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise InputError(f"direction cannot be {direction!r}.")
    backward = [direction == "reverse"] if direction != "bidirectional" else [False, True]
    sequence, weights, recurrent = ctx.input(0), ctx.input(1), ctx.input(2)
    if sequence.rank != 3 or weights.rank != 3 or recurrent.rank != 3:
        raise InputError("The sequence, the weights or the recurrent weights have not 3 axes.")
    if batch_first:
        sequence = ctx.transpose(sequence, (1, 0, 2))
    steps, batch, width = sequence.shape
    hidden = ctx.attributes.integer("hidden_size", recurrent.shape[2])
    shapes = (len(backward), gates * hidden, width), (len(backward), gates * hidden, hidden)
    if (weights.shape, recurrent.shape) != shapes:
        raise InputError(f"Weights {weights.shape} and {recurrent.shape} should be {shapes}.")
    if steps * len(backward) > MAX_STEPS:
        raise ctx.refuse(f"a sequence of {steps} steps is too long to be unrolled.")
    functions = _functions(ctx, default, len(backward))
    masks = _masks(ctx, steps, batch)
    histories: list[list[Value]] = []
    finals: list[State] = []
    for index, reverse in enumerate(backward):
        cell = _cell(ctx, index, gates, hidden, sequence, functions[index])
        initial = tuple(
            _initial(ctx, 5 + i, index, (batch, hidden), batch_first=batch_first)
            for i in range(states)
        )
        history, final = _unrolled(ctx, cell, step, masks, initial, reverse=reverse)
        histories.append(history)
        finals.append(final)
    layers = [_stacked(ctx, history, 0) for history in histories]
    every = _stacked(ctx, layers, 1)
    lasts = [_stacked(ctx, [final[i] for final in finals], 0) for i in range(states)]
    if batch_first:
        every = ctx.transpose(every, (2, 0, 1, 3))
        lasts = [ctx.transpose(last, (1, 0, 2)) for last in lasts]
    return (every, *lasts)


def _masks(ctx: Context, steps: int, batch: int) -> list[Value | None]:
    """For each step, which sequences of the batch still run; None where all do."""
    lengths = ctx.optional(4)
    if lengths is None:
        return [None] * steps
    if lengths.shape != (batch,):
        raise InputError(f"Lengths of shape {lengths.shape} do not fit a batch of {batch}.")
    column = ctx.reshape(lengths, (batch, 1))
    masks: list[Value | None] = []
    for t in range(steps):
        mask = ctx.apply(ops.LESS, t, column, kind=BOOL)
        masks.append(None if mask.array is not None and bool(mask.array.all()) else mask)
    return masks


def _cell(  # noqa: PLR0913, PLR0917 - what one direction of a layer is made of
    ctx: Context,
    direction: int,
    gates: int,
    hidden: int,
    sequence: Value,
    functions: Sequence[Activation],
) -> Cell:
    def part(value: Value) -> Value:
        return ctx.reshape(ctx.cut(value, 0, direction, 1), value.shape[1:])

    def split(value: Value, count: int) -> tuple[Value, ...]:
        return tuple(ctx.cut(value, 0, i * hidden, hidden) for i in range(count))

    inputs = ctx.apply(ops.MATMUL, sequence, ctx.transpose(part(ctx.input(1)), (1, 0)))
    recurrent = split(part(ctx.input(2)), gates)
    bias, peephole = ctx.optional(3), ctx.optional(7)
    if bias is not None and bias.shape[1:] != (2 * gates * hidden,):
        raise InputError(f"A bias of shape {bias.shape} does not fit {gates} gates of {hidden}.")
    if peephole is not None and peephole.shape[1:] != (3 * hidden,):
        raise InputError(f"Peepholes of shape {peephole.shape} do not fit a state of {hidden}.")
    biases = () if bias is None else split(part(bias), 2 * gates)
    return Cell(
        inputs,
        tuple(ctx.transpose(matrix, (1, 0)) for matrix in recurrent),
        biases[:gates],
        biases[gates:],
        () if peephole is None else split(part(peephole), 3),
        tuple(functions),
    )


def _initial(
    ctx: Context, index: int, direction: int, shape: tuple[int, int], *, batch_first: bool
) -> Value:
    value = ctx.optional(index)
    if value is None:
        return ctx.broadcast(ctx.constant(np.int64(0)), shape)
    if value.rank != 3:
        raise InputError(f"An initial state has 3 axes, not shape {value.shape}.")
    if batch_first:
        value = ctx.transpose(value, (1, 0, 2))
    return ctx.reshape(ctx.cut(value, 0, direction, 1), shape)


def _unrolled(  # noqa: PLR0913 - the recurrence, its start and its direction
    ctx: Context,
    cell: Cell,
    step: Step,
    masks: Sequence[Value | None],
    state: State,
    *,
    reverse: bool,
) -> tuple[list[Value], State]:
    """The hidden state after each step, and the final state."""
    history: dict[int, Value] = {}
    for t in reversed(range(len(masks))) if reverse else range(len(masks)):
        now = ctx.reshape(ctx.cut(cell.inputs, 0, t, 1), cell.inputs.shape[1:])
        new = step(ctx, cell, now, state)
        mask = masks[t]
        if mask is None:
            history[t] = new[0]
            state = new
        else:
            history[t] = ctx.apply(ops.SELECT, mask, new[0], 0, kind=new[0].kind)
            state = tuple(
                ctx.apply(ops.SELECT, mask, after, before, kind=after.kind)
                for after, before in zip(new, state, strict=True)
            )
    return [history[t] for t in range(len(masks))], state


def _stacked(ctx: Context, values: Sequence[Value], axis: int) -> Value:
    if not values:
        raise InputError("The sequence has no step.")
    parts = [ctx.reshape(value, (*value.shape[:axis], 1, *value.shape[axis:])) for value in values]
    return ctx.apply(ops.CONCAT, *parts, axis=axis) if len(parts) > 1 else parts[0]


def _from_input(ctx: Context, cell: Cell, now: Value, gate: int) -> Value:
    hidden = now.shape[1] // len(cell.recurrent)
    part = ctx.cut(now, 1, gate * hidden, hidden)
    return ctx.apply(ops.ADD, part, cell.input_bias[gate]) if cell.input_bias else part


def _from_state(ctx: Context, cell: Cell, state: Value, gate: int) -> Value:
    part = ctx.apply(ops.MATMUL, state, cell.recurrent[gate])
    return ctx.apply(ops.ADD, part, cell.recurrent_bias[gate]) if cell.recurrent_bias else part


def _gate(ctx: Context, cell: Cell, now: Value, state: Value, gate: int) -> Value:
    return ctx.apply(
        ops.ADD, _from_input(ctx, cell, now, gate), _from_state(ctx, cell, state, gate)
    )


def _rnn(ctx: Context) -> Outputs:
    def step(ctx: Context, cell: Cell, now: Value, state: State) -> State:
        return (cell.activations[0](_gate(ctx, cell, now, state[0], 0)),)

    return _layer(ctx, 1, 1, ("Tanh",), step)


def _gru(ctx: Context) -> Outputs:
    after = ctx.attributes.flag("linear_before_reset")

    def step(ctx: Context, cell: Cell, now: Value, state: State) -> State:
        (hidden,) = state
        f, g = cell.activations
        update = f(_gate(ctx, cell, now, hidden, 0))
        reset = f(_gate(ctx, cell, now, hidden, 1))
        if after:
            old = ctx.apply(ops.MUL, reset, _from_state(ctx, cell, hidden, 2))
        else:
            old = _from_state(ctx, cell, ctx.apply(ops.MUL, reset, hidden), 2)
        new = g(ctx.apply(ops.ADD, _from_input(ctx, cell, now, 2), old))
        fresh = ctx.apply(ops.MUL, ctx.apply(ops.SUB, 1, update), new)
        return (ctx.apply(ops.ADD, fresh, ctx.apply(ops.MUL, update, hidden)),)

    return _layer(ctx, 3, 1, ("Sigmoid", "Tanh"), step)


def _lstm(ctx: Context) -> Outputs:
    coupled = ctx.attributes.flag("input_forget")

    def step(ctx: Context, cell: Cell, now: Value, state: State) -> State:
        hidden, memory = state
        f, g, h = cell.activations

        def gate(index: int, peephole: int, seen: Value) -> Value:
            total = _gate(ctx, cell, now, hidden, index)
            if cell.peepholes:
                looked = ctx.apply(ops.MUL, cell.peepholes[peephole], seen)
                total = ctx.apply(ops.ADD, total, looked)
            return f(total)

        enter = gate(0, 0, memory)
        forget = ctx.apply(ops.SUB, 1, enter) if coupled else gate(2, 2, memory)
        candidate = g(_gate(ctx, cell, now, hidden, 3))
        kept = ctx.apply(ops.MUL, forget, memory)
        cell_state = ctx.apply(ops.ADD, kept, ctx.apply(ops.MUL, enter, candidate))
        leave = gate(1, 1, cell_state)
        return ctx.apply(ops.MUL, leave, h(cell_state)), cell_state

    return _layer(ctx, 4, 2, ("Sigmoid", "Tanh", "Tanh"), step)


RECURRENT: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {"GRU": _gru, "LSTM": _lstm, "RNN": _rnn}
)
"""The operators of this file."""
