"""Tame and straight-through training of wide networks on 4,000 images of digits, at equal CPU time.

    TAMECHECK_DATA=FOLDER OMP_NUM_THREADS=1 python benchmarks/width.py [--hidden 128,64]

80 % of mnist_5k, as signs, to train on and 20 % to score.  Each method may try three learning
rates on a quarter of the training rows, over two seeds that the table does not use, and gets as
many epochs as take the CPU time of 30 epochs of tame training with the defaults.  ``--why`` prints
what the tangent of the loss says of flips, by width.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn

import tamecheck as tc
from tamecheck.learn import SteBinarizedClassifier, TameBinarizedClassifier
from tamecheck.learn.directions import Problem
from tamecheck.learn.elastic import Elastic, _flips, soft_flips
from tamecheck.learn.latent import forward
from tamecheck.learn.losses import LOSSES

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("TAMECHECK_DATA", ROOT.parent / "shared" / "data")) / "tab"
EPOCHS, BATCH = 30, 64
TUNING = (9000, 9001)
REFERENCE = "tame, both"


class StraightThrough(torch.autograd.Function):
    """The sign, and the identity on [-1, 1] backward."""

    @staticmethod
    def forward(ctx: Any, a: Any) -> Any:
        """The sign."""
        ctx.save_for_backward(a)
        return torch.where(a >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> Any:
        """What is passed back."""
        return outer[0] * (ctx.saved_tensors[0].abs() <= 1)


class Sign(nn.Module):
    """A straight-through sign."""

    def forward(self, a: Any) -> Any:
        """The sign."""
        return StraightThrough.apply(a)


@dataclass
class TorchNet:
    """Linear, batch normalisation, sign, and a readout, trained by Adam in float32."""

    sign: Callable[[], nn.Module]
    hidden: tuple[int, ...]
    epochs: int
    learning_rate: float
    random_state: int

    def fit(self, x: Any, y: Any) -> TorchNet:
        """Train."""
        torch.manual_seed(self.random_state)
        self.centre = x.mean(0)
        rows, labels = self._rows(x), torch.tensor(y)
        widths = (x.shape[1], *self.hidden)
        parts: list[nn.Module] = []
        for m, n in pairwise(widths):
            linear = nn.Linear(m, n, bias=False)
            nn.init.normal_(linear.weight, 0, 0.3 / math.sqrt(m))
            parts += [linear, nn.BatchNorm1d(n), self.sign()]
        with torch.no_grad():
            parts[0].weight *= rows.std(0)
        self.net = nn.Sequential(*parts, nn.Linear(widths[-1], 10))
        optimiser = torch.optim.Adam(self.net.parameters(), self.learning_rate, foreach=True)
        steps = self.epochs * math.ceil(len(x) / BATCH)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimiser, steps, 0.05 * self.learning_rate
        )
        for _ in range(self.epochs):
            for part in torch.randperm(len(x)).split(BATCH):
                loss = nn.functional.cross_entropy(self.net(rows[part]), labels[part])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
        self.net.eval()
        return self

    def _rows(self, x: Any) -> Any:
        return torch.tensor(x - self.centre, dtype=torch.float32)

    def score(self, x: Any, y: Any) -> float:
        """The share of rows that are right."""
        with torch.no_grad():
            return float((self.net(self._rows(x)).argmax(1).numpy() == y).mean())


def ours(kind: Any, **options: Any) -> Callable[..., Any]:
    return lambda hidden, **more: kind(hidden, batch_size=BATCH, **options, **more)


TORCH_RATES, RATES = (0.003, 0.01, 0.03), (0.05, 0.1, 0.2)
PLAIN = {"erasure": 0.0, "max_norm": np.inf}
METHODS: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
    "PyTorch, straight-through": (lambda h, **k: TorchNet(Sign, h, **k), TORCH_RATES),
    "PyTorch, TameSign": (lambda h, **k: TorchNet(tc.layers.TameSign, h, **k), TORCH_RATES),
    "straight-through": (ours(SteBinarizedClassifier), RATES),
    "tame": (ours(TameBinarizedClassifier, **PLAIN), RATES),
    "straight-through, erasure": (ours(SteBinarizedClassifier, erasure=0.3), RATES),
    "tame, erasure": (ours(TameBinarizedClassifier, max_norm=np.inf), RATES),
    "straight-through, bound": (ours(SteBinarizedClassifier, max_norm=0.5), RATES),
    "tame, bound": (ours(TameBinarizedClassifier, erasure=0.0), RATES),
    "straight-through, both": (ours(SteBinarizedClassifier, erasure=None, max_norm=None), RATES),
    "tame, both": (ours(TameBinarizedClassifier), RATES),
}


def split(x: Any, y: Any, seed: int, *, tuning: bool) -> Any:
    a, b, c, d = train_test_split(x, y, test_size=0.2, stratify=y, random_state=seed)
    if tuning:
        a, b, c, d = train_test_split(a, c, test_size=0.25, stratify=c, random_state=seed)
    return a, c, b, d


def compare(x: Any, y: Any, hidden: tuple[int, ...], seeds: int, names: list[str]) -> None:
    seconds: dict[str, float] = {}
    a, c, *_ = split(x, y, TUNING[0], tuning=True)
    for name in {REFERENCE: None, **dict.fromkeys(names)}:
        make, rates = METHODS[name]
        start = time.process_time()
        make(hidden, epochs=3, learning_rate=rates[1], random_state=0).fit(a, c)
        seconds[name] = time.process_time() - start
    for name in names:
        make, rates = METHODS[name]
        epochs = round(EPOCHS * min(2.0, max(0.67, seconds[REFERENCE] / seconds[name])))
        validation: list[float] = []
        for rate in rates:
            found: list[float] = []
            for seed in TUNING:
                a, c, b, d = split(x, y, seed, tuning=True)
                model = make(hidden, epochs=epochs, learning_rate=rate, random_state=seed)
                found.append(model.fit(a, c).score(b, d))
            validation.append(float(np.mean(found)))
        rate = rates[int(np.argmax(validation))]
        scores: list[float] = []
        start = time.process_time()
        for seed in range(seeds):
            a, c, b, d = split(x, y, seed, tuning=False)
            model = make(hidden, epochs=epochs, learning_rate=rate, random_state=seed).fit(a, c)
            scores.append(100 * model.score(b, d))
        spent = (time.process_time() - start) / seeds
        print(
            f"{hidden} | {name} | {np.mean(scores):.2f} ± {np.std(scores, ddof=1):.2f} "
            f"| {', '.join(f'{s:.1f}' for s in scores)} | rate {rate}, {epochs} epochs, "
            f"{spent:.1f} s, {1000 * spent / epochs:.0f} ms an epoch",
            flush=True,
        )


def why(x: Any, y: Any) -> None:
    """After one training a width: flips against their tangent, and tame slopes against others."""
    a, c, *_ = split(x, y, 0, tuning=False)
    elastic, loss = Elastic(0.5, 2.0, 1.0), LOSSES["logistic"]
    for width in (8, 16, 64, 256, 1024):
        model = TameBinarizedClassifier((width,), **PLAIN, epochs=8, random_state=0).fit(a, c)
        state = model._state  # noqa: SLF001 (the latent weights, which a user does not need)
        layers, some = state.latent.effective(), slice(0, 1000)
        rows, labels = state.scaling(a[some]), np.searchsorted(model.classes_, c[some])
        _, (sums,), scores = forward(layers, rows)
        problem = Problem(sums, labels, layers[1:], loss, elastic)
        signs, gains = _flips(problem)
        slope = loss.slope(scores, labels) @ layers[1][0].T
        tangent = -2 * signs * slope
        curved = np.abs(gains - tangent).sum() / np.abs(gains).sum()
        tame, through = soft_flips(problem), slope * (np.abs(sums) <= 1)
        cosine = (tame * through).sum() / np.linalg.norm(tame) / np.linalg.norm(through)
        smooth = slope * (1 - np.tanh(elastic.tilt(sums)) ** 2) * (np.abs(sums) < elastic.kappa)
        other = (tame * smooth).sum() / np.linalg.norm(tame) / np.linalg.norm(smooth)
        print(
            f"{width} | {100 * curved:.0f} % of a flip's change is curvature "
            f"| cosine to straight-through {cosine:.2f}, to the tangent's slope {other:.2f} "
            f"| largest change of a flip {np.abs(gains).max():.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", default="")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", default=";".join(METHODS), help="some, with ; between")
    parser.add_argument("--why", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = np.loadtxt(DATA / "mnist_5k.csv.gz", delimiter=",")
    x, y = np.where(table[:, :-1] >= 128, 1.0, -1.0), table[:, -1].astype(int)
    if arguments.why:
        why(x, y)
        return
    asked = tuple(map(int, arguments.hidden.split(","))) if arguments.hidden else None
    for hidden in (asked,) if asked else ((64,), (256,), (128, 64)):
        compare(x, y, hidden, arguments.seeds, arguments.methods.split(";"))


if __name__ == "__main__":
    main()
