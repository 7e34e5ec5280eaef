"""Quantised and recurrent networks, splines, experts, flows and ODEs, as people write them."""

import math

import torch
from torch import nn
from torch.nn import functional as fn


class StraightThrough(nn.Module):
    """Weights and activations of four bits, with the gradient passed straight through."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 6), nn.Linear(6, 2)

    @staticmethod
    def quantise(x, scale, low, high):
        q = torch.clamp(torch.round(x / scale), low, high) * scale
        return x + (q - x).detach()

    def forward(self, x):
        y = fn.linear(x, self.quantise(self.fc1.weight, 1 / 8, -8, 7), self.fc1.bias)
        y = self.quantise(torch.relu(y), 0.25, 0, 15)
        return fn.linear(y, self.quantise(self.fc2.weight, 1 / 8, -8, 7), self.fc2.bias)


class FakeQuantised(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 6), nn.Linear(6, 2)
        self.register_buffer("scales", torch.tensor([0.5, 0.25, 0.125, 1.0, 0.75, 0.5]) / 8)

    def forward(self, x):
        x = torch.fake_quantize_per_tensor_affine(x, 0.0625, 3, -128, 127)
        w = torch.fake_quantize_per_channel_affine(
            self.fc1.weight, self.scales, torch.zeros(6, dtype=torch.int32), 0, -128, 127
        )
        y = torch.relu(fn.linear(x, w, self.fc1.bias))
        return self.fc2(torch.fake_quantize_per_tensor_affine(y, 0.05, 0, 0, 255))


class Observed(nn.Module):
    """Prepared by the quantisation-aware training of PyTorch, its observers off."""

    def __init__(self):
        super().__init__()
        quantisation = torch.ao.quantization
        self.fc = nn.Linear(4, 3)
        self.inputs = quantisation.FakeQuantize(quant_min=0, quant_max=255)
        self.outputs = quantisation.FakeQuantize(
            observer=quantisation.MovingAverageMinMaxObserver,
            quant_min=-128,
            quant_max=127,
            dtype=torch.qint8,
        )
        random = torch.randn(20, 4)
        self.outputs(self.fc(self.inputs(random)))
        for part in (self.inputs, self.outputs):
            part.disable_observer()

    def forward(self, x):
        return self.outputs(torch.relu(self.fc(self.inputs(x))))


class Binarised(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 6))
        self.norm = nn.BatchNorm1d(5)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        x = torch.where(x >= 0, 1.0, -1.0)
        y = self.norm(fn.linear(x, torch.where(self.weight >= 0, 1.0, -1.0)))
        return self.head(torch.sign(y))


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = kind(4, 3, batch_first=True, **options)
        wide = 6 if options.get("bidirectional") else 3
        self.fc = nn.Linear(wide, 2)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.fc(y[:, -1])


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru = nn.LSTMCell(3, 4), nn.GRUCell(4, 2)

    def forward(self, x):
        h = c = x.new_zeros(x.shape[0], 4)
        g = torch.zeros(x.shape[0], 2)
        for t in range(x.shape[1]):
            h, c = self.lstm(x[:, t], (h, c))
            g = self.gru(h, g)
        return g


class GruByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.xg, self.hg = nn.Linear(3, 12), nn.Linear(4, 12)

    def forward(self, x):
        h = torch.zeros(x.shape[0], 4)
        outputs = []
        for step in x.unbind(1):
            r, z, n = self.xg(step).chunk(3, 1)
            hr, hz, hn = self.hg(h).chunk(3, 1)
            r, z = torch.sigmoid(r + hr), torch.sigmoid(z + hz)
            h = (1 - z) * torch.tanh(n + r * hn) + z * h
            outputs.append(h)
        return torch.stack(outputs, 1)


class KanLayer(nn.Module):
    """B-splines by the recursion of Cox and de Boor, as in efficient-kan."""

    def __init__(self, inputs, outputs, size=4, order=3):
        super().__init__()
        step = 2 / size
        grid = torch.arange(-order, size + order + 1) * step - 1
        self.register_buffer("grid", grid.expand(inputs, -1).contiguous())
        self.base = nn.Parameter(torch.randn(outputs, inputs) * 0.5)
        self.spline = nn.Parameter(torch.randn(outputs, inputs, size + order) * 0.5)
        self.order = order

    def b_splines(self, x):
        grid, x = self.grid, x.unsqueeze(-1)
        bases = ((x >= grid[:, :-1]) & (x < grid[:, 1:])).to(x.dtype)
        for k in range(1, self.order + 1):
            left = (x - grid[:, : -(k + 1)]) / (grid[:, k:-1] - grid[:, : -(k + 1)])
            right = (grid[:, k + 1 :] - x) / (grid[:, k + 1 :] - grid[:, 1:(-k)])
            bases = left * bases[:, :, :-1] + right * bases[:, :, 1:]
        return bases.contiguous()

    def forward(self, x):
        base = fn.linear(fn.silu(x), self.base)
        splines = self.b_splines(x).view(x.size(0), -1)
        return base + fn.linear(splines, self.spline.view(self.spline.size(0), -1))


class ChebyKan(nn.Module):
    """Chebyshev polynomials of tanh by their recursion."""

    def __init__(self):
        super().__init__()
        self.coefficients = nn.Parameter(torch.randn(3, 2, 5))

    def forward(self, x):
        x = torch.tanh(x)
        values = [torch.ones_like(x), x]
        for _ in range(3):
            values.append(2 * x * values[-1] - values[-2])
        return torch.einsum("bid,iod->bo", torch.stack(values, -1), self.coefficients)


class ArgmaxExperts(nn.Module):
    """One of three experts, the one with the largest gate."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 3)
        self.experts = nn.ModuleList(nn.Linear(4, 2) for _ in range(3))

    def forward(self, x):
        scores = fn.softmax(self.gate(x), -1)
        choice = scores.argmax(-1)
        every = torch.stack([expert(x) for expert in self.experts], 1)
        chosen = every.gather(1, choice[:, None, None].expand(-1, 1, 2)).squeeze(1)
        return chosen * scores.gather(1, choice[:, None])


class TopExperts(nn.Module):
    """The two largest gates of four, renormalised, as in Mixtral."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 4, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(4, 6), nn.SiLU(), nn.Linear(6, 4)) for _ in range(4)
        )

    def forward(self, x):
        weights, chosen = torch.topk(fn.softmax(self.gate(x), dim=-1), 2, dim=-1)
        weights = weights / weights.sum(-1, keepdim=True)
        mask = fn.one_hot(chosen, 4).to(x.dtype)
        gates = (mask * weights.unsqueeze(-1)).sum(1)
        return sum(gates[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts))


class ScatteredExperts(nn.Module):
    """Gates scattered into zeros at computed places."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 4)
        self.w = nn.Parameter(torch.randn(4, 4, 3))

    def forward(self, x):
        scores = self.gate(x)
        values, places = scores.topk(2, dim=-1)
        gates = torch.zeros_like(scores).scatter(-1, places, fn.softmax(values, dim=-1))
        return torch.einsum("be,bi,eio->bo", gates, x, self.w)


class RealNVP(nn.Module):
    """Two affine couplings; the point in latent space and the logarithm of the determinant."""

    def __init__(self, width=4):
        super().__init__()
        half = width // 2
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(half, 8), nn.Tanh(), nn.Linear(8, 2 * half)) for _ in range(2)
        )

    def forward(self, x):
        log_det = x.new_zeros(x.shape[0])
        for i, net in enumerate(self.nets):
            a, b = x.chunk(2, dim=1)
            a, b = (a, b) if i % 2 == 0 else (b, a)
            s, t = net(a).chunk(2, dim=1)
            s = torch.tanh(s)
            b = b * torch.exp(s) + t
            log_det = log_det + s.sum(dim=1)
            x = torch.cat((a, b) if i % 2 == 0 else (b, a), dim=1)
        return x, log_det


class Planar(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.u, self.b = (
            nn.Parameter(torch.randn(3)),
            nn.Parameter(torch.randn(3)),
            nn.Parameter(torch.randn(1)),
        )

    def forward(self, z):
        wu = (self.w * self.u).sum()
        u = self.u + (fn.softplus(wu) - 1 - wu) * self.w / (self.w * self.w).sum()
        a = torch.tanh(z @ self.w + self.b)
        psi = (1 - a**2)[:, None] * self.w
        return z + u * a[:, None], torch.log(torch.abs(1 + psi @ u) + 1e-8)


class Density(nn.Module):
    """A Gaussian mixture's log-density by logsumexp."""

    def __init__(self):
        super().__init__()
        self.means = nn.Parameter(torch.randn(3, 2))
        self.log_scales = nn.Parameter(torch.randn(3, 2) * 0.3)
        self.logits = nn.Parameter(torch.randn(3))

    def forward(self, x):
        z = (x[:, None] - self.means) / torch.exp(self.log_scales)
        log = -0.5 * (z**2).sum(-1) - self.log_scales.sum(-1) - math.log(2 * math.pi)
        return torch.logsumexp(log + fn.log_softmax(self.logits, 0), -1)


class Ode(nn.Module):
    def __init__(self, method, steps=3):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
        self.method, self.steps = method, steps

    def f(self, t, y):
        return self.net(torch.cat([y, torch.full_like(y[:, :1], t)], 1))

    def forward(self, y):
        h = 1.0 / self.steps
        for i in range(self.steps):
            t = i * h
            k1 = self.f(t, y)
            if self.method == "euler":
                y = y + h * k1
                continue
            k2 = self.f(t + h / 2, y + h / 2 * k1)
            k3 = self.f(t + h / 2, y + h / 2 * k2)
            k4 = self.f(t + h, y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y
