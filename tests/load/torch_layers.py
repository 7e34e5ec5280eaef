"""Gates, images, embeddings, statistics and activations, as people write them."""

import torch
from torch import nn
from torch.nn import functional as fn


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.w1, self.w2, self.w3 = (
            nn.Linear(4, 6, bias=False),
            nn.Linear(6, 4, bias=False),
            nn.Linear(4, 6, bias=False),
        )
        self.glu = nn.GLU(-1)

    def forward(self, x):
        y = self.w2(fn.silu(self.w1(x)) * self.w3(x))
        return self.glu(torch.cat([y, x], -1))


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.group, self.instance = nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True)

    def forward(self, x):
        y = torch.relu(self.group(self.conv(x)))
        return fn.leaky_relu(self.instance(y), 0.2).mean((2, 3))


class ResBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.down = nn.Sequential(nn.Conv2d(2, 4, 1, stride=2, bias=False), nn.BatchNorm2d(4))
        self.fc = nn.Linear(4, 3)
        self.relu = nn.ReLU(inplace=True)
        for part in (self.bn1, self.bn2, self.down[1]):
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.down(x)
        y = fn.adaptive_avg_pool2d(self.relu(y), 1)
        return self.fc(torch.flatten(y, 1))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 4, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.up2, self.out = nn.Conv2d(4, 2, 3, padding=1), nn.Conv2d(2, 1, 1)

    def forward(self, x):
        a = torch.relu(self.down1(x))
        b = torch.relu(self.down2(fn.max_pool2d(a, 2)))
        c = fn.interpolate(b, scale_factor=2, mode="bilinear", align_corners=False)
        d = torch.relu(self.up2(torch.cat([a, self.up1(b) + c[:, :2]], 1)))
        e = fn.interpolate(d, scale_factor=2, mode="nearest")
        return torch.sigmoid(self.out(e))


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(7, 4), nn.Embedding(5, 4)
        self.fc = nn.Linear(4, 3)

    def forward(self, tokens):
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.words(tokens) + self.places(positions)[None]
        mask = (tokens != 0).unsqueeze(-1).float()
        pooled = (x * mask).sum(1) / mask.sum(1).clamp(min=1.0)
        return self.fc(pooled)


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(6, 3, mode="mean")

    def forward(self, tokens):
        return self.bag(tokens)


class Sums(nn.Module):
    def forward(self, x):
        total = torch.cumsum(x, dim=1)
        count = torch.arange(1, x.shape[1] + 1)
        return torch.cat([total / count, torch.cumprod(torch.sigmoid(x), 1)], -1)


class Thresholds(nn.Module):
    def __init__(self):
        super().__init__()
        self.soft = nn.Softplus(beta=2.0, threshold=5.0)
        self.tiny = nn.Threshold(0.1, 20.0)

    def forward(self, x):
        y = self.soft(x) + self.tiny(x) + fn.hardshrink(x, 0.7) + fn.softshrink(x, 0.3)
        return y + fn.hardsigmoid(x) * fn.hardtanh(x, -2, 2) + fn.relu6(x) + fn.hardswish(x)


class Activations(nn.Module):
    def forward(self, x):
        smooth = (
            *(
                fn.gelu(x),
                fn.gelu(x, approximate="tanh"),
                fn.mish(x),
                fn.selu(x),
                fn.celu(x, 0.5),
            ),
            *(
                fn.elu(x, 0.7),
                fn.softsign(x),
                fn.tanhshrink(x),
                fn.logsigmoid(x),
                torch.asinh(x),
            ),
            *(torch.expm1(-x.abs()), torch.log1p(x.abs()), torch.erf(x), torch.atan(x)),
        )
        return torch.stack(smooth, 0)


class Masked(nn.Module):
    def forward(self, x):
        positive = torch.where(x > 0, x, torch.zeros_like(x))
        filled = x.masked_fill(x.abs() > 1, 2.0)
        y = torch.clamp(x, min=-0.5) + torch.minimum(x, torch.tensor(0.3)) + x.clamp(-1, 1) ** 2
        return positive * filled + y.nan_to_num(0.0)


class Statistics(nn.Module):
    def forward(self, x):
        ordered, _ = torch.sort(x, dim=-1, descending=True)
        middle = x.median(dim=-1).values
        spread = x.std(-1) + x.var(-1) + torch.logaddexp(x[:, 0], x[:, 1])
        return ordered[:, :2].sum(-1) + middle + spread + x.prod(-1) + x.norm(dim=-1)


class Unfolded(nn.Module):
    """Patches of an image and windows of a line."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(4, 3)

    def forward(self, x):
        patches = fn.unfold(x, kernel_size=2, stride=2).transpose(1, 2)
        windows = x.flatten(2).unfold(2, 5, 3)
        return self.project(patches), windows.mean(-1)


class Conv1dNet(nn.Module):
    """A causal dilated convolution with a gate, as in WaveNet."""

    def __init__(self):
        super().__init__()
        self.filter = nn.Conv1d(2, 3, 2, dilation=2)
        self.gate = nn.Conv1d(2, 3, 2, dilation=2)
        self.out = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 2, 1))

    def forward(self, x):
        y = fn.pad(x, (2, 0))
        y = torch.tanh(self.filter(y)) * torch.sigmoid(self.gate(y))
        return fn.avg_pool1d(x + self.out(y), 2)


class Bilinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.bilinear = nn.Bilinear(3, 2, 2)
        self.prelu = nn.PReLU(2)

    def forward(self, x, y):
        return (
            self.prelu(self.bilinear(x, y)),
            torch.outer(x[0], y[0]),
            torch.baddbmm(x[:, :, None] * 0 + 1, x[:, :, None], y[:, None, :1]),
        )


class Squeeze(nn.Module):
    """Squeeze and excitation, with a pixel shuffle."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 1)
        self.fc1, self.fc2 = nn.Linear(4, 2), nn.Linear(2, 4)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x):
        y = fn.silu(self.conv(x))
        s = y.mean(dim=[2, 3])
        s = torch.sigmoid(self.fc2(fn.relu(self.fc1(s)))).view(-1, 4, 1, 1)
        return self.shuffle(y * s)


class HyperNetwork(nn.Module):
    """Weights that depend on the input, and a residual with learned Gaussian radial bases."""

    def __init__(self):
        super().__init__()
        self.hyper = nn.Linear(3, 6)
        self.centres, self.log_width = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.zeros(4))

    def forward(self, x):
        w = self.hyper(x).view(-1, 2, 3)
        distance = ((x[:, None] - self.centres) ** 2).sum(-1)
        return torch.bmm(w, x.unsqueeze(-1)).squeeze(-1), torch.exp(
            -distance * torch.exp(self.log_width)
        )


class SparseMax(nn.Module):
    def forward(self, x):
        z, _ = torch.sort(x, dim=-1, descending=True)
        total = z.cumsum(-1) - 1
        k = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)
        size = (k * z > total).sum(-1, keepdim=True)
        tau = total.gather(-1, size - 1) / size
        return torch.clamp(x - tau, min=0)
