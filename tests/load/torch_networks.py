"""Networks as people write them: their shapes, and whether they are tame without a box."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tests.load.torch_attention import (
    AnnotatedNorm,
    CausalSelfAttention,
    Cosine,
    CrossAttention,
    EncoderLayer,
    FourierFeatures,
    LayerNormByHand,
    LogSoftmaxByHand,
    MultiHead,
    NerfEncoding,
    Normed,
    Periodic,
    PositionalEncoding,
    RMSNormByHand,
    Rotary,
    ScaledDotProduct,
    Sine,
    Snake,
    SoftmaxByHand,
)
from tests.load.torch_layers import (
    Activations,
    Bag,
    Bilinear,
    Conv1dNet,
    Embedded,
    Gated,
    HyperNetwork,
    Masked,
    Norms,
    ResBlock,
    SparseMax,
    Squeeze,
    Statistics,
    Sums,
    Thresholds,
    UNet,
    Unfolded,
)
from tests.load.torch_models import (
    Capsules,
    ComplexRotary,
    Decoder,
    FourierKan,
    Glow,
    GraphAttention,
    GraphConvolution,
    Hopfield,
    NoisyExperts,
    Radial,
    SelectiveScan,
    SwitchExperts,
    VisionTransformer,
)
from tests.load.torch_sequences import (
    ArgmaxExperts,
    Binarised,
    Cells,
    ChebyKan,
    Density,
    FakeQuantised,
    GruByHand,
    KanLayer,
    Observed,
    Ode,
    Planar,
    RealNVP,
    Recurrent,
    ScatteredExperts,
    StraightThrough,
    TopExperts,
)


@dataclass(frozen=True)
class Kind:
    """A module, the shapes of its arguments, and whether it is tame without a box.

    ``integers`` is the number of values of an argument that holds indices.
    """

    make: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    tame: bool = True
    integers: int = 0

    def module(self) -> nn.Module:
        torch.manual_seed(0)
        return self.make().eval()

    def point(self, seed: int, scale: float = 1.0) -> tuple[Any, ...]:
        source = torch.Generator().manual_seed(seed)
        if self.integers:
            return tuple(
                torch.randint(0, self.integers, shape, generator=source) for shape in self.shapes
            )
        return tuple(scale * torch.randn(shape, generator=source) for shape in self.shapes)


KINDS = {
    "log-softmax by hand": Kind(LogSoftmaxByHand, ((2, 5),)),
    "softmax by hand": Kind(SoftmaxByHand, ((2, 5),)),
    "causal attention": Kind(CausalSelfAttention, ((1, 4, 8),)),
    "attention masked with -1e9": Kind(lambda: CausalSelfAttention(fill=-1e9), ((1, 3, 8),)),
    "cross-attention": Kind(CrossAttention, ((1, 3, 6), (1, 4, 6))),
    "scaled dot product": Kind(ScaledDotProduct, ((1, 4, 8),)),
    "multi-head attention": Kind(MultiHead, ((1, 3, 8),)),
    "encoder layer": Kind(EncoderLayer, ((1, 3, 8),)),
    "layer norm by hand": Kind(LayerNormByHand, ((2, 6),)),
    "annotated norm": Kind(AnnotatedNorm, ((2, 6),)),
    "RMS norm by hand": Kind(RMSNormByHand, ((2, 6),)),
    "RMS norm": Kind(lambda: nn.RMSNorm(6, eps=1e-5), ((2, 6),)),
    "features on a sphere": Kind(Normed, ((2, 5),)),
    "cosines and distances": Kind(Cosine, ((2, 4), (2, 4))),
    "SIREN": Kind(
        lambda: nn.Sequential(Sine(2, 6), Sine(6, 6), nn.Linear(6, 1)), ((3, 2),), tame=False
    ),
    "Fourier features": Kind(FourierFeatures, ((2, 2),), tame=False),
    "NeRF encoding": Kind(NerfEncoding, ((2, 3),), tame=False),
    "positional encoding": Kind(PositionalEncoding, ((1, 5, 6),)),
    "rotary encoding": Kind(Rotary, ((1, 3, 8),)),
    "Snake": Kind(Snake, ((2, 3),), tame=False),
    "periodic activation": Kind(Periodic, ((2, 3),), tame=False),
    "straight-through quantisers": Kind(StraightThrough, ((2, 4),)),
    "fake quantisers": Kind(FakeQuantised, ((2, 4),)),
    "observed quantisers": Kind(Observed, ((2, 4),)),
    "binarised": Kind(Binarised, ((2, 6),)),
    "LSTM": Kind(lambda: Recurrent(nn.LSTM), ((1, 3, 4),)),
    "bidirectional LSTM": Kind(
        lambda: Recurrent(nn.LSTM, bidirectional=True, num_layers=2), ((1, 3, 4),)
    ),
    "bidirectional GRU": Kind(lambda: Recurrent(nn.GRU, bidirectional=True), ((1, 3, 4),)),
    "Elman network": Kind(lambda: Recurrent(nn.RNN, nonlinearity="relu"), ((1, 3, 4),)),
    "cells": Kind(Cells, ((1, 3, 3),)),
    "GRU by hand": Kind(GruByHand, ((1, 3, 3),)),
    "KAN": Kind(lambda: nn.Sequential(KanLayer(2, 3), KanLayer(3, 1)), ((2, 2),)),
    "Chebyshev KAN": Kind(ChebyKan, ((2, 3),)),
    "argmax experts": Kind(ArgmaxExperts, ((2, 4),)),
    "top experts": Kind(TopExperts, ((2, 4),)),
    "scattered experts": Kind(ScatteredExperts, ((2, 4),)),
    "RealNVP": Kind(RealNVP, ((2, 4),)),
    "planar flow": Kind(Planar, ((2, 3),)),
    "mixture density": Kind(Density, ((2, 2),)),
    "Euler steps": Kind(lambda: Ode("euler"), ((2, 2),)),
    "Runge-Kutta steps": Kind(lambda: Ode("rk4", 2), ((2, 2),)),
    "gated units": Kind(Gated, ((2, 4),)),
    "group and instance norm": Kind(Norms, ((1, 1, 4, 4),)),
    "residual block": Kind(ResBlock, ((1, 2, 6, 6),)),
    "U-Net": Kind(UNet, ((1, 1, 4, 4),)),
    "embeddings": Kind(Embedded, ((2, 5),), integers=7),
    "embedding bag": Kind(Bag, ((2, 3),), integers=6),
    "cumulative sums": Kind(Sums, ((2, 4),)),
    "thresholds": Kind(Thresholds, ((2, 5),)),
    "activations": Kind(Activations, ((2, 3),)),
    "masks and clamps": Kind(Masked, ((2, 4),)),
    "statistics": Kind(Statistics, ((2, 5),)),
    "patches and windows": Kind(Unfolded, ((1, 1, 4, 4),)),
    "gated convolution": Kind(Conv1dNet, ((1, 2, 6),)),
    "bilinear": Kind(Bilinear, ((2, 3), (2, 2))),
    "squeeze and excitation": Kind(Squeeze, ((1, 1, 3, 3),)),
    "hypernetwork": Kind(HyperNetwork, ((2, 3),)),
    "sparsemax": Kind(SparseMax, ((2, 4),)),
    "vision transformer": Kind(VisionTransformer, ((1, 1, 4, 4),)),
    "decoder": Kind(Decoder, ((1, 3, 8), (1, 2, 8))),
    "graph attention": Kind(GraphAttention, ((4, 3),)),
    "graph convolution": Kind(GraphConvolution, ((4, 3),)),
    "selective scan": Kind(SelectiveScan, ((1, 3, 2),)),
    "capsules": Kind(Capsules, ((1, 3, 3),)),
    "Glow": Kind(Glow, ((2, 4),)),
    "radial flow": Kind(Radial, ((2, 3),)),
    "noisy experts": Kind(NoisyExperts, ((2, 4),)),
    "switch experts": Kind(SwitchExperts, ((4, 3),)),
    "complex rotary encoding": Kind(ComplexRotary, ((1, 3, 2, 4),)),
    "Fourier KAN": Kind(FourierKan, ((2, 2),), tame=False),
    "Hopfield network": Kind(Hopfield, ((2, 4),)),
}
