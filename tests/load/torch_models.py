"""Whole models as people write them: vision, graphs, state spaces, flows and complex rotations."""

import math

import torch
from torch import nn
from torch.nn import functional as fn


class VisionTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 2, 2)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.places = nn.Parameter(torch.randn(1, 5, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.encoder, self.head = nn.TransformerEncoder(layer, 1), nn.Linear(8, 3)

    def forward(self, x):
        y = self.patches(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.token.expand(x.shape[0], -1, -1), y], 1) + self.places
        return self.head(self.encoder(y)[:, 0])


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, 1)

    def forward(self, x, memory):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.decoder(x, memory, tgt_mask=mask, tgt_is_causal=True)


class GraphAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.a = nn.Linear(3, 4, bias=False), nn.Parameter(torch.randn(8, 1))
        self.register_buffer("edges", (torch.rand(4, 4) > 0.5).float() + torch.eye(4))

    def forward(self, x):
        h = self.weight(x)
        n = h.shape[0]
        pairs = torch.cat([h.repeat_interleave(n, 0), h.repeat(n, 1)], 1).view(n, n, 8)
        e = fn.leaky_relu((pairs @ self.a).squeeze(2), 0.2)
        a = fn.softmax(torch.where(self.edges > 0, e, -9e15 * torch.ones_like(e)), 1)
        return fn.elu(a @ h)


class GraphConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.register_buffer("edges", torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 0, 2]]))

    def forward(self, x):
        source, target = self.edges
        h = self.linear(x)
        degree = torch.zeros(4).index_add(0, target, torch.ones(5)).clamp(min=1)
        return torch.relu(torch.zeros(4, 4).index_add(0, target, h[source]) / degree.unsqueeze(1))


class SelectiveScan(nn.Module):
    """As in Mamba."""

    def __init__(self):
        super().__init__()
        self.log_a = nn.Parameter(torch.log(torch.arange(1.0, 4).repeat(2, 1)))
        self.project, self.d = nn.Linear(2, 8), nn.Parameter(torch.ones(2))

    def forward(self, x):
        a = -torch.exp(self.log_a)
        delta, b, c = self.project(x).split([2, 3, 3], -1)
        delta = fn.softplus(delta)
        h, found = torch.zeros(x.shape[0], 2, 3), []
        for t in range(x.shape[1]):
            step = delta[:, t, :, None]
            h = torch.exp(step * a) * h + step * b[:, t, None] * x[:, t, :, None]
            found.append((h * c[:, t, None]).sum(-1))
        return torch.stack(found, 1) + self.d * x


class Capsules(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 2, 4, 3))

    def forward(self, x):
        u = torch.einsum("bic,ijdc->bijd", x, self.w)
        b = torch.zeros(x.shape[0], 3, 2)
        v = u
        for _ in range(3):
            s = (fn.softmax(b, 2).unsqueeze(-1) * u).sum(1)
            n = (s**2).sum(-1, keepdim=True)
            v = n / (1 + n) * s / torch.sqrt(n + 1e-8)
            b = b + (u * v.unsqueeze(1)).sum(-1)
        return v


class Glow(nn.Module):
    """An invertible convolution and an affine coupling, with the logarithm of the determinant."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.eye(4) + 0.3 * torch.randn(4, 4))
        self.log_scale, self.bias = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4))
        self.net = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 4))

    def forward(self, x):
        z = (x + self.bias) * torch.exp(self.log_scale) @ self.w
        log_det = self.log_scale.sum() + torch.slogdet(self.w)[1]
        a, b = z.chunk(2, 1)
        shift, scale = self.net(a).chunk(2, 1)
        scale = torch.sigmoid(scale + 2)
        return torch.cat([a, (b + shift) * scale], 1), log_det + torch.log(scale).sum(1)


class Radial(nn.Module):
    def __init__(self):
        super().__init__()
        self.centre = nn.Parameter(torch.randn(3))
        self.a, self.b = nn.Parameter(torch.randn(1)), nn.Parameter(torch.randn(1))

    def forward(self, x):
        alpha = fn.softplus(self.a)
        beta = fn.softplus(self.b) - alpha
        difference = x - self.centre
        r = difference.norm(dim=1, keepdim=True)
        h = 1 / (alpha + r)
        log_det = 2 * torch.log(1 + beta * h) + torch.log(1 + beta * h - beta * r * h**2)
        return x + beta * h * difference, log_det[:, 0]


class NoisyExperts(nn.Module):
    """Gates below the two largest are -inf."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 4)
        self.experts = nn.ModuleList(nn.Linear(4, 2) for _ in range(4))

    def forward(self, x):
        scores = self.gate(x)
        values, places = scores.topk(2, -1)
        kept = torch.full_like(scores, -math.inf).scatter(-1, places, values)
        weights = fn.softmax(kept, -1)
        return sum(weights[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts))


class SwitchExperts(nn.Module):
    """One expert each, with room for two rows, as in the Switch Transformer."""

    def __init__(self):
        super().__init__()
        self.gate, self.w = nn.Linear(3, 3), nn.Parameter(torch.randn(3, 3, 3))

    def forward(self, x):
        gates = fn.softmax(self.gate(x), -1)
        chosen = fn.one_hot(gates.argmax(-1), 3).float()
        place = (torch.cumsum(chosen, 0) * chosen).sum(-1)
        kept = chosen * gates * (place <= 2).float()[:, None]
        return torch.einsum("be,bi,eio->bo", kept, x, self.w)


class ComplexRotary(nn.Module):
    """As in Llama, by complex numbers."""

    def __init__(self):
        super().__init__()
        frequencies = 1.0 / (10000 ** (torch.arange(0, 4, 2).float() / 4))
        angles = torch.outer(torch.arange(3).float(), frequencies)
        self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles))

    def forward(self, x):
        z = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(z * self.turns.view(1, 3, 1, 2)).flatten(3)


class FourierKan(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Parameter(torch.randn(2, 3, 2, 4))

    def forward(self, x):
        angles = torch.arange(1, 5).reshape(1, 1, 1, 4) * x.reshape(-1, 1, 2, 1)
        return (torch.cos(angles) * self.c[0] + torch.sin(angles) * self.c[1]).sum((-2, -1))


class Hopfield(nn.Module):
    def __init__(self):
        super().__init__()
        self.patterns = nn.Parameter(torch.randn(5, 4))

    def forward(self, x):
        for _ in range(3):
            x = fn.softmax(2 * x @ self.patterns.t(), -1) @ self.patterns
        return x
