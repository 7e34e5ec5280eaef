"""Attention, norms, encodings and periodic activations, as people write them."""

import math

import torch
from torch import nn
from torch.nn import functional as fn


class LogSoftmaxByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 4)

    def forward(self, x):
        z = self.fc(x)
        z = z - z.max(dim=-1, keepdim=True).values
        return z - torch.log(torch.exp(z).sum(dim=-1, keepdim=True))


class SoftmaxByHand(nn.Module):
    def forward(self, x):
        e = torch.exp(x - x.amax(-1, keepdim=True))
        return e / e.sum(-1, keepdim=True)


class CausalSelfAttention(nn.Module):
    """As in minGPT, with a buffer of ones below the diagonal."""

    def __init__(self, width=8, heads=2, length=4, fill=float("-inf")):
        super().__init__()
        self.attn = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.heads, self.fill = heads, fill
        self.drop = nn.Dropout(0.1)
        self.register_buffer("mask", torch.tril(torch.ones(length, length))[None, None])

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = self.attn(x).split(c, dim=2)
        q, k, v = (z.view(b, t, self.heads, c // self.heads).transpose(1, 2) for z in (q, k, v))
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.mask[:, :, :t, :t] == 0, self.fill)
        att = self.drop(fn.softmax(att, dim=-1))
        y = (att @ v).transpose(1, 2).contiguous().view(b, t, c)
        return self.proj(y)


class CrossAttention(nn.Module):
    """Scores are masked by adding -1e9 where the memory is negative in its first column."""

    def __init__(self, width=6):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x, memory):
        scores = torch.einsum("bid,bjd->bij", self.q(x), self.k(memory)) / math.sqrt(x.shape[-1])
        padding = memory[:, :, 0] < 0
        padding[:, 0] = False
        scores = scores + padding[:, None] * -1e9
        weights = torch.exp(scores - scores.max(-1, keepdim=True)[0])
        weights = weights / weights.sum(-1, keepdim=True)
        return torch.einsum("bij,bjd->bid", weights, self.v(memory))


class ScaledDotProduct(nn.Module):
    def __init__(self, width=8, heads=2):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = fn.scaled_dot_product_attention(q, k, v, is_causal=True)
        return y.transpose(1, 2).reshape(b, t, c)


class MultiHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        mask = torch.triu(torch.full((x.shape[1], x.shape[1]), float("-inf")), diagonal=1)
        y, _ = self.attention(x, x, x, attn_mask=mask, need_weights=False)
        return self.norm(x + y)


class EncoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            8, 2, 16, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )

    def forward(self, x):
        return self.layer(x)


class LayerNormByHand(nn.Module):
    def __init__(self, width=6, eps=1e-5):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.rand(width)), nn.Parameter(torch.rand(width))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, unbiased=False, keepdim=True)
        return self.gamma * (x - mean) / torch.sqrt(var + self.eps) + self.beta


class AnnotatedNorm(nn.Module):
    """The LayerNorm of the Annotated Transformer: by the standard deviation, plus eps."""

    def forward(self, x):
        return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-6)


class RMSNormByHand(nn.Module):
    """As in Llama."""

    def __init__(self, width=6, eps=1e-6):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.rand(width)), eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


class Normed(nn.Module):
    """Features on the unit sphere, compared with prototypes by their cosine."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 4)
        self.prototypes = nn.Parameter(torch.randn(3, 4))

    def forward(self, x):
        z = fn.normalize(self.fc(x), dim=-1)
        return 10 * z @ fn.normalize(self.prototypes, dim=-1).t()


class Cosine(nn.Module):
    def forward(self, x, y):
        return (
            fn.cosine_similarity(x, y, dim=-1),
            torch.cdist(x, y),
            fn.normalize(x, p=1, dim=1),
        )


class Sine(nn.Module):
    def __init__(self, inputs, outputs, omega=30.0):
        super().__init__()
        self.linear, self.omega = nn.Linear(inputs, outputs), omega

    def forward(self, x):
        return torch.sin(self.omega * self.linear(x))


class FourierFeatures(nn.Module):
    def __init__(self, inputs=2, count=8, scale=2.0):
        super().__init__()
        self.register_buffer("B", torch.randn(inputs, count) * scale)
        self.head = nn.Sequential(nn.Linear(2 * count, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, x):
        projected = 2 * math.pi * x @ self.B
        return self.head(torch.cat([torch.sin(projected), torch.cos(projected)], dim=-1))


class NerfEncoding(nn.Module):
    def forward(self, x):
        parts = [x]
        for i in range(3):
            parts += [torch.sin(2.0**i * x), torch.cos(2.0**i * x)]
        return torch.cat(parts, -1)


class PositionalEncoding(nn.Module):
    """Sines and cosines of the positions, computed in forward and added to the input."""

    def __init__(self, width=6):
        super().__init__()
        self.fc, self.width = nn.Linear(width, width), width

    def forward(self, x):
        position = torch.arange(x.shape[1]).unsqueeze(1)
        step = torch.exp(torch.arange(0, self.width, 2) * (-math.log(10000.0) / self.width))
        pe = torch.zeros(x.shape[1], self.width)
        pe[:, 0::2] = torch.sin(position * step)
        pe[:, 1::2] = torch.cos(position * step)
        return torch.relu(self.fc(x + pe))


class Rotary(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width)
        self.register_buffer("freq", 1.0 / (10000 ** (torch.arange(0, width, 2).float() / width)))

    @staticmethod
    def half(x):
        first, second = x.chunk(2, dim=-1)
        return torch.cat((-second, first), dim=-1)

    def forward(self, x):
        t = torch.arange(x.shape[1], device=x.device).type_as(self.freq)
        freqs = torch.einsum("i,j->ij", t, self.freq)
        emb = torch.cat((freqs, freqs), dim=-1)
        cos, sin = emb.cos()[None], emb.sin()[None]
        q, k = (z * cos + self.half(z) * sin for z in (self.q(x), self.k(x)))
        return fn.softmax(q @ k.transpose(1, 2) / x.shape[-1] ** 0.5, -1)


class Snake(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([1.0, 0.5, 2.0]))

    def forward(self, x):
        return x + torch.sin(self.a * x) ** 2 / self.a


class Periodic(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        y = self.fc1(x)
        return self.fc2(torch.sin(y) + torch.cos(y))
