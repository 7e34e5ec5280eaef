"""The elastic value function for PyTorch: the last hidden layer of any network as signs."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, Literal

import numpy as np

from tamecheck.errors import InputError
from tamecheck.learn.directions import ENUMERATED, Parts, at_signs, soft
from tamecheck.learn.effort import DataError
from tamecheck.learn.elastic import Elastic, Problem, branch_and_bound, exact_minimisers
from tamecheck.learn.losses import loss_of


def elastic_loss(  # noqa: PLR0913  # the tensors of a layer, and the parameters by name
    a: Any,
    labels: Any,
    readout: Any,
    offset: Any,
    *,
    rho: float = 0.5,
    kappa: float = 2.0,
    temperature: float = 1.0,
    loss: Literal["logistic", "hinge"] = "logistic",
) -> Any:
    """The mean over a batch of ``v(a) = min_u loss(u V + c, y) + rho Σ max(0, kappa - u_j a_j)``.

    A scalar tensor whose backward pass gives the conservative gradient with respect to the
    pre-activations a, the readout V and the offset c: the joint variant, for whatever network
    computes a.  Inner problems are exact: all patterns, or branch and bound at temperature 0.
    Computed in float64 by NumPy on the CPU.

    Parameters
    ----------
    a
        Pre-activations, a tensor ``(rows, h)``.
    labels
        The index of each row's class, ``(rows,)``.
    readout, offset
        Tensors ``(h, classes)`` and ``(classes,)``.
    rho, kappa, temperature, loss
        As in `tamecheck.learn.TameBinarizedClassifier`.

    Raises
    ------
    InputError
        If PyTorch is not installed.
    DataError
        If the shapes do not fit, or the layer is too wide for an exact solution.
    """
    elastic = Elastic(float(rho), float(kappa), float(temperature))
    if not (0 < elastic.rho < np.inf and 0 <= elastic.kappa < np.inf):
        raise DataError(f"rho={rho!r}, kappa={kappa!r} are no penalty.")
    if not 0 <= elastic.temperature < np.inf:
        raise DataError(f"temperature={temperature!r} is negative or infinite.")
    if a.ndim != 2 or tuple(readout.shape) != (a.shape[1], offset.shape[0]):
        raise DataError("Shapes do not fit: (rows, h), (h, classes) and (classes,) are needed.")
    if elastic.temperature > 0 and a.shape[1] > ENUMERATED:
        raise DataError(
            f"{a.shape[1]} neurons are too many at a temperature.",
            hint=f"Use temperature=0, or at most {ENUMERATED}.",
        )
    return _function().apply(a, readout, offset, _array(labels, np.int64), elastic, loss_of(loss))


@cache
def _function() -> Any:
    """The autograd function; PyTorch is imported here and only here."""
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError:
        raise InputError("PyTorch is not installed.", hint="Install tamecheck[torch].") from None

    class ElasticLoss(torch.autograd.Function):
        """Slopes are found together with the value, and kept for the backward pass."""

        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            *tensors, labels, elastic, loss = inputs
            a, readout, offset = (_array(tensor, np.float64) for tensor in tensors)
            value, slopes = _solve(Problem(a, labels, [(readout, offset)], loss, elastic))
            kept = zip(tensors, slopes, strict=True)
            ctx.save_for_backward(*(tensor.new_tensor(slope) for tensor, slope in kept))
            return tensors[0].new_tensor(value)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            (scale,) = gradients
            return (*(slope * scale for slope in ctx.saved_tensors), None, None, None)

    return ElasticLoss


def _array(tensor: Any, dtype: Any) -> Any:
    return np.asarray(tensor.detach().cpu().numpy()).astype(dtype)


def _solve(problem: Problem) -> Parts:
    share = np.full(len(problem.a), 1 / len(problem.a))
    if problem.elastic.temperature > 0:
        return soft(problem, share)
    if problem.width <= ENUMERATED:
        return at_signs(problem, share, exact_minimisers(problem))
    found = branch_and_bound(problem)
    if not found.proved.all():
        raise DataError(
            "Branch and bound met its limit of nodes.", hint="Take a larger rho, or fewer neurons."
        )
    return at_signs(problem, share, found.u)
