"""Functions of a (2, 4) tensor by operators that the exporter of PyTorch does not write."""

import math

import torch
from torch import nn
from torch.nn import functional as fn

WEIGHT = torch.arange(12.0).reshape(3, 4) / 8 - 0.5
MASK = torch.ones(2, 4).tril() == 0
EYE = torch.eye(2)


def square(x):
    return x[:, :2] @ x[:, :2].T + EYE


def round_with_steps(x):
    steps = torch.round(x / 0.25)
    steps = torch.where(steps > 7, torch.tensor(7.0), steps)
    return torch.where(steps < -8, torch.tensor(-8.0), steps) * 0.25


ELEMENTWISE = (
    torch.asinh,
    lambda x: torch.acosh(1 + x.abs()),
    lambda x: torch.atanh(x / 500),
    lambda x: torch.sinh(x / 8),
    torch.exp2,
    torch.erfc,
    torch.sinc,
    torch.frac,
    lambda x: torch.atan2(x[0], x[1]),
    lambda x: torch.hypot(x[0], x[1]),
    lambda x: torch.logaddexp(x[0], x[1]),
    lambda x: torch.logaddexp2(x[0], x[1]),
    lambda x: torch.xlogy(x, x.abs() + 1),
    torch.special.ndtr,
    torch.special.log_ndtr,
    lambda x: torch.heaviside(x, torch.tensor(0.5)),
    lambda x: torch.isclose(x, x.round()).float(),
    lambda x: torch.float_power(x, 2).float(),
    lambda x: torch.ldexp(x, torch.tensor([1, 2, 3, 4])),
    lambda x: fn.softplus(x, 2, 5),
    lambda x: fn.threshold(x, 0.1, 20),
    fn.logsigmoid,
    round_with_steps,
    lambda x: (x / 0.3).clamp(-8, 7).round() * 0.3,
    lambda x: ((x > 0) & (x < 1)).float() + (~(x > 2)).float(),
)

ALONG_AXES = (
    torch.median,
    lambda x: x.median(1)[0],
    lambda x: x.median(0, keepdim=True)[0],
    lambda x: torch.quantile(x, 0.3, dim=1),
    lambda x: x.kthvalue(2, dim=1)[0],
    lambda x: x.cumprod(1),
    lambda x: x.cummax(1)[0],
    lambda x: x.cummin(0)[0],
    lambda x: x.logcumsumexp(1),
    torch.msort,
    lambda x: torch.sort(x, stable=True, descending=True)[0],
    lambda x: x.relu().count_nonzero(1).float(),
    lambda x: x.diff(),
    lambda x: torch.trapezoid(x, dim=1),
    lambda x: torch.gradient(x, dim=1)[0],
    lambda x: torch.searchsorted(torch.tensor([-1.0, 0.0, 1.0]), x).float(),
    lambda x: torch.searchsorted(torch.tensor([-1.0, 0.0, 1.0]), x, right=True).float(),
    lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])).float(),
)

PLACES = (
    lambda x: x.as_strided((2, 2), (4, 1), 1) * 1.0,
    lambda x: x.unfold(1, 2, 1),
    torch.rot90,
    lambda x: torch.block_diag(x, x),
    lambda x: torch.hstack([x, x]) + torch.cat([x, x], 1),
    lambda x: fn.channel_shuffle(x.reshape(1, 4, 2, 1), 2),
    lambda x: x.take_along_dim(x.argsort(1), 1),
    lambda x: torch.zeros(2, 4).scatter(1, x.argsort(dim=1, stable=True), x),
    lambda x: torch.zeros(2, 4).scatter_add(1, (x > 0).long(), x),
    lambda x: torch.zeros(4, 4).index_add(0, (x[:, 0] > 0).long(), x, alpha=2),
    lambda x: x.index_put((torch.tensor([0, 1]), x.argmax(1)), torch.ones(2)),
    lambda x: fn.max_unpool1d(*fn.max_pool1d(x[None], 2, return_indices=True), 2),
    lambda x: fn.embedding_bag(torch.tensor([[0, 1], [1, 2]]), WEIGHT) + x,
    lambda x: fn.adaptive_avg_pool1d(x[None], 3),
    lambda x: fn.adaptive_avg_pool2d(x[None], (1, 3)),
    lambda x: fn.interpolate(x[None, None], size=(1, 3), mode="area"),
    lambda x: x.masked_fill(MASK, -math.inf).max(1)[0],
    lambda x: x.masked_fill(MASK, -math.inf).softmax(1),
    lambda x: (x[:, :2] + torch.full((2, 2), -math.inf).triu(1)).softmax(1),
    lambda x: torch.where(x < x.topk(2)[0][:, -1:], -math.inf, x).softmax(1),
)

MATRICES = (
    lambda x: torch.linalg.inv(square(x)),
    lambda x: torch.linalg.solve(square(x), x[:, 2:]),
    lambda x: torch.linalg.solve(square(x), x[:, 0]),
    lambda x: torch.linalg.slogdet(square(x))[1],
    lambda x: torch.linalg.det(x[:, :2]),
    lambda x: torch.linalg.cholesky(square(x)),
    lambda x: torch.linalg.solve_triangular(square(x).tril(), x[:, 2:], upper=False),
    lambda x: torch.linalg.solve_triangular(square(x).triu(), x[:, 2:], upper=True),
    lambda x: torch.matrix_power(x[:, :2], 3),
    lambda x: torch.linalg.multi_dot([x, x.T, x]),
    lambda x: torch.cdist(x, x + 1),
    lambda x: torch.cdist(x, WEIGHT, p=1),
    lambda x: torch.cdist(x, WEIGHT, p=math.inf),
    lambda x: fn.pdist(torch.cat([x, 1 - x])),
    lambda x: WEIGHT[torch.cdist(x, WEIGHT).argmin(1)],
    lambda x: fn.bilinear(x, x, torch.ones(2, 4, 4)),
    lambda x: fn.huber_loss(x, x * 0),
    lambda x: fn.cosine_embedding_loss(x, x + 1, torch.ones(2)),
    lambda x: fn.triplet_margin_loss(x, x + 1, x - 1),
    lambda x: nn.PairwiseDistance()(x, x + 1),
)
