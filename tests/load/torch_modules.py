"""Modules that write in place: twenty-one kinds, and random compositions of writes into views."""

import math
import random

import torch
from torch import nn


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def set_column(x):
    y = x.clone()
    y[:, 0] = 0.0
    return y


def set_slice(x):
    y = x.clone()
    y[:, 1:3] = torch.relu(x[:, 1:3])
    return y


def set_last(x):
    y = x.clone()
    y[:, -1] = 0.5
    return y


def add_to_slice(x):
    y = x * 1.0
    y[:, :2] += 10
    return y


def multiply_view(x):
    y = x * 1.0
    y[:, 0].mul_(3)
    return y


def fill_zeros(x):
    y = torch.zeros(2, 4)
    y[:, 1] = x[:, 0]
    y[:, 2] = x[:, 1] * 2
    return y


def new_zeros(x):
    y = x.new_zeros(2, 5)
    y[:, :4] = x
    return y


def set_where_negative(x):
    y = x.clone()
    y[x < 0] = 0.0
    return y


def relu_in_place(x):
    return (x * 1.0).relu_()


def clamp_slice(x):
    y = x * 1.0
    y[:, :2].clamp_(0, 1)
    return y


def copy_into_empty(x):
    y = torch.empty(2, 4)
    y.copy_(x)
    y[:, 3].zero_()
    return y


def add_to_chunk(x):
    y = x * 1.0
    first, _ = y.chunk(2, -1)
    first.add_(1)
    return torch.cat([first, y], -1)


def fill_row_of_view(x):
    y = x * 1.0
    y.view(4, 2)[0].fill_(7.0)
    return y


def index_copy(x):
    return x.index_copy(1, torch.tensor([0, 2]), torch.ones(2, 2))


def scatter(x):
    return x.scatter(1, torch.tensor([[1], [2]]), 9.0)


def index_add(x):
    return x.index_add(1, torch.tensor([0, 0, 3]), x[:, 1:] * 2)


def slice_scatter(x):
    return torch.slice_scatter(x, torch.ones(2, 2), 1, 1, 3)


def select_scatter(x):
    return torch.select_scatter(x, torch.ones(2), 1, 2)


def diagonals(x):
    return torch.diag_embed(x)


def out_argument(x):
    y = torch.empty(2, 4)
    torch.mul(x, 2, out=y)
    return y


def write_into_input(x):
    x[:, 0] = 0.0
    return x * 1.0


KINDS = (
    *(set_column, set_slice, set_last, add_to_slice, multiply_view, fill_zeros, new_zeros),
    *(set_where_negative, relu_in_place, clamp_slice, copy_into_empty, add_to_chunk),
    *(fill_row_of_view, index_copy, scatter, index_add, slice_scatter, select_scatter, diagonals),
    *(out_argument, write_into_input),
)

STARTS = (
    lambda x: x.clone(),
    lambda x: x * 1.0,
    torch.zeros_like,
    torch.ones_like,
    lambda x: torch.empty_like(x).copy_(x),
    lambda x: x.new_zeros(2, 4),
    lambda _: torch.full((2, 4), 0.5),
    lambda x: x,
    lambda x: x.detach().clone().t().contiguous().t(),
    lambda x: torch.stack(list(x.unbind(0))),
)


INPUT = 7
"""The start that is the input itself."""


def view(choose):
    """A function that gives a part of a tensor of shape (2, 4) that shares its memory."""
    i, row, low = choose.randrange(-4, 4), choose.randrange(-2, 2), choose.randrange(3)
    high, step = choose.randrange(low + 1, 5), choose.randrange(1, 4)
    return choose.choice(
        (
            lambda y: y,
            lambda y: y[:, i],
            lambda y: y[row],
            lambda y: y[:, low:high],
            lambda y: y[..., ::step],
            lambda y: y[row, low:high],
            lambda y: y[row][i],
            lambda y: y.chunk(2, -1)[row],
            lambda y: y.split([1, 3], 1)[row],
            lambda y: y.unbind(1)[i],
            lambda y: y.t()[i],
            lambda y: y.reshape(4, 2)[i],
            lambda y: y.narrow(1, low, high - low),
            lambda y: y.diagonal(),
            lambda y: y.unsqueeze(1)[:, 0, low:high],
            lambda y: y.permute(1, 0)[low:high, row],
            lambda y: y.flatten()[low : low + 4],
            lambda y: y.transpose(0, 1).select(0, i),
            lambda y: y.movedim(1, 0)[i].unsqueeze(0).squeeze(),
            lambda y: y.expand(3, 2, 4)[row],
        )
    )


def like(source, shape):
    """Some elements of a tensor under a shape."""
    return source.reshape(-1)[: math.prod(shape)].reshape(shape)


def write(choose):
    """A function that writes into its first argument; the second is the input."""
    number = choose.choice((-2.0, -0.5, 0.0, 0.25, 1.0, 3))
    return choose.choice(
        (
            lambda v, _: v.mul_(number),
            lambda v, _: v.add_(number),
            lambda v, _: v.fill_(number),
            lambda v, _: v.zero_(),
            lambda v, _: v.clamp_(-0.5, 0.75),
            lambda v, _: v.relu_(),
            lambda v, _: v.neg_(),
            lambda v, _: v.tanh_(),
            lambda v, _: v.abs_(),
            lambda v, _: v.copy_(number),
            lambda v, x: v.copy_(like(x, v.shape)),
            lambda v, x: v.add_(like(x, v.shape), alpha=2),
            lambda v, x: v.sub_(like(x, v.shape) * number),
            lambda v, x: v.mul_(like(x, v.shape)),
            lambda v, _: v.masked_fill_(v > 0.25, number),
            lambda v, x: v.masked_fill_(like(x, v.shape) < 0, number),
            lambda v, _: v.__setitem__(v < 0, number),
            lambda v, _: v.__setitem__(..., number),
            lambda v, x: v.__setitem__(..., like(x, v.shape) + v),
            lambda v, x: torch.mul(like(x, v.shape), number, out=v),
            lambda v, _: v.reshape(-1)[:1].add_(number),
            lambda v, _: v.view(v.shape).sub_(number),
            lambda v, _: v.index_fill_(0, torch.tensor([0]), number) if v.dim() else v.add_(1),
            lambda v, _: v.index_add_(0, torch.tensor([0]), v[:1] * 2) if v.dim() else v.add_(1),
            lambda v, _: v.index_copy_(0, torch.tensor([0]), v[-1:] * 2) if v.dim() else v.add_(1),
            lambda v, _: v.copy_(v.flip(0)) if v.dim() else v.add_(1),
            lambda v, _: v.cumsum_(0) if v.dim() else v.add_(1),
            lambda v, _: v.t_().t_() if v.dim() == 2 else v.sign_(),
            lambda v, x: (
                v.scatter_(0, torch.zeros_like(v[:1], dtype=torch.long), like(x, v[:1].shape))
                if v.dim()
                else v.floor_()
            ),
            lambda v, x: (
                v.index_put_((torch.tensor([0]),), like(x, v[:1].shape), accumulate=True)
                if v.dim()
                else v.round_()
            ),
        )
    )


def finish(choose):
    return choose.choice(
        (
            lambda y, _seen, _x: y,
            lambda y, seen, _x: torch.cat([y.reshape(-1), seen.reshape(-1)]),
            lambda y, _seen, x: y + x,
            lambda y, seen, _x: (y, seen * 1.0),
            lambda y, seen, _x: {"y": y.t(), "sum": seen.sum()},
            lambda _y, seen, _x: seen,
        )
    )


def random_module(seed):
    """Three random writes into random views of a start; reads an early view at the end.

    ``own`` says that it does not write into the input itself.
    """
    choose = random.Random(seed)
    start, early, end = choose.choice(STARTS), view(choose), finish(choose)
    steps = [(view(choose), write(choose)) for _ in range(3)]

    def forward(x):
        y = start(x)
        seen = early(y)
        for part, act in steps:
            act(part(y), x)
        return end(y, seen, x)

    module = Function(forward)
    module.own = start is not STARTS[INPUT]
    return module


def composition(seed):
    """Three of the kinds one after the other, each on the first four columns of what came."""
    choose = random.Random(seed)
    kinds = choose.sample(KINDS, 3)

    def forward(x):
        for kind in kinds:
            x = kind(x.reshape(-1)[:8].reshape(2, 4))
        return x

    return Function(forward)
