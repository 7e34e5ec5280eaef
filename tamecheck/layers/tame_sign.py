"""A sign for PyTorch networks whose backward pass is that of an elastic value function.

For pre-activations a of a layer of neurons, and g the gradient of a row's loss with respect to the
signs u that the layer gave, the rest of the network is replaced by its tangent at u.  Then

    v(a) = min over w in {-1, 1}^h of g · w + pen(w, a),

with the penalty ``pen(w, a) = rho Σ max(0, kappa - w_j a_j)``, is one problem a neuron, which is
solved exactly.  v less the smallest penalty is zero where g is, semilinear, and locally Lipschitz
in (a, g); the difference of the penalties' slopes at the two minimisers is its
conservative gradient.  At a temperature t > 0,

    v_t(a) = -t log Σ_w p(w | a) exp(-g · w / t),   p(w | a) ∝ exp(-pen(w, a) / t),

which tends to it as t falls to 0.  No row moves a neuron by more than 2 rho, whatever its g.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.values import Emitter, Value
from tamecheck.model import Model
from tamecheck.tame import Check


@dataclass(frozen=True, slots=True)
class Convergence:
    """How far the last backward pass was from a stationary point, as means over its rows.

    Parameters
    ----------
    gradient_norm
        The Euclidean norm of the conservative gradient with respect to a row's pre-activations.
    gap
        What the minimiser of the inner problem saves against the signs that were used: where the
        rest of the network is convex in the signs (a readout and a convex loss) no signs are better
        by more than this, loss and penalty together.
    flipped
        The share of signs that the minimiser has otherwise.
    """

    gradient_norm: float
    gap: float
    flipped: float


class TameSign(nn.Module):
    """The sign of each element (1 at 0), differentiated through its elastic value function.

    Stands where a straight-through sign does, behind a dense or convolutional layer and its
    normalisation, which gives pre-activations a deviation of about 1.

    Parameters
    ----------
    rho, kappa, temperature
        The slope and the margin of the penalty, and the temperature (0 for the minimum itself).
    sample
        Whether signs in training are drawn from p(w | a), which takes a temperature; in evaluation
        they are never.
    reduction
        ``"mean"`` if the loss is a mean over rows, the first of several dimensions, else ``"sum"``.
        The inner problem is that of one row, so it must know.

    Examples
    --------
    >>> sign = TameSign()
    >>> a = torch.tensor([[-0.5, 2.5]], requires_grad=True)
    >>> sign(a).sum().backward()
    >>> sign.convergence().flipped
    0.5
    """

    def __init__(
        self,
        rho: float = 2.0,
        kappa: float = 2.0,
        temperature: float = 1.0,
        *,
        sample: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if not (0 < rho < np.inf and 0 < kappa < np.inf):
            raise InputError(f"rho={rho!r}, kappa={kappa!r} are no penalty.")
        if not 0 <= temperature < np.inf:
            raise InputError(f"temperature={temperature!r} is negative or infinite.")
        if sample and temperature == 0:
            raise InputError("Signs are drawn at a temperature.", hint="Take temperature=1.")
        if reduction not in {"mean", "sum"}:
            raise InputError(f"reduction={reduction!r} is unknown.", hint="There are: mean, sum.")
        self.rho, self.kappa, self.temperature = float(rho), float(kappa), float(temperature)
        self.sample, self.reduction = sample, reduction
        self._last: list[Tensor] = []

    def extra_repr(self) -> str:
        """The parameters, as PyTorch prints modules."""
        return f"rho={self.rho:g}, kappa={self.kappa:g}, temperature={self.temperature:g}"

    def forward(self, a: Tensor) -> Tensor:
        """The signs of an array of any shape."""
        rows = len(a) if self.reduction == "mean" and a.ndim > 1 else 1
        drawn = self.sample and self.training
        function: Any = _ElasticSign
        return function.apply(a, (self.rho, self.kappa, self.temperature), rows, drawn, self._last)

    def convergence(self) -> Convergence:
        """The diagnostics of the last backward pass.

        Raises
        ------
        InputError
            Before the first.
        """
        if not self._last:
            raise InputError("There was no backward pass.", hint="Call backward() first.")
        a, signs, g, slope = (t.flatten(1) if t.ndim > 1 else t.reshape(1, -1) for t in self._last)
        tilt = _tilt(a, self.rho, self.kappa)
        best = torch.where(tilt >= g, 1.0, -1.0).to(a.dtype)
        saved = (signs - best) * (g - tilt)
        return Convergence(
            float(slope.square().sum(dim=1).sqrt().mean()),
            float(saved.sum(dim=1).mean()),
            float((best != signs).double().mean()),
        )

    def certificate(self) -> Check:
        """That the objective of a neuron, a function of (a, g), is definable and locally Lipschitz.

        That of a layer is the sum over its neurons.
        """
        emitter = Emitter(folds=False)
        a, g = emitter.input("a", (1,)), emitter.input("g", (1,))
        signs = emitter.constant(np.array([1, -1]))
        slack = (emitter.constant(np.float64(self.kappa)) - signs * a).apply(ops.RELU)
        penalty = slack * emitter.constant(np.float64(self.rho))
        value = self._least(signs * g + penalty) - self._least(penalty)
        graph = emitter.builder.build({"value": value.node})
        return Model(Loaded(graph, "layers", f"objective of a neuron of {self}")).check()

    def _least(self, costs: Value) -> Value:
        if self.temperature == 0:
            return costs.apply(ops.REDUCE_MIN, axes=(0,), keepdims=False)
        scale = costs.emitter.constant(np.float64(-self.temperature))
        return (costs / scale).apply(ops.LOGSUMEXP, axes=(0,), keepdims=False) * scale


class _ElasticSign(torch.autograd.Function):
    """The sign; the backward pass takes the gradient of the loss for that of the signs' tangent."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        a: Tensor,
        elastic: tuple[float, float, float],
        rows: int,  # noqa: ARG004 (of the backward pass)
        drawn: bool,  # noqa: FBT001 (the signature is PyTorch's)
        last: list[Tensor],  # noqa: ARG004
    ) -> Tensor:
        rho, kappa, temperature = elastic
        if not drawn:
            return torch.where(a >= 0, 1.0, -1.0).to(a.dtype)
        up = torch.sigmoid(_tilt(a, rho, kappa) * (2 / temperature))
        return torch.where(torch.rand_like(a) < up, 1.0, -1.0).to(a.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        a, ctx.elastic, ctx.rows, _, ctx.last = inputs
        ctx.save_for_backward(a, output)

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> Any:
        a, signs = ctx.saved_tensors
        rho, kappa, temperature = ctx.elastic
        g = outer[0] * ctx.rows
        tilt = _tilt(a, rho, kappa)
        if temperature > 0:
            moved = torch.tanh((tilt - g) / temperature) - torch.tanh(tilt / temperature)
        else:
            moved = torch.sign(tilt - g) - torch.sign(tilt)
        slope = -moved * torch.where(a.abs() < kappa, rho, rho / 2)
        ctx.last[:] = [t.detach() for t in (a, signs, g, slope)]
        return slope / ctx.rows, None, None, None, None


def _tilt(a: Tensor, rho: float, kappa: float) -> Tensor:
    """Half the penalty of -1 less that of 1."""
    return (torch.relu(kappa + a) - torch.relu(kappa - a)) * (rho / 2)
